//! The body guard: whether a request's body is what its rule admits, judged while it streams by.
//!
//! - [`Guard`] is what a rule asks for, [`Check`] one body on its way, [`Refusal`] what is wrong
//!   with it.
//! - [`scanner`] reads JSON strictly, by a table of the grammar, and holds nothing of it; [`watch`]
//!   follows [`pointers`] on the way and counts rows.
//! - [`meter`] finds a number in a response with the same scanner.

pub mod flaw;
mod grammar;
pub mod meter;
mod name;
pub mod pointers;
pub mod scanner;
mod table;
mod text;
pub mod watch;

use std::fmt;

use crate::headers::Headers;
use crate::reason::Reason;
use flaw::{Flaw, Malformed};
use pointers::Pointers;
use scanner::Scanner;
use watch::Found;

/// What a rule asks of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The media types admitted, lower case, without parameters; `None`: any. Bodies are read as
    /// JSON whatever it is.
    pub content_types: Option<Vec<String>>,
    /// The largest body, bytes.
    pub max_bytes: u64,
    /// How many arrays and objects may stand inside each other.
    pub max_depth: usize,
    /// The most rows; `None`: any number.
    pub max_rows: Option<u64>,
    /// `json_rows`, then `require_any`: the first of them that is an array holds the rows.
    pub pointers: Pointers,
    /// Where `require_any` begins in `pointers`; nothing after it: nothing is required.
    pub required_from: usize,
}

/// Why a body is refused. No variant holds anything of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request has no body.
    NoBody,
    /// No media type, several, or none of those admitted.
    MediaType,
    /// A charset other than UTF-8, which JSON is written in (RFC 8259 §8.1).
    Charset,
    /// A content coding: what is inside cannot be judged.
    Encoded,
    /// More bytes than are admitted; whether `content-length` says so already.
    TooLarge {
        /// `true`: refused by the headers alone.
        announced: bool,
    },
    /// Not a JSON text that may pass.
    Malformed(Malformed),
    /// None of `require_any` is there.
    Lacking,
    /// So many rows.
    Rows(u64),
    /// The upstream answered before the body was complete, so that it was never judged.
    Unfinished,
    /// The proxy's buffer is smaller than the body; it has answered 413 itself.
    Unbuffered,
    /// The host did not show all of it.
    Unseen,
    /// The host shows nothing of the body of a head that waits, and `hold_head` says that it does.
    Withheld,
}

impl Refusal {
    /// The word of the contract.
    pub fn reason(&self) -> Reason {
        match self {
            Self::MediaType | Self::Charset | Self::Encoded => Reason::ContentTypeNotAllowed,
            Self::TooLarge { .. } | Self::Unbuffered => Reason::PayloadTooLarge,
            Self::Malformed(Malformed { flaw: Flaw::Depth, .. }) => Reason::DepthExceeded,
            Self::Rows(_) => Reason::RowsExceeded,
            Self::NoBody | Self::Malformed(_) | Self::Lacking | Self::Unfinished | Self::Unseen => {
                Reason::PayloadMalformed
            }
            Self::Withheld => Reason::StoreUnavailable,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBody => f.write_str("no body"),
            Self::MediaType => f.write_str("content-type not admitted"),
            Self::Charset => f.write_str("charset other than UTF-8"),
            Self::Encoded => f.write_str("content-encoding other than identity"),
            Self::TooLarge { announced: true } => f.write_str("content-length above max_bytes"),
            Self::TooLarge { announced: false } => f.write_str("longer than max_bytes"),
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Lacking => f.write_str("nothing of require_any is there"),
            Self::Rows(rows) => write!(f, "{rows} rows"),
            Self::Unbuffered => {
                f.write_str("longer than the proxy's buffer (per_connection_buffer_limit_bytes)")
            }
            Self::Unseen => f.write_str("not shown whole by the host"),
            Self::Withheld => f.write_str(
                "held back by the proxy: hold_head needs allow_on_headers_stop_iteration",
            ),
            Self::Unfinished => f.write_str("answered before it was complete"),
        }
    }
}

