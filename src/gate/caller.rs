//! The part of a judgement that finds out who calls.

use std::rc::Rc;

use super::{Gate, OWN_RETRY_AFTER, Request, RequestScope};
use crate::caller::cache::{Known, Look};
use crate::caller::principal::{Caller, Principal};
use crate::gate::verdict::{Denial, Judgement};
use crate::policy::rule::{Auth, Rule};
use crate::reason::Reason;
use crate::request::token_source::{self, Found};
use crate::template::Template;
use crate::verify::provider::Bind;
use crate::verify::{Failure, Verifier, VerifyError};

impl Gate<'_> {
    /// Who calls, as far as the rule asks for it: nobody, or a caller whose token verified.
    pub(super) fn authenticate(
        &self,
        request: &Request<'_>,
        rule: &Rule,
        found: &mut Judgement,
    ) -> Result<Option<Rc<Caller>>, Denial> {
        if rule.auth == Auth::None {
            return Ok(None);
        }
        let token = match token_source::find(request.headers, &self.policy.token) {
            Found::None if rule.auth == Auth::Optional => return Ok(None),
            Found::None => return Err(Reason::TokenMissing.into()),
            Found::Several => return Err(Reason::TokenMultiple.into()),
            Found::One(token) => token,
        };
        let caller = self.recognise(&token, request, rule, found)?;
        let provider = self.policy.providers.get(caller.claims().provider());
        // Asked for each request: the same token may come over another connection. And of the provider
        // that took the token alone: another of its issuer would let go what this one binds.
        if provider.is_some_and(|provider| provider.bind == Bind::Mtls) {
            let bound = Principal::check_binding(caller.claims(), (request.peer_certificate)());
            if let Err(error) = bound {
                found.unbound = Some(caller);
                return Err(denial(error, found));
            }
        }
        Ok(Some(caller))
    }

    /// Who a token stands for: remembered, or verified now.
    fn recognise(
        &self,
        token: &[u8],
        request: &Request<'_>,
        rule: &Rule,
        found: &mut Judgement,
    ) -> Result<Rc<Caller>, Denial> {
        let known = self.cache.is_on().then(|| {
            let class = rule.provider_class;
            self.cache.look(token, class, &self.policy.providers, self.keys, request.now)
        });
        let place = match known {
            None => None,
            Some(Known::Verified(caller)) => {
                found.look = Some(Look::Hit);
                found.provider = Some(caller.claims().provider());
                return Ok(caller);
            }
            Some(Known::Refused(failure)) => {
                found.look = Some(Look::NegativeHit);
                return Err(refused(failure, found));
            }
            Some(Known::Nothing(place)) => {
                found.look = Some(Look::Miss);
                Some(place)
            }
        };
        let verifier = Verifier {
            providers: &self.policy.providers,
            keys: self.keys,
            engine: self.engine,
            max_bytes: self.policy.token.max_bytes,
        };
        let admitted = rule.providers.as_deref();
        let accepted = match verifier.verify_as(token, admitted, request.now, Principal::of) {
            Ok(accepted) => accepted,
            Err(failure) => {
                if let Some(place) = place {
                    self.cache.refused(place, &failure, self.keys, request.now);
                }
                return Err(refused(failure, found));
            }
        };
        let (principal, attempts) = (accepted.value, accepted.attempts);
        let index = principal.claims().provider();
        found.provider = Some(index);
        let provider = self.policy.providers.get(index).ok_or(Reason::IssuerNotAllowed)?;
        let scope = RequestScope { gate: self, request, rule, principal: Some(&principal) };
        let tags = scope.tags_where(Template::is_of_token);
        let caller = Rc::new(Caller::new(principal, tags));
        if let Some(place) = place {
            let verified = (&caller, attempts.as_slice());
            self.cache.verified(place, verified, provider, self.keys, request.now);
        }
        found.attempts = attempts;
        Ok(caller)
    }
}

/// Notes why a token was refused.
fn refused(failure: Failure, found: &mut Judgement) -> Denial {
    found.provider = failure.provider;
    found.attempts = failure.attempts;
    found.refused = failure.claims;
    denial(failure.error, found)
}

fn denial(error: VerifyError, found: &mut Judgement) -> Denial {
    found.error = Some(error);
    match error.reason() {
        reason @ Reason::KeysUnavailable => Denial::for_now(reason, OWN_RETRY_AFTER),
        reason => reason.into(),
    }
}
