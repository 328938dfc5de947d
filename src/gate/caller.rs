//! The stage that identifies the caller.

use std::rc::Rc;

use super::denied::{Named, Stop};
use super::facts::TokenReport;
use super::resources::{Gate, Request};
use super::scope::RequestScope;
use crate::caller::cache::{Known, Look, Place};
use crate::caller::principal::{Caller, Principal};
use crate::policy::rule::{Auth, Rule};
use crate::reason::Reason;
use crate::request::token_source::{self, Found};
use crate::template::Template;
use crate::verify::provider::Bind;
use crate::verify::{Failure, Verifier};

impl Gate<'_> {
    /// Authenticates a request as the rule requires; `None` for a request that passes without a token. `report`: how
    /// its token was judged.
    pub(super) fn authenticate(
        &self,
        request: &Request<'_>,
        rule: &Rule,
        report: &mut TokenReport,
    ) -> Result<Option<Rc<Caller>>, Stop> {
        if rule.auth == Auth::None {
            return Ok(None);
        }
        let token = match token_source::find(request.headers, &self.policy.token) {
            Found::None if rule.auth == Auth::Optional => return Ok(None),
            Found::None => return Err(Reason::TokenMissing.into()),
            Found::Several => return Err(Reason::TokenMultiple.into()),
            Found::One(token) => token,
        };
        let caller = self.recognise(&token, request, rule, report)?;
        let provider = self.policy.providers.get(caller.claims().provider());
        // Checked on each request, because the same token may come over another connection. It is the
        // provider that accepted the token that matters: another one of its issuer may bind nothing.
        if provider.is_some_and(|provider| provider.bind == Bind::Mtls)
            && let Err(error) =
                Principal::check_binding(caller.claims(), (request.peer_certificate)())
        {
            report.error = Some(error);
            let denial = error.reason().into();
            return Err(Stop { denial, named: Some(Named::Unbound(caller)) });
        }
        Ok(Some(caller))
    }

    /// The caller of a token: from the cache, or verified now.
    fn recognise(
        &self,
        token: &[u8],
        request: &Request<'_>,
        rule: &Rule,
        report: &mut TokenReport,
    ) -> Result<Rc<Caller>, Stop> {
        if !self.cache.is_on() {
            return self.verify(token, request, rule, report, None);
        }
        let (class, providers) = (rule.provider_class, &self.policy.providers);
        match self.cache.look(token, class, providers, self.keys, request.now) {
            Known::Verified(caller) => {
                report.look = Some(Look::Hit);
                report.provider = Some(caller.claims().provider());
                Ok(caller)
            }
            Known::Refused(failure) => {
                report.look = Some(Look::NegativeHit);
                Err(refused(failure, report))
            }
            Known::Nothing(place) => {
                report.look = Some(Look::Miss);
                self.verify(token, request, rule, report, Some(place))
            }
        }
    }

    /// Verifies a token now. `place`: where the cache keeps the verdict.
    #[cold]
    fn verify(
        &self,
        token: &[u8],
        request: &Request<'_>,
        rule: &Rule,
        report: &mut TokenReport,
        place: Option<Place<'_>>,
    ) -> Result<Rc<Caller>, Stop> {
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
                return Err(refused(failure, report));
            }
        };
        let principal = accepted.value;
        let index = principal.claims().provider();
        report.provider = Some(index);
        report.attempts = accepted.attempts;
        let Some(provider) = self.policy.providers.get(index) else {
            return Err(Reason::IssuerNotAllowed.into());
        };
        let scope =
            RequestScope { gate: self, request, rule, principal: Some(&principal), body: None };
        let tags = scope.tags_where(Template::is_of_token);
        let caller = Rc::new(Caller::new(principal, tags));
        if let Some(place) = place {
            let verified = (&caller, report.attempts.as_slice());
            self.cache.verified(place, verified, provider, self.keys, request.now);
        }
        Ok(caller)
    }
}

/// The end of a request whose token was refused.
fn refused(failure: Failure, report: &mut TokenReport) -> Stop {
    let Failure { error, provider, attempts, claims } = failure;
    (report.provider, report.error, report.attempts) = (provider, Some(error), attempts);
    Stop { denial: error.reason().into(), named: claims.map(Named::Refused) }
}
