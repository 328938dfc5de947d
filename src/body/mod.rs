//! The body guard: whether a request's body is what its rule admits, judged while it streams by.
//!
//! - [`Guard`] is what a rule asks for, [`Check`] one body on its way, [`Refusal`] what is wrong
//!   with it.
//! - [`scanner`] reads JSON strictly, by a table of the grammar, and holds nothing of it; [`watch`]
//!   follows [`pointers`] on the way, and `rows` counts what stands there. `csv` counts the records
//!   of the other form that rows come in.
//! - [`meter`] finds a number in a response with the same scanner.

mod check;
mod csv;
pub mod json;
pub mod meter;

use std::fmt;
use std::ops::Range;

use crate::reason::Reason;
use crate::request::headers::Headers;
pub use check::Check;
use json::flaw::{Flaw, Malformed};
use json::pointers::{MAX_POINTERS, Pointers};

/// What a rule asks of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The media types admitted, lower case, without parameters; `None`: any. Bodies are read as
    /// JSON whatever it is, but for `text/csv` where rows are counted.
    pub content_types: Option<Vec<String>>,
    /// The largest body, bytes.
    pub max_bytes: u64,
    /// How many arrays and objects may stand inside each other.
    pub max_depth: usize,
    /// The most rows; `None`: any number.
    pub max_rows: Option<u64>,
    /// What is looked for, see [`looked_for`].
    pub pointers: Pointers,
    /// Which of them are `require_any`; none: nothing is required. Those before are what the cost
    /// counts.
    pub required: Range<usize>,
}

/// The rows of a body in which no pointer leads to any: it costs the most, and no bound admits it.
pub const UNKNOWN_ROWS: u64 = u64::MAX;

/// The pointers of a guard, and which of them are `require_any`. Where rows are counted, an `index`
/// there, or beside `data`, is looked for as well: in pandas' `split` form its labels make rows of
/// their own. `bounded`: wherever a pointer of `require_any` leads, too. `None`: they are more than
/// [`MAX_POINTERS`].
pub fn looked_for(
    json_rows: &[Vec<String>],
    require_any: &[Vec<String>],
    bounded: bool,
) -> Option<(Pointers, Range<usize>)> {
    let index = |way: &[String]| [way, &["index".to_owned()]].concat();
    let beside = |tokens: &[String]| match tokens.split_last() {
        Some((last, way)) if last == "data" => Some(index(way)),
        _ => None,
    };
    let beside = |list: &[Vec<String>]| {
        let each = list.iter().flat_map(|tokens| [Some(index(tokens)), beside(tokens)]);
        each.flatten().collect::<Vec<_>>()
    };
    let bound = if bounded { beside(require_any) } else { Vec::new() };
    let list = [json_rows, &beside(json_rows), require_any, &bound].concat();
    let start = list.len().saturating_sub(bound.len()).saturating_sub(require_any.len());
    let counted = if bounded { list.len() } else { start };
    let required = start..start.saturating_add(require_any.len());
    let pointers = Pointers::new(list.iter().map(Vec::as_slice))
        .counting_rows(json_rows.len(), counted)
        .with_labels((json_rows.len()..start).chain(required.end..list.len()));
    (list.len() <= MAX_POINTERS).then_some((pointers, required))
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
            Self::Rows(UNKNOWN_ROWS) => f.write_str("no rows where they are looked for"),
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
        // An upgrade (RFC 9110 §7.8) has no body that ends: its bytes are another protocol's.
        let upgrades = headers.value("upgrade").is_some();
        let announced = ["content-length", "transfer-encoding"];
        if bodyless || (upgrades && announced.iter().all(|name| headers.value(name).is_none())) {
            return Err(Refusal::NoBody);
        }
        if coded(headers) {
            return Err(Refusal::Encoded);
        }
        self.admit_type(headers)?;
        let length = headers.value("content-length").and_then(|v| std::str::from_utf8(v).ok());
        match length.and_then(|length| length.trim().parse::<u64>().ok()) {
            Some(length) if length > self.max_bytes => Err(Refusal::TooLarge { announced: true }),
            _ => Ok(()),
        }
    }

    /// Two `content-type` fields are refused, and one of another spelling: a backend may read the
    /// other one.
    fn admit_type(&self, headers: &Headers) -> Result<(), Refusal> {
        let field = headers.value("content-type");
        let all = headers.spellings("content-type").count();
        if all != usize::from(field.is_some()) || (field.is_none() && self.content_types.is_some())
        {
            return Err(Refusal::MediaType);
        }
        let field = field.unwrap_or_default();
        if let Some(types) = &self.content_types
            && !types.iter().any(|t| t.as_bytes().eq_ignore_ascii_case(media_type(field)))
        {
            return Err(Refusal::MediaType);
        }
        // US-ASCII is a part of UTF-8.
        let fits = [&b"utf-8"[..], b"utf8", b"us-ascii"];
        let fits = |value: &[u8]| fits.iter().any(|charset| value.eq_ignore_ascii_case(charset));
        match parameters(field, b"charset").all(fits) {
            true => Ok(()),
            false => Err(Refusal::Charset),
        }
    }
}

/// Whether a body has a content coding: what is inside cannot be read (RFC 9110 §8.4).
pub fn coded(headers: &Headers) -> bool {
    let fields = headers.spellings("content-encoding");
    let codings = fields.flat_map(|(_, value)| value.split(|b| *b == b','));
    let plain = |coding: &[u8]| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity");
    !codings.map(<[u8]>::trim_ascii).all(plain)
}

/// The media type of a `content-type`.
fn media_type(field: &[u8]) -> &[u8] {
    field.split(|b| *b == b';').next().unwrap_or_default().trim_ascii()
}

/// The values of a parameter of a `content-type`; `name` is lower case.
fn parameters<'a>(field: &'a [u8], wanted: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    field.split(|b| *b == b';').skip(1).filter_map(move |parameter| {
        let equals = parameter.iter().position(|b| *b == b'=')?;
        let (name, value) = parameter.split_at_checked(equals)?;
        let value = value.strip_prefix(b"=")?.trim_ascii();
        let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        name.trim_ascii().eq_ignore_ascii_case(wanted).then_some(quoted.unwrap_or(value))
    })
}

#[cfg(test)]
mod tests;
