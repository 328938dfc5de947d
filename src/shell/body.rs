//! A request body that is judged before it goes on.

use proxy_wasm::types::BufferType;

use super::host;
use crate::body::{Check, Refusal};
use crate::gate::judged::Pending;
use crate::request::headers::Headers;

/// How much of a body is copied from the host at once, bytes, so that the memory of the VM does not grow with
/// the body.
pub const PIECE: usize = 64 << 10;

/// A body that is being judged.
pub struct Body {
    /// The request.
    pub pending: Pending,
    /// Its headers, for the form of a refusal, and to write them if they wait.
    pub headers: Headers,
    /// Whether its headers wait for the verdict.
    pub holds_head: bool,
    /// What was read of it.
    pub check: Check,
}

/// The part of a body that the host showed while the request was not judged yet.
#[derive(Clone, Copy)]
pub struct Shown {
    /// The bytes that the host holds.
    pub size: usize,
    /// Whether that is all.
    pub end: bool,
}

impl Body {
    /// A body of which nothing is read yet.
    pub fn new(pending: Pending, headers: Headers, holds_head: bool) -> Self {
        let check = pending.guard.check(&headers);
        Self { pending, headers, holds_head, check }
    }

    /// Whether the host has shown any of it.
    pub fn seen(&self) -> bool {
        self.check.bytes() > 0
    }

    /// Reads the new part. `size`: the bytes that the host holds. It keeps the body of a paused request and
    /// shows all of it each time; if it shows less, a part would pass unread.
    ///
    /// # Errors
    /// The reason to refuse the body.
    pub fn feed(&mut self, size: usize) -> Result<(), Refusal> {
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

    /// The rows of a complete body.
    ///
    /// # Errors
    /// The reason to refuse the body.
    pub fn finish(&mut self) -> Result<u64, Refusal> {
        self.check.finish(&self.pending.guard)
    }
}
