//! A request whose body is looked at before anything of it goes on.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::types::{Action, BufferType};

use super::host;
use super::http::Stream;
use super::worker::State;
use crate::body::{Check, Refusal};
use crate::gate::judged::Pending;
use crate::request::headers::Headers;

/// How much of a body is copied out of the host at once, so that the memory of the VM does not
/// grow with the body.
pub(super) const PIECE: usize = 64 << 10;

/// A body that is being judged.
pub struct Body {
    pending: Pending,
    check: Check,
    /// For the form of a refusal, and to write headers that wait.
    headers: Headers,
    /// Whether the headers wait for the verdict.
    holds_head: bool,
}

/// What a host showed of a body while its headers were not judged yet.
#[derive(Clone, Copy)]
pub struct Shown {
    /// How much of it the host holds, bytes.
    size: usize,
    /// Whether that is all.
    end: bool,
}

impl Body {
    /// Whether the head waits for the verdict on the body.
    pub fn holds_head(&self) -> bool {
        self.holds_head
    }

    /// Whether the host has shown any of it.
    pub fn seen(&self) -> bool {
        self.check.bytes() > 0
    }

    /// Looks at what is new. `size` is what the host holds of the body, the new piece included: it
    /// keeps what a paused request has sent, and shows it all each time. Where it shows less,
    /// something would pass unseen.
    fn feed(&mut self, size: usize) -> Result<(), Refusal> {
        loop {
            let seen = usize::try_from(self.check.bytes()).unwrap_or(usize::MAX);
            let left = size.checked_sub(seen).ok_or(Refusal::Unseen)?;
            if left == 0 {
                return Ok(());
            }
            let piece = host::buffer(BufferType::HttpRequestBody, seen, left.min(PIECE));
            if piece.is_empty() {
                return Err(Refusal::Unseen);
            }
            self.check.feed(&self.pending.guard, &piece)?;
        }
    }

    /// The body is complete; its rows.
    fn finish(&mut self) -> Result<u64, Refusal> {
        self.check.finish(&self.pending.guard)
    }
}

impl State {
    /// A request passed by its headers, and its body has the last word. True when the request goes
    /// on, be it its head alone.
    ///
    /// The head waits where the configuration says that the host shows the body all the same, and
    /// where the host has just done so: while the request waited for keys, it showed what may never
    /// be shown again.
    pub(super) fn await_body(
        &self,
        mut pending: Pending,
        headers: &Headers,
        context: u32,
        stream: &Rc<RefCell<Stream>>,
    ) -> bool {
        // The stream holds its place from now on, whatever else comes.
        stream.borrow_mut().lease = pending.lease.take();
        let shown = stream.borrow_mut().shown.take();
        let holds_head = self.policy.hold_head || shown.is_some();
        // Headers that have gone on can no longer be written.
        if !holds_head && self.write_request(&pending.facts, false, headers).is_err() {
            self.refuse_unwritable(headers);
            return false;
        }
        let check = pending.guard.check(headers);
        let body = Body { pending, check, headers: headers.clone(), holds_head };
        stream.borrow_mut().body = Some(body);
        match shown {
            Some(Shown { size, end }) => {
                self.body_grew(stream, size, end);
            }
            None if holds_head => self.watch_held(context, stream),
            None => return true,
        }
        stream.borrow().allowed
    }

    /// More of a body came. Whether the request may go on.
    pub fn body_grew(&self, stream: &RefCell<Stream>, size: usize, end: bool) -> Action {
        self.note_shown(stream, Some(size), end);
        self.look(stream, end, |body| body.feed(size))
    }

    /// Trailers came: the body ended before them.
    pub fn body_ended(&self, stream: &RefCell<Stream>) -> Action {
        self.note_shown(stream, None, true);
        self.look(stream, true, |_| Ok(()))
    }

    /// Notes what the host shows of the body of a request that is not judged yet.
    fn note_shown(&self, stream: &RefCell<Stream>, size: Option<usize>, end: bool) {
        let mut stream = stream.borrow_mut();
        match &stream.body {
            Some(body) if body.holds_head => self.holding.shown(),
            None if !stream.allowed => {
                let size = size.or(stream.shown.map(|shown| shown.size)).unwrap_or(0);
                stream.shown = Some(Shown { size, end });
            }
            _ => {}
        }
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
                    let rows = body.finish();
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
        let details = host::property(b"response\0code_details").unwrap_or_default();
        let refusal = match details.as_slice() {
            b"via_upstream" => Refusal::Unfinished,
            b"request_payload_too_large" => Refusal::Unbuffered,
            _ => return,
        };
        let body = stream.borrow_mut().body.take();
        let Some(body) = body else { return };
        if refusal == Refusal::Unfinished {
            self.conclude_body(stream, body, Err(refusal));
        } else {
            self.report(&self.conclude(body.pending, Err(refusal)));
        }
    }

    pub(super) fn conclude_body(
        &self,
        stream: &RefCell<Stream>,
        body: Body,
        rows: Result<u64, Refusal>,
    ) {
        let Body { pending, headers, holds_head, .. } = body;
        let decision = self.conclude(pending, rows);
        self.carry_out(decision, &headers, holds_head, stream);
    }
}
