//! Judges the headers of a request: runs the stages in order.

use std::rc::Rc;

use super::denied::Stop;
use super::facts::Facts;
use super::judged::{Decision, Judged, Pending};
use super::resources::{Gate, Request};
use super::scope::RequestScope;
use super::verdict::{Denial, OwnAnswer, Verdict};
use crate::caller::principal::Caller;
use crate::few::Few;
use crate::limit::concurrency::Lease;
use crate::limit::plan::Planned;
use crate::policy::choice::{Choice, choose};
use crate::policy::rule::Rule;
use crate::reason::Reason;
use crate::request::headers::Headers;
use crate::request::host::Authority;
use crate::request::line::RequestLine;
use crate::request::method::echoes;
use crate::request::path;
use crate::template::Template;

/// A request that no stage has refused.
enum Admitted {
    /// The filter answers it itself.
    Answer(OwnAnswer),
    /// It has taken this place in flight and these tokens.
    Request(Option<Lease>, Few<Planned>),
}

impl Gate<'_> {
    /// Judges a request by its headers: path, rule, token, grants, tags, limits, in this order. If the rule
    /// guards the body, the body decides.
    ///
    /// The headers of a guarded request take from the limits here, too, before they may go on: their cost,
    /// or one token if the rows of the body are the cost. A body that is refused later returns nothing. The
    /// upstream may have acted on the headers by then, so all headers that it receives must have cost a
    /// token: otherwise, malformed bodies would make it act without end. Only a limit whose key is in the body
    /// waits for it, and so does `allow[].body`.
    pub fn judge(&self, request: &Request<'_>) -> Judged {
        let mut decision = Decision::from(Verdict::Allow(Reason::Anonymous));
        let Decision { verdict, facts, .. } = &mut decision;
        let admitted = self.admit(request, facts);
        if let (Some(rule), None) = (&facts.rule, &facts.caller) {
            let scope = RequestScope { gate: self, request, rule, principal: None, body: None };
            facts.match_tags = scope.tags_where(Template::is_of_match);
        }
        match admitted {
            Ok(Admitted::Request(lease, plan)) => {
                // A request that ended with its headers has no body to wait for.
                let guard = facts.rule.as_ref().and_then(|rule| rule.payload.as_ref());
                if let Some(guard) = guard.filter(|_| !request.bodyless) {
                    let guard = Rc::clone(guard);
                    return Judged::Body(Pending { facts: decision.facts, lease, guard, plan });
                }
                decision.pass(plan, lease);
            }
            Ok(Admitted::Answer(answer)) => *verdict = Verdict::Answer(answer),
            Err(stop) => self.stop(request, stop, &mut decision),
        }
        Judged::Decided(decision)
    }

    /// Decides on a request that a stage has refused.
    #[cold]
    fn stop(&self, request: &Request<'_>, stop: Stop, decision: &mut Decision) {
        let Stop { denial, named } = stop;
        decision.verdict = self.refusal(denial, &decision.facts);
        if let (Verdict::Deny(_), Some(rule), Some(named)) =
            (&decision.verdict, &decision.facts.rule, named)
        {
            decision.denied_tags = self.tags_of_refused(request, rule, &named);
            // They include those of the match.
            decision.facts.match_tags.clear();
        }
    }

    /// The verdict on a request that is refused: a dry run only reports it.
    pub(super) fn refusal(&self, denial: Denial, facts: &Facts) -> Verdict {
        match facts.is_dry(self.policy) {
            true => Verdict::WouldDeny(denial),
            false => Verdict::Deny(denial),
        }
    }

    /// Runs the stages in order and keeps their findings, up to the stage that refuses the request.
    fn admit(&self, request: &Request<'_>, facts: &mut Facts) -> Result<Admitted, Stop> {
        let whole = request.headers.value(":path");
        let flawed = path::ambiguous_but_for_slashes;
        if self.policy.reject_ambiguous_paths && whole.is_some_and(flawed) {
            return Err(Reason::PathAmbiguous.into());
        }
        let authority = authority(request.headers)?;
        let path = whole.map(path::without_query);
        if let Some(answer) = self.answer(request.headers, path) {
            if matches!(answer, OwnAnswer::ResourceMetadata(_)) {
                self.limit_metadata(request, facts)?;
            }
            return Ok(Admitted::Answer(answer));
        }
        let method = request.headers.value(":method").unwrap_or_default();
        let line = RequestLine { authority, path, method, headers: request.headers };
        let rule = self.find_rule(&line)?;
        facts.rule = Some(Rc::clone(rule));
        if path.is_some_and(|path| rule.matcher.has_ambiguous_segment(path)) {
            return Err(Reason::PathAmbiguous.into());
        }
        if !rule.admits_method(method) {
            return Err(Reason::MethodNotAllowed.into());
        }
        let cost = rule.cost.of_headers(request.headers);
        facts.cost = Some(cost);
        facts.caller = self.authenticate(request, rule, &mut facts.token)?;
        let principal = facts.caller.as_deref().map(Caller::principal);
        let scope = RequestScope { gate: self, request, rule, principal, body: None };
        if let Some(principal) = principal {
            // The log names a verified caller whom a later stage refuses.
            facts.own_tags = scope.tags();
            if let Some(entries) = &rule.allow {
                let unmet = |unmet| Denial::of_unmet(unmet, entries);
                principal.check_grants(rule.position, entries).map_err(unmet)?;
                if request.bodyless {
                    scope.admit_body()?;
                }
            }
        }
        if let Some(guard) = &rule.payload
            && let Err(refusal) = guard.admit(request.headers, request.bodyless)
        {
            facts.refusal = Some(refusal);
            return Err(refusal.reason().into());
        }
        let lease = self.occupy(&scope, &mut facts.store)?;
        let mut plan = scope.plan(cost);
        if let Err(denial) = self.take(&mut plan, request.clock, facts) {
            self.vacate(lease, request.clock, &mut facts.store);
            return Err(denial.into());
        }
        Ok(Admitted::Request(lease, plan))
    }

    /// The answer to a preflight or a request for metadata. It needs no token: browsers send none with a
    /// preflight, and a client that reads the metadata has none yet.
    fn answer(&self, headers: &Headers, path: Option<&[u8]>) -> Option<OwnAnswer> {
        let responses = &self.policy.responses;
        let method = headers.value(":method").unwrap_or_default();
        if matches!(method, b"GET" | b"HEAD" | b"OPTIONS")
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

    fn find_rule(&self, line: &RequestLine<'_>) -> Result<&Rc<Rule>, Reason> {
        match choose(&self.policy.rules, line, self.policy.reject_ambiguous_paths) {
            Choice::One(rule) => Ok(rule),
            Choice::None if echoes(line.method) => Err(Reason::MethodNotAllowed),
            Choice::None => Err(Reason::NoRule),
            Choice::Ambiguous(part) => Err(part.into()),
        }
    }
}

/// The authority of a request; `None` if it has none, which opens no rule.
fn authority(headers: &Headers) -> Result<Option<Authority<'_>>, Reason> {
    match headers.value(":authority").filter(|whole| !whole.is_empty()) {
        None => Ok(None),
        Some(whole) => match Authority::parse(whole) {
            None => Err(Reason::HostAmbiguous),
            authority => Ok(authority),
        },
    }
}
