//! One per request: gathers the headers, lets the core decide, applies what it said.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::root;
use super::state::State;
use super::waiting::Lacking;
use crate::abi::{self, Map};
use crate::concurrency::Lease;
use crate::headers::Headers;
use crate::quota_plan::ResponseCharge;
use crate::reason::Reason;
use crate::reply::{self, Caller, Reply};
use crate::verdict::Verdict;

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
    allowed: bool,
    /// Fields for the response of a request that passed.
    response_fields: Vec<(&'static str, String)>,
    /// The place in flight that it holds.
    lease: Option<Lease>,
    /// What its response will be charged.
    charges: Vec<ResponseCharge>,
    /// What the response named for each charge, in their order, as far as it was read.
    response_costs: Vec<Option<u64>>,
}

impl Http {
    /// A context for a new stream.
    pub fn new(context: u32, state: Rc<State>) -> Self {
        Self { context, state, stream: Rc::default() }
    }

    /// Nothing of a request goes on before it passed, whatever the host calls first.
    fn gate(&self) -> Action {
        if self.stream.borrow().allowed { Action::Continue } else { Action::Pause }
    }
}

/// The host deletes a stream's context once, however the stream ended: answered, reset, timed out,
/// refused. Only a VM that dies deletes nothing, and its places in flight expire.
impl Drop for Http {
    fn drop(&mut self) {
        let Stream { lease, charges, response_costs, .. } = self.stream.take();
        if lease.is_some() || !charges.is_empty() {
            self.state.settle(lease, &charges, &response_costs);
        }
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let headers = Headers::from_buffer(abi::header_pairs(Map::Request));
        for name in self.state.owned.to_strip(&headers) {
            let _ = abi::header_remove(Map::Request, name);
        }
        if !self.state.decide(&headers, self.context, &self.stream, None)
            && self.state.waiting.any()
        {
            root::tick_soon();
        }
        self.gate()
    }

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.gate()
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.gate()
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        let fields = std::mem::take(&mut self.stream.borrow_mut().response_fields);
        for (name, value) in fields {
            let _ = abi::header_replace(Map::Response, name.as_bytes(), value.as_bytes());
        }
        Action::Continue
    }
}

impl State {
    /// Judges a request that has waited. True when it may go on.
    pub fn proceed(
        &self,
        context: u32,
        stream: &Rc<RefCell<Stream>>,
        deadline: Option<u64>,
    ) -> bool {
        let headers = Headers::from_buffer(abi::header_pairs(Map::Request));
        self.decide(&headers, context, stream, deadline)
    }

    fn decide(
        &self,
        headers: &Headers,
        context: u32,
        stream: &Rc<RefCell<Stream>>,
        deadline: Option<u64>,
    ) -> bool {
        let mut judgement = self.judge(headers);
        match self.hold(&judgement, context, stream, deadline) {
            Lacking::Held => return false,
            Lacking::Judge => judgement = self.judge(headers),
            Lacking::Stands => {}
        }
        self.report(&judgement);
        let caller = Caller::of(headers);
        match &judgement.verdict {
            Verdict::Deny(denial) => {
                let reply = reply::compose(denial, &judgement.limits, &self.policy, caller);
                send(&reply, denial.reason);
                false
            }
            Verdict::Answer(answer) => {
                let reply = reply::answer(*answer, &self.policy, caller);
                send(&reply, judgement.verdict.reason());
                false
            }
            Verdict::Allow(_) | Verdict::WouldDeny(_) => {
                self.write_request(&judgement, headers);
                let mut stream = stream.borrow_mut();
                stream.allowed = true;
                stream.lease = judgement.lease.take();
                stream.charges = std::mem::take(&mut judgement.charges);
                stream.response_fields = reply::rate_limit_fields(&judgement.limits, &self.policy);
                true
            }
        }
    }
}

/// Answers the request ourselves. A host that cannot leaves it paused: it does not pass.
fn send(reply: &Reply, reason: Reason) {
    let _ = abi::send_reply(
        reply.status,
        format!("tollgate_{}", reason.as_str()).as_bytes(),
        Headers::from_pairs(&reply.headers).as_bytes(),
        reply.body.as_bytes(),
        reply.grpc_status,
    );
}
