//! The headers and trailers of a request.

use std::rc::Rc;

use proxy_wasm::types::{Action, MapType};

use super::Stream;
use crate::gate::facts::Facts;
use crate::gate::judged::{Decision, Judged};
use crate::gate::verdict::{Denial, Verdict};
use crate::keys::local::Wait;
use crate::reason::Reason;
use crate::reply::{self, Recipient, Reply};
use crate::request::headers::Headers;
use crate::shell::body::change;
use crate::shell::host;
use crate::shell::lacking::{Lacking, lacking};
use crate::shell::metering::Bill;
use crate::shell::random;
use crate::shell::upstream::{write_length, write_request};

impl Stream {
    /// Judges the request, unless it must wait. `bodyless`: it ends with its headers.
    pub fn take_headers(self: &Rc<Self>, bodyless: bool) -> Action {
        self.state.borrow_mut().bodyless = bodyless;
        let headers = request_headers();
        let owned = &self.worker().owned;
        let seen = headers.iter().next().is_some();
        let mut spoofed = owned.to_strip(&headers).peekable();
        let any = spoofed.peek().is_some();
        let strip = |name| host::header_remove(MapType::HttpRequestHeaders, name).is_ok();
        if !seen || !spoofed.all(strip) {
            self.refuse_unwritable(&headers);
        } else if any {
            self.decide(&owned.stripped(&headers), None);
        } else {
            self.decide(&headers, None);
        }
        self.state.borrow().headers_gate()
    }

    /// Judges a request again that has waited for keys. True if it may go on.
    pub fn proceed(self: &Rc<Self>, waited: Wait) -> bool {
        let headers = request_headers();
        let spoiled = self.state.borrow().spoiled;
        if spoiled {
            self.refuse_unwritable(&headers);
            return false;
        }
        self.decide(&headers, Some(waited))
    }

    /// True if the request may go on.
    fn decide(self: &Rc<Self>, headers: &Headers, waited: Option<Wait>) -> bool {
        let (worker, bodyless) = (self.worker(), self.state.borrow().bodyless);
        loop {
            let mut judged = Judged::default();
            worker.judge(headers, bodyless, &mut judged);
            if let Judged::Body(pending) = judged {
                break self.await_body(pending, headers);
            }
            let Judged::Decided(decision) = &mut judged else { break false };
            match lacking(&worker.keys, &worker.policy, decision, waited) {
                Lacking::Judge => continue,
                Lacking::Keys(wait) => {
                    if self.traffic.awaiting_keys.hold(self, wait) {
                        break false;
                    }
                }
                Lacking::Nothing(next) => decision.verdict.next_fetch(next),
            }
            self.state.borrow_mut().lease = decision.lease.take();
            break self.carry_out(decision, headers, true);
        }
    }

    /// Reports a decision and carries it out. True if the request may go on. `write`: its headers have not
    /// gone on yet.
    pub(super) fn carry_out(
        &self,
        decision: &mut Decision,
        headers: &Headers,
        write: bool,
    ) -> bool {
        let worker = self.worker();
        let allowed = match &decision.verdict {
            Verdict::Deny(_) | Verdict::Answer(_) => None,
            Verdict::Allow(_) => Some(true),
            Verdict::WouldDeny(_) => Some(false),
        };
        let mut written = match allowed.filter(|_| write) {
            Some(allowed) => write_request(&worker.policy, &decision.facts, allowed, headers),
            None => Ok(()),
        };
        if let Some(edit) = &decision.edit {
            if write {
                written = written.and_then(|()| write_length(headers, Some(edit.new_size())));
            }
            written = written.and_then(|()| change(edit));
        }
        if written.is_err() {
            self.refuse_unwritable(headers);
            let mut bill = Bill::new(std::mem::take(&mut decision.charges));
            bill.withdraw();
            self.state.borrow_mut().bill = bill;
            return false;
        }
        worker.report(decision);
        let Decision { verdict, facts, charges, .. } = decision;
        match verdict {
            Verdict::Deny(denial) => {
                self.refuse(denial, facts, headers);
                false
            }
            Verdict::Answer(answer) => {
                let reply = reply::answer(*answer, &worker.policy, Recipient::of(headers));
                send(&reply, verdict.reason());
                false
            }
            Verdict::Allow(_) | Verdict::WouldDeny(_) => {
                let mut state = self.state.borrow_mut();
                state.allowed = true;
                if !charges.is_empty() {
                    state.bill = Bill::new(std::mem::take(charges));
                }
                state.received.pass();
                let rule = facts.rule.as_ref();
                state.histograms = rule.and_then(|rule| worker.telemetry.histograms(rule));
                std::mem::swap(&mut state.limits, &mut facts.limits);
                true
            }
        }
    }

    /// Refuses a request whose headers the host does not show or change as required: its
    /// `capability_restriction_config` may lack the call.
    pub(super) fn refuse_unwritable(&self, headers: &Headers) {
        let denial = Denial::from(Reason::StoreUnavailable);
        self.worker().report(&Verdict::Deny(denial.clone()).into());
        self.refuse(&denial, &Facts::default(), headers);
    }

    fn refuse(&self, denial: &Denial, facts: &Facts, headers: &Headers) {
        let (policy, recipient) = (&self.worker().policy, Recipient::of(headers));
        send(&reply::compose(denial, facts, policy, recipient, random::number()), denial.reason);
    }

    /// Removes the trailers that may not come late, and judges the body, which ended before them. `count`:
    /// the trailers that the host has. If it does not show or remove them, the request does not pass.
    pub fn take_trailers(self: &Rc<Self>, count: usize) -> Action {
        let trailers = Headers::from_buffer(host::header_pairs(MapType::HttpRequestTrailers));
        let seen = count == 0 || trailers.iter().next().is_some();
        let mut late = self.worker().owned.to_strip_late(&trailers);
        let strip = |name| host::header_remove(MapType::HttpRequestTrailers, name).is_ok();
        if !seen || !late.all(strip) {
            self.spoil();
        }
        self.body_ended()
    }

    /// Refuses a request whose trailers the host does not show or change as required. A waiting request is
    /// refused when its wait ends, and an answered one needs no second reply.
    fn spoil(&self) {
        let passing = {
            let mut state = self.state.borrow_mut();
            state.spoiled = true;
            state.bill.fail();
            let judged = state.body.take().is_some();
            std::mem::take(&mut state.allowed) || judged
        };
        if passing {
            self.refuse_unwritable(&request_headers());
        }
    }
}

fn request_headers() -> Headers {
    Headers::from_buffer(host::header_pairs(MapType::HttpRequestHeaders))
}

/// Sends a local reply. If the host refuses it, the request stays paused.
fn send(reply: &Reply, reason: Reason) {
    let _ = host::send_reply(
        reply.status,
        format!("tollgate_{}", reason.as_str()).as_bytes(),
        Headers::from_pairs(&reply.headers).as_bytes(),
        &reply.body,
        reply.grpc_status,
    );
}
