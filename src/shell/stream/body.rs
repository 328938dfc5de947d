//! The body of a request: judged piece by piece before any of it goes on.

use std::rc::Rc;

use proxy_wasm::types::Action;

use super::Stream;
use crate::body::{Refusal, UNKNOWN_ROWS};
use crate::gate::judged::Pending;
use crate::request::headers::Headers;
use crate::shell::body::{Body, Shown};
use crate::shell::host;
use crate::shell::upstream::{write_length, write_request};

impl Stream {
    /// Begins to judge the body of a request whose headers are admitted. True if the request goes on, be it
    /// only its headers.
    ///
    /// The headers wait if the configuration says that the host shows the body all the same, or if the host
    /// showed some of it while the request waited for keys: it may never show that part again.
    pub(super) fn await_body(self: &Rc<Self>, mut pending: Pending, headers: &Headers) -> bool {
        let policy = &self.worker().policy;
        let shown = {
            let mut state = self.state.borrow_mut();
            state.lease = pending.lease.take();
            state.shown.take()
        };
        let holds_head = policy.hold_head || shown.is_some();
        // Headers that have gone on can no longer be written.
        if !holds_head {
            let mut written = write_request(policy, &pending.facts, false, headers);
            if pending.may_change(policy) {
                // Its length is not known before the verdict. Without a length, the host frames the body itself.
                written = written.and_then(|()| write_length(headers, None));
            }
            if written.is_err() {
                self.refuse_unwritable(headers);
                return false;
            }
        }
        let body = Box::new(Body::new(pending, headers.clone(), holds_head));
        self.state.borrow_mut().body = Some(body);
        match shown {
            Some(Shown { size, end }) => {
                self.body_grew(size, end);
            }
            None if holds_head => self.traffic.held_heads.watch(self),
            None => return true,
        }
        self.state.borrow().allowed
    }

    /// Judges the new part of a body. `size`: the bytes that the host holds of it.
    pub fn body_grew(&self, size: usize, end: bool) -> Action {
        self.note_shown(Some(size), end);
        self.state.borrow_mut().received.shown(size);
        let action = self.look(end, |body| body.feed(size));
        if action == Action::Continue {
            self.state.borrow_mut().received.pass();
        }
        action
    }

    /// Judges a body that trailers have ended.
    pub(super) fn body_ended(&self) -> Action {
        self.note_shown(None, true);
        self.look(true, |_| Ok(()))
    }

    /// Notes how much the host shows of the body of a request that is not judged yet.
    fn note_shown(&self, size: Option<usize>, end: bool) {
        let mut state = self.state.borrow_mut();
        match &state.body {
            Some(body) if body.holds_head => self.traffic.held_heads.shown(),
            None if !state.allowed => {
                let size = size.or(state.shown.map(|shown| shown.size)).unwrap_or(0);
                state.shown = Some(Shown { size, end });
            }
            _ => {}
        }
    }

    fn look(&self, end: bool, feed: impl FnOnce(&mut Body) -> Result<(), Refusal>) -> Action {
        let body = self.state.borrow_mut().body.take();
        if let Some(mut body) = body {
            match feed(&mut body) {
                Ok(()) if !end => self.state.borrow_mut().body = Some(body),
                Ok(()) => {
                    let rows = body.finish();
                    self.conclude(body, rows);
                }
                Err(refusal) => self.conclude(body, Err(refusal)),
            }
        }
        self.state.borrow().gate()
    }

    /// Decides a request whose body has ended or is refused.
    fn conclude(&self, body: Box<Body>, rows: Result<u64, Refusal>) {
        let Body { pending, headers, holds_head, check } = *body;
        // The shape of a tensor can claim more rows than the body has bytes.
        let counted = rows.ok().filter(|rows| *rows != UNKNOWN_ROWS);
        self.state.borrow_mut().rows = counted.map(|rows| rows.min(check.bytes()));
        let mut decision = self.worker().conclude(pending, &headers, &check, rows);
        self.carry_out(&mut decision, &headers, holds_head);
    }

    /// Decides a request that was answered before its body was judged. A response of the upstream, which has
    /// received the headers, becomes a refusal. The proxy's own replies stay as they are; if its buffer was
    /// too small for the body, telemetry reports a refusal.
    pub(super) fn answered_early(&self) {
        if self.state.borrow().body.is_none() {
            return;
        }
        let details = host::property(b"response\0code_details").unwrap_or_default();
        let refusal = match details.as_slice() {
            b"via_upstream" => Refusal::Unfinished,
            b"request_payload_too_large" => Refusal::Unbuffered,
            _ => return,
        };
        let body = self.state.borrow_mut().body.take();
        let Some(body) = body else { return };
        if refusal == Refusal::Unfinished {
            self.conclude(body, Err(refusal));
        } else {
            let worker = self.worker();
            let Body { pending, headers, check, .. } = *body;
            worker.report(&worker.conclude(pending, &headers, &check, Err(refusal)));
        }
    }

    /// Whether the host has shown nothing of the body that is being judged.
    pub(super) fn awaits_first_piece(&self) -> bool {
        self.state.borrow().body.as_ref().is_some_and(|body| !body.seen())
    }

    /// Refuses a request whose body the host withholds. True if a dry run lets it pass.
    pub(super) fn refuse_withheld(&self) -> bool {
        let body = self.state.borrow_mut().body.take();
        if let Some(body) = body {
            self.conclude(body, Err(Refusal::Withheld));
        }
        self.state.borrow().allowed
    }
}
