//! `allow[].body`: whether an entry whose other fields hold admits the body.

use super::body_value;
use super::scope::RequestScope;
use super::verdict::Denial;
use crate::caller::grant::{BodyTest, Grant};
use crate::caller::principal::Principal;
use crate::reason::Reason;

impl RequestScope<'_> {
    /// Refuses a body that no entry of `allow` admits. The claims hold for one of the entries at least. A request
    /// without a body has no value anywhere, and neither has a body in CSV.
    pub(super) fn admit_body(&self) -> Result<(), Denial> {
        if !self.rule.traits.grants_by_body {
            return Ok(());
        }
        let claims = self.principal.map(Principal::claims);
        let Some((entries, claims)) = self.rule.allow.as_ref().zip(claims) else { return Ok(()) };
        let admits = |entry: &Grant| entry.body.iter().all(|test| self.holds(test));
        match entries.first_held(claims, admits).is_some() {
            true => Ok(()),
            false => Err(Reason::BodyNotAllowed.into()),
        }
    }

    /// A body with two readings of a value does not come here: its guard refuses it. A value that is too long or that
    /// servers read in different ways equals none, but exists.
    fn holds(&self, test: &BodyTest) -> bool {
        let guard = self.rule.payload.as_deref();
        let read = guard.zip(self.body);
        let exists = read.and_then(|(guard, read)| read.place(guard, &test.pointer));
        let value = read.and_then(|(guard, read)| read.captured(guard, &test.pointer));
        match value.and_then(body_value::scalar) {
            Some(value) => test.test.holds_for_scalar(&value),
            // `null` counts as absent, as it does in a claim.
            None => test.test.holds_for_presence(exists.is_some_and(|place| place.first != b'n')),
        }
    }
}
