//! A request body that is judged before it goes on.

use proxy_wasm::types::BufferType;

use super::host::{self, HostError};
use crate::body::{Check, Edit, Refusal};
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

/// Changes the body that the host holds. The host replaces bytes at the beginning of a body and adds some to its end,
/// and nothing else: to change a part that is farther in, all of the body moves from the beginning to the end, piece by
/// piece.
///
/// # Errors
/// The first call that the host refuses. Such a body must not pass, because it may have lost a part.
pub fn change(edit: &Edit) -> Result<(), HostError> {
    let number = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let (start, end, size) = (number(edit.place.start), number(edit.place.end), number(edit.size));
    if end <= PIECE {
        let mut beginning = piece(start)?;
        beginning.extend_from_slice(edit.text.as_bytes());
        return host::replace_beginning(BODY, end, &beginning);
    }
    advance(start)?;
    host::replace_beginning(BODY, end.saturating_sub(start), &[])?;
    host::append(BODY, edit.text.as_bytes())?;
    advance(size.saturating_sub(end))
}

const BODY: BufferType = BufferType::HttpRequestBody;

/// Moves so many bytes from the beginning of the body to its end.
fn advance(mut left: usize) -> Result<(), HostError> {
    while left > 0 {
        let piece = piece(left.min(PIECE))?;
        host::replace_beginning(BODY, piece.len(), &[])?;
        host::append(BODY, &piece)?;
        left = left.saturating_sub(piece.len());
    }
    Ok(())
}

/// The first bytes of the body.
fn piece(length: usize) -> Result<Vec<u8>, HostError> {
    if length == 0 {
        return Ok(Vec::new());
    }
    let piece = host::buffer(BODY, 0, length);
    if piece.len() == length { Ok(piece) } else { Err(HostError::SHORT) }
}
