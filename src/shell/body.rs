//! A request whose body is looked at before anything of it goes on.

use std::cell::RefCell;

use super::http::Stream;
use super::state::State;
use crate::abi::{self, Action};
use crate::headers::Headers;
use crate::payload::{Check, Guard, Refusal};
use crate::reply::Recipient;
use crate::verdict::{Judgement, Verdict};

/// How much of a body is copied out of the host at once, so that the memory of the VM does not
/// grow with the body.
pub(super) const PIECE: usize = 64 << 10;

/// A body on its way, and what its headers led to.
pub struct Body {
    judgement: Judgement,
    check: Check,
    /// Kept for the form of a refusal.
    headers: Headers,
}

impl Body {
    /// Begins with a judgement that needs the body.
    pub fn new(judgement: Judgement, guard: &Guard, headers: Headers) -> Self {
        Self { judgement, check: guard.check(), headers }
    }

    fn guard<'a>(&self, state: &'a State) -> Option<&'a Guard> {
        let rule = self.judgement.rule.and_then(|index| state.policy.rules.get(index));
        rule.and_then(|rule| rule.payload.as_ref())
    }

    /// Looks at what is new. `size` is what the host holds of the body, the new piece included: it
    /// keeps what a paused request has sent, and shows it all each time. Where it shows less,
    /// something would pass unseen.
    fn feed(&mut self, state: &State, size: usize) -> Result<(), Refusal> {
        let guard = self.guard(state).ok_or(Refusal::Unseen)?;
        loop {
            let seen = usize::try_from(self.check.bytes()).unwrap_or(usize::MAX);
            let left = size.checked_sub(seen).ok_or(Refusal::Unseen)?;
            if left == 0 {
                return Ok(());
            }
            let piece = abi::buffer(abi::Buffer::Request, seen, left.min(PIECE));
            if piece.is_empty() {
                return Err(Refusal::Unseen);
            }
            self.check.feed(guard, &piece)?;
        }
    }

    /// The body is complete; its rows.
    fn finish(&mut self, state: &State) -> Result<u64, Refusal> {
        self.guard(state).map_or(Err(Refusal::Unseen), |guard| self.check.finish(guard))
    }
}

impl State {
    /// More of a body came. Whether the request may go on.
    pub fn body_grew(&self, stream: &RefCell<Stream>, size: usize, end: bool) -> Action {
        self.look(stream, end, |body| body.feed(self, size))
    }

    /// Trailers came: the body ended before them.
    pub fn body_ended(&self, stream: &RefCell<Stream>) -> Action {
        self.look(stream, true, |_| Ok(()))
    }

    fn look(
        &self,
        stream: &RefCell<Stream>,
        end: bool,
        feed: impl FnOnce(&mut Body) -> Result<(), Refusal>,
    ) -> Action {
        // Taken out while it is looked at: no borrow is held across a call to the host.
        let body = stream.borrow_mut().body.take();
        if let Some(mut body) = body {
            match feed(&mut body) {
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

    /// A response came before the body was judged. The upstream's own becomes a refusal: its
    /// headers went on, because a host does not show the body before they do. The proxy's own
    /// stay as they are, and that its buffer was too small for the body is reported as ours.
    pub fn answered_early(&self, stream: &RefCell<Stream>) {
        if stream.borrow().body.is_none() {
            return;
        }
        let details = abi::property(b"response\0code_details").unwrap_or_default();
        let refusal = match details.as_slice() {
            b"via_upstream" => Refusal::Unfinished,
            b"request_payload_too_large" => Refusal::Unbuffered,
            _ => return,
        };
        let body = stream.borrow_mut().body.take();
        let Some(mut body) = body else { return };
        if refusal == Refusal::Unfinished {
            self.conclude_body(stream, body, Err(refusal));
        } else {
            self.conclude(&mut body.judgement, Err(refusal));
            self.report(&body.judgement);
        }
    }

    fn conclude_body(&self, stream: &RefCell<Stream>, body: Body, rows: Result<u64, Refusal>) {
        let Body { mut judgement, headers, .. } = body;
        self.conclude(&mut judgement, rows);
        self.report(&judgement);
        match &judgement.verdict {
            Verdict::Deny(denial) => self.refuse(denial, &judgement, Recipient::of(&headers)),
            _ => self.allow(stream, &mut judgement),
        }
    }
}
