//! The part of a judgement that finds out who calls.

use std::rc::Rc;

use super::{Gate, OWN_RETRY_AFTER, Request, RequestScope};
use crate::cache::{Known, Look};
use crate::principal::{Caller, Principal};
use crate::provider::Bind;
use crate::reason::Reason;
use crate::rule::{Auth, Rule};
use crate::template::Template;
use crate::token_source::{self, Found};
use crate::verdict::{Denial, Judgement};
use crate::verify::{Failure, Verifier};

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
        // Asked for each request: the same token may come over another connection.
        if provider.is_some_and(|provider| provider.bind == Bind::Mtls) {
            Principal::check_binding(caller.claims(), (request.peer_certificate)())?;
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
        let refused = |failure: Failure, found: &mut Judgement| {
            found.provider = failure.provider;
            match failure.error.reason() {
                reason @ Reason::KeysUnavailable => Denial::for_now(reason, OWN_RETRY_AFTER),
                reason => Denial::from(reason),
            }
        };
        let known = self.cache.is_on().then(|| {
            let rule = found.rule.unwrap_or(usize::MAX);
            self.cache.look(token, rule, &self.policy.providers, self.keys, request.now)
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
        let claims = match verifier.verify(token, rule.providers.as_deref(), request.now) {
            Ok(claims) => claims,
            Err(failure) => {
                if let Some(place) = place {
                    self.cache.refused(place, failure, self.keys, request.now);
                }
                return Err(refused(failure, found));
            }
        };
        found.provider = Some(claims.provider());
        let provider =
            self.policy.providers.get(claims.provider()).ok_or(Reason::IssuerNotAllowed)?;
        let principal = Principal::of(claims, provider)?;
        let scope = RequestScope { gate: self, request, rule, principal: Some(&principal) };
        let tags = scope.tags_where(Template::is_of_token);
        let caller = Rc::new(Caller::new(principal, tags));
        if let Some(place) = place {
            self.cache.verified(place, &caller, provider, self.keys, request.now);
        }
        Ok(caller)
    }
}