impl Guard {
    /// Judges what the headers tell. `bodyless`: the request ended with them.
    ///
    /// # Errors
    /// What no body could cure.
    pub fn admit(&self, headers: &Headers, bodyless: bool) -> Result<(), Refusal> {
        if bodyless {
            return Err(Refusal::NoBody);
        }
        let codings = headers.all("content-encoding").flat_map(|value| value.split(|b| *b == b','));
        for coding in codings.map(<[u8]>::trim_ascii) {
            if !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity") {
                return Err(Refusal::Encoded);
            }
        }
        self.admit_type(headers)?;
        let length = headers.value("content-length").and_then(|v| std::str::from_utf8(v).ok());
        match length.and_then(|length| length.trim().parse::<u64>().ok()) {
            Some(length) if length > self.max_bytes => Err(Refusal::TooLarge { announced: true }),
            _ => Ok(()),
        }
    }

    /// Two `content-type` fields are refused: a backend may read the other one.
    fn admit_type(&self, headers: &Headers) -> Result<(), Refusal> {
        let mut fields = headers.all("content-type");
        let (field, more) = (fields.next(), fields.next());
        if more.is_some() || (field.is_none() && self.content_types.is_some()) {
            return Err(Refusal::MediaType);
        }
        let mut parts = field.unwrap_or_default().split(|b| *b == b';').map(<[u8]>::trim_ascii);
        let found = parts.next().unwrap_or_default();
        if let Some(types) = &self.content_types
            && !types.iter().any(|t| t.as_bytes().eq_ignore_ascii_case(found))
        {
            return Err(Refusal::MediaType);
        }
        for parameter in parts {
            let Some(equals) = parameter.iter().position(|b| *b == b'=') else { continue };
            let (name, value) = parameter.split_at_checked(equals).unwrap_or_default();
            let value = value.strip_prefix(b"=").unwrap_or_default().trim_ascii();
            let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
            let value = quoted.unwrap_or(value);
            // US-ASCII is a part of UTF-8.
            let fits = [&b"utf-8"[..], b"utf8", b"us-ascii"];
            if name.trim_ascii().eq_ignore_ascii_case(b"charset")
                && !fits.iter().any(|charset| value.eq_ignore_ascii_case(charset))
            {
                return Err(Refusal::Charset);
            }
        }
        Ok(())
    }

    /// The check of one body.
    pub fn check(&self) -> Check {
        Check { scanner: Scanner::new(&self.pointers, self.max_depth), bytes: 0 }
    }
}

/// One body on its way. It holds nothing of the body.
#[derive(Clone, Debug)]
pub struct Check {
    scanner: Scanner,
    bytes: u64,
}

impl Check {
    /// How many bytes were looked at.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the next piece; `guard` is the one that made this check.
    ///
    /// # Errors
    /// What no further piece could cure.
    pub fn feed(&mut self, guard: &Guard, piece: &[u8]) -> Result<(), Refusal> {
        let left = guard.max_bytes.saturating_sub(self.bytes);
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        let within = usize::try_from(left).map_or(piece, |left| piece.get(..left).unwrap_or(piece));
        self.scanner.feed(&guard.pointers, within).map_err(Refusal::Malformed)?;
        if self.bytes > guard.max_bytes {
            return Err(Refusal::TooLarge { announced: false });
        }
        Ok(())
    }

    /// The body is complete; returns its rows.
    ///
    /// # Errors
    /// Why the whole is refused.
    pub fn finish(&mut self, guard: &Guard) -> Result<u64, Refusal> {
        if self.bytes == 0 {
            return Err(Refusal::NoBody);
        }
        self.scanner.finish().map_err(Refusal::Malformed)?;
        let found = self.scanner.found();
        let required = found.get(guard.required_from..).unwrap_or_default();
        if !required.is_empty() && required.iter().all(|found| *found == Found::Absent) {
            return Err(Refusal::Lacking);
        }
        let named = found.iter().find_map(|found| match found {
            Found::Array(rows) => Some(*rows),
            _ => None,
        });
        // A document that is an array has its elements for rows; anything else is one.
        let rows = named.or(self.scanner.elements()).unwrap_or(1);
        match guard.max_rows {
            Some(max) if rows > max => Err(Refusal::Rows(rows)),
            _ => Ok(rows),
        }
    }
}

#[cfg(test)]
mod tests;
