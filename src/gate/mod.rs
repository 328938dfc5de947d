//! The decision on a request, from its headers to a verdict, without a view of the host.

mod caller;
mod denied;
mod quotas;
mod scope;
pub mod verdict;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::body::Refusal;
use crate::caller::cache::TokenCache;
use crate::caller::grant;
use crate::caller::principal::Caller;
use crate::gate::verdict::{Denial, Judgement, NeedsBody, OwnAnswer, Verdict};
use crate::limit::concurrency::Concurrency;
use crate::limit::table::Table;
use crate::policy::Policy;
use crate::policy::choice::{Choice, choose};
use crate::policy::rule::Rule;
use crate::reason::Reason;
use crate::request::headers::Headers;
use crate::request::host::Authority;
use crate::request::matcher::RequestLine;
use crate::request::method::echoes;
use crate::request::path;
use crate::store::Store;
use crate::time::Moment;
use crate::verify::Keys;
use crate::verify::engine::Engine;
use quotas::charges;
use scope::RequestScope;

/// When a caller may come back after keys or store were not there: 1 s.
pub const OWN_RETRY_AFTER: Duration = Duration::from_secs(1);

/// What decisions are made with: the policy and the few things the host lends.
pub struct Gate<'a> {
    /// The compiled configuration.
    pub policy: &'a Policy,
    /// The providers' key sets as they are now.
    pub keys: &'a dyn Keys,
    /// Checks signatures.
    pub engine: &'a dyn Engine,
    /// The tokens that were verified before.
    pub cache: &'a TokenCache,
    /// The bucket table; `None` while the store could not be opened.
    pub table: Option<&'a Table>,
    /// The requests in flight; `None` while the store could not be opened, or where no rule limits
    /// them.
    pub concurrency: Option<&'a RefCell<Concurrency>>,
    /// The host's shared data.
    pub store: &'a dyn Store,
}

/// One request as it arrived.
pub struct Request<'a> {
    /// Its headers, pseudo-headers included.
    pub headers: &'a Headers,
    /// It ended with its headers.
    pub bodyless: bool,
    /// The downstream address without its port; asked only where something needs it.
    pub client_address: &'a dyn Fn() -> Option<String>,
    /// When it arrived.
    pub now: Moment,
    /// The SHA-256 of the client's certificate in hexadecimal, where it proved to hold one in a
    /// mutual TLS handshake.
    pub peer_certificate: &'a dyn Fn() -> Option<Vec<u8>>,
    /// The host's clock: buckets are judged by a moment after they were read.
    pub clock: &'a dyn Fn() -> Moment,
}

