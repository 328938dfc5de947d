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
use crate::policy::choice::{Choice, choose};
use crate::policy::rule::Rule;
use crate::reason::Reason;
use crate::request::headers::Headers;
use crate::request::host::Authority;
use crate::request::line::RequestLine;
use crate::request::method::echoes;
use crate::request::path;
use crate::template::Template;

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
        let mut judged = Judged::default();
        self.judge_to(request, &mut judged);
        judged
    }

    /// [`Gate::judge`], where the result stays: it is large. `judged` is the default.
    pub fn judge_to(&self, request: &Request<'_>, judged: &mut Judged) {
        let Judged::Decided(decision) = judged else { return };
        let admitted = self.admit(request, decision);
        let facts = &mut decision.facts;
        if let (Some(rule), None) = (&facts.rule, &facts.caller) {
            let scope = RequestScope { gate: self, request, rule, principal: None, body: None };
            facts.match_tags = scope.tags_where(Template::is_of_match);
        }
        match admitted {
            Ok(Some(answer)) => decision.verdict = Verdict::Answer(answer),
            Ok(None) => {
                // A request that ended with its headers has no body to wait for.
                let guard = facts.rule.as_ref().and_then(|rule| rule.payload.as_ref());
                match guard.filter(|_| !request.bodyless).cloned() {
                    Some(guard) => *judged = Judged::Body(Pending::of(decision, guard)),
                    None => decision.pass(),
                }
            }
            Err(stop) => self.stop(request, stop, decision),
        }
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

    /// Runs the stages in order and keeps their findings, up to the stage that refuses the request. Returns the
    /// answer to a request that the filter answers itself; any other has taken a place in flight and its tokens.
    fn admit(
        &self,
        request: &Request<'_>,
        decision: &mut Decision,
    ) -> Result<Option<OwnAnswer>, Stop> {
        let Decision { facts, charges, lease, .. } = decision;
        let whole = request.headers.value(":path");
        let flawed = path::ambiguous_but_for_slashes;
        if self.policy.reject_ambiguous_paths && whole.is_some_and(flawed) {
            return Err(Reason::PathAmbiguous.into());
        }
        let authority = authority(request.headers)?;
        let path = whole.map(path::without_query);
        let method = request.headers.value(":method").unwrap_or_default();
        if let Some(answer) = self.answer(request.headers, method, path) {
            if matches!(answer, OwnAnswer::ResourceMetadata(_)) {
                self.limit_metadata(request, facts)?;
            }
            return Ok(Some(answer));
        }
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
        *lease = self.occupy(&scope, &mut facts.store)?;
        *charges = scope.plan(cost);
        if let Err(denial) = self.take(charges, request.clock, facts) {
            *charges = Few::default();
            self.vacate(lease.take(), request.clock, &mut facts.store);
            return Err(denial.into());
        }
        Ok(None)
    }

    /// The answer to a preflight or a request for metadata. It needs no token: browsers send none with a
    /// preflight, and a client that reads the metadata has none yet.
    fn answer(&self, headers: &Headers, method: &[u8], path: Option<&[u8]>) -> Option<OwnAnswer> {
        let responses = &self.policy.responses;
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
