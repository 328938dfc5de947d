//! Tokens in `sec-websocket-protocol`.

use std::borrow::Cow;

use super::parts::MALFORMED;
use crate::base64url;

/// The beginning of a prefix behind which the token is encoded once more.
const ENCODED: &[u8] = b"base64url.";

/// The token in an entry. An encoded token that cannot be decoded is malformed, but still a token.
pub(super) fn protocol<'a>(entry: &'a [u8], prefix: &str) -> Option<Cow<'a, [u8]>> {
    let token = entry.trim_ascii().strip_prefix(prefix.as_bytes())?;
    if !prefix.as_bytes().starts_with(ENCODED) {
        return Some(Cow::Borrowed(token));
    }
    Some(base64url::decode(token).map_or(Cow::Borrowed(MALFORMED), Cow::Owned))
}

/// Reads entries in their order over all lines of the header (RFC 9110 §5.3).
pub(super) struct After<'w> {
    word: &'w [u8],
    pending: bool,
}

impl<'w> After<'w> {
    pub(super) fn new(word: &'w str) -> Self {
        Self { word: word.as_bytes(), pending: false }
    }

    /// Whether the next entry is a token. A word after itself is a token as well, because servers may
    /// take either of the two for the word.
    pub(super) fn is_token(&mut self, entry: &[u8]) -> bool {
        let entry = entry.trim_ascii();
        !entry.is_empty() && std::mem::replace(&mut self.pending, entry == self.word)
    }
}
