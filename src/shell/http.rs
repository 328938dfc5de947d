//! One per request: gathers the headers, lets the core decide, applies what it said.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType};

use super::body::{Body, Shown};
use super::held::keys::Lacking;
use super::host;
use super::metering::Bill;
use super::worker::State;
use crate::gate::judged::{Decision, Judged};
use crate::gate::verdict::{Denial, LimitReport, Verdict};
use crate::keys::local::Wait;
use crate::limit::concurrency::Lease;
use crate::reason::Reason;
use crate::reply::{self, Recipient, Reply};
use crate::request::headers::Headers;

/// The context of one stream.
pub struct Http {
    context: u32,
    state: Rc<State>,
    stream: Rc<RefCell<Stream>>,
}

/// What is known of a stream between its callbacks, and while it waits outside of them.
#[derive(Default)]
pub struct Stream {
    /// The request passed.
    pub(super) allowed: bool,
    /// It has trailers that had to go and did not.
    spoiled: bool,
    /// The request ended with its headers.
    bodyless: bool,
    /// The body that is judged before the request passes.
    pub body: Option<Body>,
    /// What the host showed of the body before the headers were judged.
    pub shown: Option<Shown>,
    /// Fields for the response of a request that passed.
    response_fields: Vec<(&'static str, String)>,
    /// The place in flight that it holds.
    pub(super) lease: Option<Lease>,
    /// What its response is charged.
    pub bill: Bill,
}

impl Stream {
    /// Holds the request until it is allowed, in whatever order the host calls back.
    pub fn gate(&self) -> Action {
        if self.allowed { Action::Continue } else { Action::Pause }
    }

    /// Whether the headers may go on. Unless it is told to, a host shows nothing of a body before its
    /// headers went on (proxy-wasm-cpp-host #143), so those of a request that passed by them do.
    fn headers_gate(&self) -> Action {
        let waits_alone = self.body.as_ref().is_some_and(|body| !body.holds_head());
        if waits_alone { Action::Continue } else { self.gate() }
    }
}

impl Http {
    /// A context for a new stream.
    pub fn new(context: u32, state: Rc<State>) -> Self {
        Self { context, state, stream: Rc::default() }
    }
}

impl Context for Http {}

impl HttpContext for Http {
    /// Judges the request, unless it must wait. `end`: it has no body.
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        self.stream.borrow_mut().bodyless = end;
        let headers = Headers::from_buffer(host::header_pairs(MapType::HttpRequestHeaders));
        let owned = &self.state.owned;
        let seen = headers.iter().next().is_some();
        let mut spoofed = owned.to_strip(&headers).peekable();
        let any = spoofed.peek().is_some();
        if !seen
            || !spoofed.all(|name| host::header_remove(MapType::HttpRequestHeaders, name).is_ok())
        {
            self.state.refuse_unwritable(&headers);
        } else if any {
            let stripped = owned.stripped(&headers);
            self.state.decide(&stripped, self.context, &self.stream, None);
        } else {
            self.state.decide(&headers, self.context, &self.stream, None);
        }
        self.stream.borrow().headers_gate()
    }

    /// Judges the body where a rule asks for it. `size`: what the host holds of it.
    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        self.state.body_grew(&self.stream, size, end)
    }

    /// Removes the trailers that may not come late, and judges the body, which ended before them.
    /// `count`: how many the host has. Where it does not show or remove them, nothing passes.
    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        let trailers = Headers::from_buffer(host::header_pairs(MapType::HttpRequestTrailers));
        let seen = count == 0 || trailers.iter().next().is_some();
        let mut late = self.state.owned.to_strip_late(&trailers);
        if !seen
            || !late.all(|name| host::header_remove(MapType::HttpRequestTrailers, name).is_ok())
        {
            self.state.spoil(&self.stream);
        }
        self.state.body_ended(&self.stream)
    }

    /// Adds the fields of the limits to the response of a request that passed.
    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.state.answered_early(&self.stream);
        let fields = std::mem::take(&mut self.stream.borrow_mut().response_fields);
        for (name, value) in fields {
            let _ = host::header_replace(
                MapType::HttpResponseHeaders,
                name.as_bytes(),
                value.as_bytes(),
            );
        }
        self.state.begin_metering(&self.stream);
        Action::Continue
    }

    /// Reads what a response costs that is charged for. `size`: what the host holds of its body.
    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        self.state.meter(&self.stream, size, end);
        Action::Continue
    }
}

