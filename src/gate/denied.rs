//! Requests that a stage has refused: the denial, and the caller that telemetry names.

use std::rc::Rc;

use super::resources::{Gate, Request};
use super::scope::RequestScope;
use super::verdict::Denial;
use crate::caller::actor::actor;
use crate::caller::principal::{Caller, refused_identity};
use crate::policy::rule::Rule;
use crate::template::{Part, PartValue, Scope};
use crate::verify::{Claims, RefusedClaims};

/// The caller of a token whose signature verified and that was refused.
pub(super) enum Named {
    /// The claims were refused.
    Refused(Box<RefusedClaims>),
    /// The client does not hold the certificate that the token is bound to.
    Unbound(Rc<Caller>),
}

/// The end of a request that a stage has refused.
pub(super) struct Stop {
    pub(super) denial: Denial,
    /// The caller to name in telemetry.
    pub(super) named: Option<Named>,
}

impl<T: Into<Denial>> From<T> for Stop {
    fn from(denial: T) -> Self {
        Self { denial: denial.into(), named: None }
    }
}

impl Gate<'_> {
    /// The tags of such a caller.
    pub(super) fn tags_of_refused(
        &self,
        request: &Request<'_>,
        rule: &Rule,
        named: &Named,
    ) -> Vec<(usize, String)> {
        let request = RequestScope { gate: self, request, rule, principal: None, body: None };
        let identity;
        let (claims, identity) = match named {
            Named::Refused(refused) => {
                let provider = self.policy.providers.get(refused.claims().provider());
                identity = provider.and_then(|provider| refused_identity(refused, provider));
                (refused.claims(), identity.as_deref())
            }
            Named::Unbound(caller) => (caller.claims(), Some(caller.principal().identity())),
        };
        self.tags(&DeniedScope { request, claims, identity }, |_| true)
    }
}

/// The values for the tags of a refused caller.
struct DeniedScope<'a> {
    request: RequestScope<'a>,
    claims: &'a Claims,
    identity: Option<&'a str>,
}

impl Scope for DeniedScope<'_> {
    fn value(&self, part: &Part) -> Option<PartValue<'_>> {
        let text = match part {
            Part::Claim(claim) => return self.claims.part(claim),
            Part::Identity => self.identity?,
            Part::Kid => self.claims.kid()?,
            Part::Actor => actor(self.claims)?,
            Part::Provider => self.request.provider_name(self.claims)?,
            _ => return self.request.value(part),
        };
        Some(PartValue::Text(text.into()))
    }
}
