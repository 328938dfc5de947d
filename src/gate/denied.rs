//! Whom the telemetry of a denial names: a caller whose token verified and was refused.

use super::{Gate, Request, RequestScope};
use crate::caller::principal::refused_identity;
use crate::gate::verdict::{Judgement, Verdict};
use crate::template::{Part, PartValue, Scope};
use crate::verify::Claims;

impl Gate<'_> {
    /// Puts the tags of such a caller into the judgement, if the request is denied: what passes in a
    /// dry run is not taken for the caller's.
    pub(super) fn name_refused(&self, request: &Request<'_>, found: &mut Judgement) {
        let (refused, unbound) = (found.refused.take(), found.unbound.take());
        let (Verdict::Deny(_), Some(rule)) = (&found.verdict, &found.rule) else { return };
        let request = RequestScope { gate: self, request, rule, principal: None };
        let identity;
        let (claims, identity) = match (&refused, &unbound) {
            (Some(refused), _) => {
                let provider = self.policy.providers.get(refused.claims().provider());
                identity = provider.and_then(|provider| refused_identity(refused, provider));
                (refused.claims(), identity.as_deref())
            }
            (None, Some(caller)) => (caller.claims(), Some(caller.principal().identity())),
            (None, None) => return,
        };
        let scope = DeniedScope { request, claims, identity };
        found.denied_tags = self.tags(&scope, |_| true);
    }
}

/// What the tags of a refused caller are filled from.
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
            Part::Provider => self.request.provider_name(self.claims)?,
            _ => return self.request.value(part),
        };
        Some(PartValue::Text(text.into()))
    }
}
