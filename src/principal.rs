//! The authenticated caller: verified claims and the identity that stands for them.

use std::borrow::Cow;
use std::cell::Cell;

use crate::provider::Provider;
use crate::reason::Reason;
use crate::template::{Part, Scope};
use crate::verify::claims::Claims;

/// A caller whose token verified; exists only if [`Claims`] do.
#[derive(Debug)]
pub struct Principal {
    claims: Claims,
    identity: String,
}

impl Principal {
    /// Finds the identity: the first of the provider's templates that has a value.
    ///
    /// # Errors
    /// `claim_missing` when no template has a value, or when the first that has one has an empty
    /// part: falling through to another template would make two callers one.
    pub fn of(claims: Claims, provider: &Provider) -> Result<Self, Reason> {
        let scope = IdentityScope { claims: &claims, empty: Cell::new(false) };
        let mut identity = String::new();
        let found = provider.identity.iter().any(|template| {
            scope.empty.set(false);
            template.render(&scope, &mut identity)
        });
        match found && !scope.empty.get() && !identity.is_empty() {
            true => Ok(Self { claims, identity }),
            false => Err(Reason::ClaimMissing),
        }
    }

    /// The verified claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The key of the caller in limits, tags and logs.
    pub fn identity(&self) -> &str {
        &self.identity
    }
}

/// Claims alone: an identity never depends on what the request says beside its token.
struct IdentityScope<'a> {
    claims: &'a Claims,
    empty: Cell<bool>,
}

impl Scope for IdentityScope<'_> {
    fn value(&self, part: &Part) -> Option<Cow<'_, str>> {
        let Part::Claim(claim) = part else { return None };
        let text = self.claims.text(claim)?;
        if text.is_empty() {
            self.empty.set(true);
        }
        Some(text)
    }
}