impl Gate<'_> {
    /// Judges a request: path, rule, token, grants, tags, limits, in this order. Where the rule guards
    /// the body, [`Gate::conclude`] has the last word.
    ///
    /// A guarded request, too, takes from its limits here, before its head may go on: what its
    /// headers cost, or one token where the rows of its body are the cost. A body that is refused
    /// later gives nothing back. A program behind may have acted on the head by then, and every head
    /// that it gets must have cost a token: otherwise broken bodies would reach it without end.
    pub fn judge(&self, request: &Request<'_>) -> Judgement {
        let mut judgement = Judgement::from(Verdict::Allow(Reason::Ok));
        judgement.verdict = match self.decide(request, &mut judgement) {
            Ok(verdict) => verdict,
            Err(denial) => self.refusal(denial, &judgement),
        };
        self.name_refused(request, &mut judgement);
        judgement
    }

    /// A dry run reports a refusal and does not carry it out.
    fn refusal(&self, denial: Denial, found: &Judgement) -> Verdict {
        match self.policy.dry_run || found.rule.as_ref().is_some_and(|rule| rule.dry_run) {
            true => Verdict::WouldDeny(denial),
            false => Verdict::Deny(denial),
        }
    }

    fn decide(&self, request: &Request<'_>, found: &mut Judgement) -> Result<Verdict, Denial> {
        let whole = request.headers.value(":path");
        let flawed = path::ambiguous_but_for_slashes;
        if self.policy.reject_ambiguous_paths && whole.is_some_and(flawed) {
            return Err(Reason::PathAmbiguous.into());
        }
        let authority = authority(request.headers)?;
        let path = whole.map(path::without_query);
        if let Some(answer) = self.answer(request.headers, path) {
            return Ok(Verdict::Answer(answer));
        }
        let rule = self.find_rule(request.headers, authority, path, found)?;
        let cost = rule.cost.of_headers(request.headers);
        found.cost = Some(cost);
        let caller = self.authenticate(request, rule, found)?;
        let principal = caller.as_deref().map(Caller::principal);
        let scope = RequestScope { gate: self, request, rule, principal };
        if let Some(principal) = principal {
            // Tags stand before what may still refuse, so that such a caller is named in the logs.
            found.own_tags = scope.tags();
            found.caller.clone_from(&caller);
            if let Some(entries) = &rule.allow {
                grant::judge(entries, principal.claims())?;
            }
        }
        if let Some(guard) = &rule.payload {
            guard
                .admit(request.headers, request.bodyless)
                .map_err(|refusal| refused(refusal, found))?;
        }
        found.lease = self.occupy(&scope, &mut found.store)?;
        let plan = scope.plan(cost);
        if let Err(denial) = self.take(&plan, request.clock, found) {
            self.vacate(request.clock, found);
            return Err(denial);
        }
        // A request that ended with its headers has no body to wait for.
        if rule.payload.is_some() && !request.bodyless {
            found.needs_body = Some(NeedsBody { plan });
        } else {
            found.charges = charges(plan);
        }
        Ok(passed(found))
    }

    /// Judges a request whose body was judged: its rows, or why it is refused. Takes what the rows
    /// cost beyond the token that the head took.
    pub fn conclude(
        &self,
        judgement: &mut Judgement,
        body: Result<u64, Refusal>,
        clock: &dyn Fn() -> Moment,
    ) {
        let Some(NeedsBody { mut plan }) = judgement.needs_body.take() else { return };
        let outcome = match (body, judgement.rule.clone()) {
            (Err(refusal), _) => Err(refused(refusal, judgement)),
            (Ok(_), None) => Err(Reason::NoRule.into()),
            (Ok(rows), Some(rule)) => match rule.cost.of_rows(rows) {
                Some(cost) => {
                    judgement.cost = Some(cost);
                    plan.iter_mut().for_each(|planned| planned.cost = cost);
                    self.take_rest(&plan, clock, judgement)
                }
                None => Ok(()),
            },
        };
        if outcome.is_ok() {
            judgement.charges = charges(plan);
        }
        judgement.verdict = match outcome {
            Err(denial) => self.refusal(denial, judgement),
            Ok(()) => passed(judgement),
        };
    }

    /// What is ours to answer whatever the rules say: browsers send no token with a preflight, and
    /// who looks for the metadata has none yet.
    fn answer(&self, headers: &Headers, path: Option<&[u8]>) -> Option<OwnAnswer> {
        let responses = &self.policy.responses;
        let method = headers.value(":method").unwrap_or_default();
        if matches!(method, b"GET" | b"HEAD")
            && let Some(metadata) = path.and_then(|path| responses.metadata_at(headers, path))
        {
            return Some(OwnAnswer::ResourceMetadata(metadata));
        }
        let cors = responses.cors.as_ref()?;
        let preflight = method == b"OPTIONS"
            && headers.value("access-control-request-method").is_some()
            && cors.allows(headers).is_some();
        preflight.then_some(OwnAnswer::Preflight)
    }

    fn find_rule(
        &self,
        headers: &Headers,
        authority: Option<Authority<'_>>,
        path: Option<&[u8]>,
        found: &mut Judgement,
    ) -> Result<&Rc<Rule>, Denial> {
        let method = headers.value(":method").unwrap_or_default();
        let line = RequestLine { authority, path, method, headers };
        match choose(&self.policy.rules, &line, self.policy.reject_ambiguous_paths) {
            Choice::One(rule) => {
                found.rule = Some(Rc::clone(rule));
                match rule.admits_method(method) {
                    true => Ok(rule),
                    false => Err(Reason::MethodNotAllowed.into()),
                }
            }
            Choice::None if echoes(method) => Err(Reason::MethodNotAllowed.into()),
            Choice::None => Err(Reason::NoRule.into()),
            Choice::Ambiguous(part) => Err(Reason::from(part).into()),
        }
    }
}

/// The authority of a request; `None` where it names no host, which opens no rule.
fn authority(headers: &Headers) -> Result<Option<Authority<'_>>, Denial> {
    match headers.value(":authority").filter(|whole| !whole.is_empty()) {
        None => Ok(None),
        Some(whole) => match Authority::parse(whole) {
            None => Err(Reason::HostAmbiguous.into()),
            authority => Ok(authority),
        },
    }
}

/// A request passes; a limit that is a dry run may have something to report.
fn passed(found: &Judgement) -> Verdict {
    match quotas::would_deny(&found.limits) {
        Some(denial) => Verdict::WouldDeny(denial),
        None if found.caller.is_some() => Verdict::Allow(Reason::Ok),
        None => Verdict::Allow(Reason::Anonymous),
    }
}

fn refused(refusal: Refusal, found: &mut Judgement) -> Denial {
    found.refusal = Some(refusal);
    match refusal.reason() {
        reason @ Reason::StoreUnavailable => Denial::for_now(reason, OWN_RETRY_AFTER),
        reason => reason.into(),
    }
}