/// The host deletes a stream's context once, however the stream ended: answered, reset, timed out,
/// refused. Only a VM that dies deletes nothing, and its places in flight expire.
impl Drop for Http {
    fn drop(&mut self) {
        let Stream { lease, bill, .. } = self.stream.take();
        if let Some(lease) = lease {
            self.state.release(lease);
        }
        if !bill.is_empty() {
            self.state.settle_bill(bill);
        }
    }
}

impl State {
    /// Judges a request that has waited. True when it may go on.
    pub fn proceed(
        &self,
        context: u32,
        stream: &Rc<RefCell<Stream>>,
        waited: Option<Wait>,
    ) -> bool {
        let headers = Headers::from_buffer(host::header_pairs(MapType::HttpRequestHeaders));
        if stream.borrow().spoiled {
            self.refuse_unwritable(&headers);
            return false;
        }
        self.decide(&headers, context, stream, waited)
    }

    fn decide(
        &self,
        headers: &Headers,
        context: u32,
        stream: &Rc<RefCell<Stream>>,
        waited: Option<Wait>,
    ) -> bool {
        let bodyless = stream.borrow().bodyless;
        let mut decision = loop {
            let decision = match self.judge(headers, bodyless) {
                Judged::Body(pending) => {
                    return self.await_body(pending, headers, context, stream);
                }
                Judged::Decided(decision) => decision,
            };
            match self.hold(&decision, context, stream, waited) {
                Lacking::Judge => {}
                Lacking::Held => return false,
                Lacking::Stands => break decision,
            }
        };
        // The stream holds its place from now on, whatever else comes.
        stream.borrow_mut().lease = decision.lease.take();
        self.carry_out(decision, headers, true, stream)
    }

    /// Reports a decision and carries it out. True when the request may go on. `write`: the headers are
    /// still here to be written.
    pub(super) fn carry_out(
        &self,
        decision: Decision,
        headers: &Headers,
        write: bool,
        stream: &RefCell<Stream>,
    ) -> bool {
        let allowed = match &decision.verdict {
            Verdict::Deny(_) | Verdict::Answer(_) => None,
            Verdict::Allow(_) => Some(true),
            Verdict::WouldDeny(_) => Some(false),
        };
        if let Some(allowed) = allowed.filter(|_| write)
            && self.write_request(&decision.facts, allowed, headers).is_err()
        {
            self.refuse_unwritable(headers);
            return false;
        }
        self.report(&decision);
        let Decision { verdict, facts, charges, .. } = decision;
        match &verdict {
            Verdict::Deny(denial) => {
                self.refuse(denial, &facts.limits, headers);
                false
            }
            Verdict::Answer(answer) => {
                let reply = reply::answer(*answer, &self.policy, Recipient::of(headers));
                send(&reply, verdict.reason());
                false
            }
            Verdict::Allow(_) | Verdict::WouldDeny(_) => {
                let mut stream = stream.borrow_mut();
                stream.allowed = true;
                stream.bill = Bill::new(charges);
                stream.response_fields = reply::rate_limit_fields(&facts.limits, &self.policy);
                true
            }
        }
    }

    /// Refuses a request whose headers the host does not show, or does not change as they must be:
    /// its `capability_restriction_config` may lack the call.
    pub(super) fn refuse_unwritable(&self, headers: &Headers) {
        let denial = Denial::from(Reason::StoreUnavailable);
        self.report(&Decision::from(denial.clone()));
        self.refuse(&denial, &[], headers);
    }

    /// Ends a request whose trailers the host does not show or does not change as they must be. One
    /// that waits is refused when its wait is over, and one that was answered needs no second reply.
    fn spoil(&self, stream: &RefCell<Stream>) {
        let passing = {
            let mut stream = stream.borrow_mut();
            stream.spoiled = true;
            let judged = stream.body.take().is_some();
            std::mem::take(&mut stream.allowed) || judged
        };
        if passing {
            self.refuse_unwritable(&Headers::from_buffer(host::header_pairs(
                MapType::HttpRequestHeaders,
            )));
        }
    }

    /// Refuses a request in place of the upstream.
    fn refuse(&self, denial: &Denial, limits: &[LimitReport], headers: &Headers) {
        let reply = reply::compose(denial, limits, &self.policy, Recipient::of(headers));
        send(&reply, denial.reason);
    }
}

/// Answers the request ourselves. A host that cannot leaves it paused: it does not pass.
fn send(reply: &Reply, reason: Reason) {
    let _ = host::send_reply(
        reply.status,
        format!("tollgate_{}", reason.as_str()).as_bytes(),
        Headers::from_pairs(&reply.headers).as_bytes(),
        reply.body.as_bytes(),
        reply.grpc_status,
    );
}
