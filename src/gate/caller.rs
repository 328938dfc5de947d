//! The stage that identifies the caller.

use std::rc::Rc;

use super::denied::{Named, Stop};
use super::facts::TokenReport;
use super::resources::{Gate, Request};
use super::scope::RequestScope;
use crate::caller::cache::{Known, Look};
use crate::caller::principal::{Caller, Principal};
use crate::policy::rule::{Auth, Rule};
use crate::reason::Reason;
use crate::request::token_source::{self, Found};
use crate::template::Template;
use crate::verify::provider::Bind;
use crate::verify::{Failure, Verifier};

/// How the token was judged, and the caller that it identifies.
type Authentication<T> = (TokenReport, Result<T, Stop>);

impl Gate<'_> {
    /// Authenticates a request as the rule requires; `None` for a request that passes without a token.
    pub(super) fn authenticate(
        &self,
        request: &Request<'_>,
        rule: &Rule,
    ) -> Authentication<Option<Rc<Caller>>> {
        let no_token = |outcome| (TokenReport::default(), outcome);
        if rule.auth == Auth::None {
            return no_token(Ok(None));
        }
        let token = match token_source::find(request.headers, &self.policy.token) {
            Found::None if rule.auth == Auth::Optional => return no_token(Ok(None)),
            Found::None => return no_token(Err(Reason::TokenMissing.into())),
            Found::Several => return no_token(Err(Reason::TokenMultiple.into())),
            Found::One(token) => token,
        };
        let (report, caller) = self.recognise(&token, request, rule);
        let caller = match caller {
            Ok(caller) => caller,
            Err(stop) => return (report, Err(stop)),
        };
        let provider = self.policy.providers.get(caller.claims().provider());
        // Checked on each request, because the same token may come over another connection. It is the
        // provider that accepted the token that matters: another one of its issuer may bind nothing.
        if provider.is_some_and(|provider| provider.bind == Bind::Mtls)
            && let Err(error) =
                Principal::check_binding(caller.claims(), (request.peer_certificate)())
        {
            let denial = error.reason().into();
            let stop = Stop { denial, named: Some(Named::Unbound(caller)) };
            return (TokenReport { error: Some(error), ..report }, Err(stop));
        }
        (report, Ok(Some(caller)))
    }

    /// The caller of a token: from the cache, or verified now.
    fn recognise(
        &self,
        token: &[u8],
        request: &Request<'_>,
        rule: &Rule,
    ) -> Authentication<Rc<Caller>> {
        let known = self.cache.is_on().then(|| {
            let class = rule.provider_class;
            self.cache.look(token, class, &self.policy.providers, self.keys, request.now)
        });
        let place = match known {
            None => None,
            Some(Known::Verified(caller)) => {
                let provider = Some(caller.claims().provider());
                let look = Some(Look::Hit);
                return (TokenReport { provider, look, ..TokenReport::default() }, Ok(caller));
            }
            Some(Known::Refused(failure)) => return refused(failure, Some(Look::NegativeHit)),
            Some(Known::Nothing(place)) => Some(place),
        };
        let look = place.as_ref().map(|_| Look::Miss);
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
                return refused(failure, look);
            }
        };
        let (principal, attempts) = (accepted.value, accepted.attempts);
        let index = principal.claims().provider();
        let report = TokenReport { provider: Some(index), look, error: None, attempts };
        let Some(provider) = self.policy.providers.get(index) else {
            return (report, Err(Reason::IssuerNotAllowed.into()));
        };
        let scope =
            RequestScope { gate: self, request, rule, principal: Some(&principal), body: None };
        let tags = scope.tags_where(Template::is_of_token);
        let caller = Rc::new(Caller::new(principal, tags));
        if let Some(place) = place {
            let verified = (&caller, report.attempts.as_slice());
            self.cache.verified(place, verified, provider, self.keys, request.now);
        }
        (report, Ok(caller))
    }
}

/// The result for a token that was refused.
fn refused(failure: Failure, look: Option<Look>) -> Authentication<Rc<Caller>> {
    let Failure { error, provider, attempts, claims } = failure;
    let stop = Stop { denial: error.reason().into(), named: claims.map(Named::Refused) };
    (TokenReport { provider, look, error: Some(error), attempts }, Err(stop))
}
