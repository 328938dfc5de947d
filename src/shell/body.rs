//! A request whose body is looked at before anything of it goes on.

use std::cell::RefCell;

use proxy_wasm::types::Action;

use super::http::Stream;
use super::state::State;
use crate::abi;
use crate::payload::{Check, Guard, Refusal};
use crate::verdict::{Judgement, Verdict};

/// How much of a body is copied out of the host at once, so that the memory of the VM does not
/// grow with the body.
const PIECE: usize = 64 << 10;

/// A body on its way, and what its headers led to.
pub struct Body {
    judgement: Judgement,
    check: Check,
    grpc: bool,
}

impl Body {
    /// Begins with a judgement that needs the body.
    pub fn new(judgement: Judgement, guard: &Guard, grpc: bool) -> Self {
        Self { judgement, check: guard.check(), grpc }
    }

    fn guard<'a>(&self, state: &'a State) -> Option<&'a Guard> {
        let rule = self.judgement.rule.and_then(|index| state.policy.rules.get(index));
        rule.and_then(|rule| rule.payload.as_ref())
    }

    /// Looks at the next piece. `size` is what the host holds of the body, the new piece included.
    fn feed(&mut self, state: &State, size: usize) -> Result<(), Refusal> {
        let Some(guard) = self.guard(state) else { return Err(Refusal::Unfinished) };
        log::info!(
            "XX body size={size} seen={} b0={}",
            self.check.bytes(),
            abi::request_body(0, 1 << 30).len()
        );
        loop {
            let seen = usize::try_from(self.check.bytes()).unwrap_or(usize::MAX);
            let piece = abi::request_body(seen, size.saturating_sub(seen).min(PIECE));
            if piece.is_empty() {
                return Ok(());
            }
            self.check.feed(guard, &piece)?;
        }
    }

    /// The body is complete; its rows.
    fn finish(&mut self, state: &State) -> Result<u64, Refusal> {
        self.guard(state).map_or(Err(Refusal::Unfinished), |guard| self.check.finish(guard))
    }
}

impl State {
    /// More of a body came. Whether the request may go on.
    pub fn body_grew(&self, stream: &RefCell<Stream>, size: usize, end: bool) -> Action {
        // Taken out while it is looked at: no borrow is held across a call to the host.
        let body = stream.borrow_mut().body.take();
        if let Some(mut body) = body {
            match body.feed(self, size) {
                Ok(()) if !end => stream.borrow_mut().body = Some(body),
                Ok(()) => {
                    let rows = body.finish(self);
                    self.conclude_body(stream, body, rows);
                }
                Err(refusal) => self.conclude_body(stream, body, Err(refusal)),
            }
        }
        stream.borrow().gate()
    }

    /// The upstream answered a request whose body was never judged: its headers went on, because a
    /// host does not show the body before they do. The caller gets a refusal instead.
    pub fn answered_early(&self, stream: &RefCell<Stream>) {
        // Replies of the proxy itself come this way, too, and stay as they are.
        if stream.borrow().body.is_none()
            || abi::property(b"response\0code_details").as_deref() != Some(b"via_upstream")
        {
            return;
        }
        let body = stream.borrow_mut().body.take();
        if let Some(body) = body {
            self.conclude_body(stream, body, Err(Refusal::Unfinished));
        }
    }

    fn conclude_body(&self, stream: &RefCell<Stream>, body: Body, rows: Result<u64, Refusal>) {
        let Body { mut judgement, grpc, .. } = body;
        self.conclude(&mut judgement, rows);
        self.report(&judgement);
        match &judgement.verdict {
            Verdict::Deny(denial) => self.refuse(denial, &judgement, grpc),
            Verdict::Allow(_) => self.allow(stream, &judgement),
        }
    }
}
