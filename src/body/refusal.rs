//! The reasons to refuse a body.

use std::fmt;

use super::json::flaw::{Flaw, Malformed};
use crate::reason::Reason;

/// The rows of a body without any at the pointers: it costs the most, and exceeds every bound.
pub const UNKNOWN_ROWS: u64 = u64::MAX;

/// Why a body is refused. No variant holds any of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request has no body.
    NoBody,
    /// No `content-type`, more than one, or a media type that is not allowed.
    MediaType,
    /// A charset other than UTF-8, the only one of JSON (RFC 8259 §8.1).
    Charset,
    /// A content coding (RFC 9110 §8.4), so that the content cannot be read.
    Encoded,
    /// More bytes than `max_bytes`.
    TooLarge {
        /// `content-length` says so.
        announced: bool,
    },
    /// Not well-formed, or JSON that programs read in different ways.
    Malformed(Malformed),
    /// No pointer of `require_any` leads to a value.
    Lacking,
    /// More rows than `max_rows`; [`UNKNOWN_ROWS`] if no pointer leads to rows.
    Rows(u64),
    /// The response is to be streamed, and the body does not ask for its usage.
    NoUsage,
    /// The upstream responded before the body was complete and judged.
    Unfinished,
    /// The body exceeds the proxy's buffer, and the proxy has responded with 413.
    Unbuffered,
    /// The host did not provide the whole body.
    Unseen,
    /// The host withholds the body until the headers go on, although `hold_head` is set.
    Withheld,
}

impl Refusal {
    /// The reason in replies, telemetry and logs.
    pub fn reason(&self) -> Reason {
        match self {
            Self::MediaType | Self::Charset | Self::Encoded => Reason::ContentTypeNotAllowed,
            Self::TooLarge { .. } | Self::Unbuffered => Reason::PayloadTooLarge,
            Self::Malformed(Malformed { flaw: Flaw::Depth, .. }) => Reason::DepthExceeded,
            Self::Rows(_) => Reason::RowsExceeded,
            Self::NoBody | Self::Malformed(_) | Self::Lacking | Self::Unfinished | Self::Unseen => {
                Reason::PayloadMalformed
            }
            Self::NoUsage => Reason::UsageRequired,
            Self::Withheld => Reason::StoreUnavailable,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoBody => "no body",
            Self::MediaType => "content-type not allowed",
            Self::Charset => "charset other than UTF-8",
            Self::Encoded => "content-encoding other than identity",
            Self::TooLarge { announced: true } => "content-length above max_bytes",
            Self::TooLarge { announced: false } => "more than max_bytes",
            Self::Malformed(malformed) => return malformed.fmt(f),
            Self::Lacking => "no value at any pointer of require_any",
            Self::Rows(UNKNOWN_ROWS) => "no rows at any pointer",
            Self::Rows(rows) => return write!(f, "{rows} rows"),
            Self::NoUsage => "streams without stream_options.include_usage",
            Self::Unfinished => "the upstream responded before the body was complete",
            Self::Unbuffered => {
                "larger than the proxy's buffer (per_connection_buffer_limit_bytes)"
            }
            Self::Unseen => "the host did not provide the whole body",
            Self::Withheld => {
                "withheld by the proxy: hold_head needs allow_on_headers_stop_iteration"
            }
        })
    }
}
