//! The demands of a rule on the body of a request, as far as the headers show whether they are met.

use std::ops::Range;

use crate::body::json::pointers::{MAX_POINTERS, Pointers};
use crate::body::refusal::Refusal;
use crate::body::usage::IncludeUsage;
use crate::request::headers::Headers;

/// The word of `content_types` for a body without a type.
pub const UNTYPED: &str = "none";

/// The demands of a rule on the body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The allowed media types, in lower case and without parameters, or [`UNTYPED`]; `None`: all.
    pub content_types: Option<Vec<String>>,
    /// Whether the body is read: as JSON, or as CSV if rows are counted and its type is `text/csv`.
    /// Otherwise only its type and size are judged.
    pub reads: bool,
    /// The methods whose requests must have a body: those of POST, PUT and PATCH that the rule names, if it
    /// has `require_any`.
    pub needs_body: Vec<String>,
    /// The size of the largest body, bytes.
    pub max_bytes: u64,
    /// How many arrays and objects may be nested.
    pub max_depth: usize,
    /// The most rows; `None`: no bound.
    pub max_rows: Option<u64>,
    /// The pointers to follow, see [`pointers_to_follow`].
    pub pointers: Pointers,
    /// Those of `require_any`, if any. The rows at the pointers before them are the cost.
    pub required: Range<usize>,
    /// What becomes of a streamed request that does not ask for its usage. Other than [`IncludeUsage::Off`], the
    /// pointers of [`super::usage`] are captured before all others.
    pub include_usage: IncludeUsage,
}

/// The pointers that a guard follows, and which of them are those of `require_any`; `None` if there
/// are more than [`MAX_POINTERS`].
///
/// Where rows are counted, the `index` inside of a value and the one beside `data` are followed too:
/// in pandas' `split` form, its labels make rows of their own. With `bounded`, rows are also counted
/// at the pointers of `require_any`.
pub fn pointers_to_follow(
    json_rows: &[Vec<String>],
    require_any: &[Vec<String>],
    bounded: bool,
) -> Option<(Pointers, Range<usize>)> {
    let index = |parent: &[String]| [parent, &["index".to_owned()]].concat();
    let beside_data = |tokens: &[String]| match tokens.split_last() {
        Some((last, parent)) if last == "data" => Some(index(parent)),
        _ => None,
    };
    let labels = |list: &[Vec<String>]| {
        let each = list.iter().flat_map(|tokens| [Some(index(tokens)), beside_data(tokens)]);
        each.flatten().collect::<Vec<_>>()
    };
    let bound = if bounded { labels(require_any) } else { Vec::new() };
    let list = [json_rows, &labels(json_rows), require_any, &bound].concat();
    let start = list.len().saturating_sub(bound.len()).saturating_sub(require_any.len());
    let counted = if bounded { list.len() } else { start };
    let required = start..start.saturating_add(require_any.len());
    let pointers = Pointers::new(list.iter().map(Vec::as_slice))
        .counting_rows(json_rows.len(), counted)
        .with_labels((json_rows.len()..start).chain(required.end..list.len()));
    (list.len() <= MAX_POINTERS).then_some((pointers, required))
}

impl Guard {
    /// Judges the headers of a request. `bodyless`: it has no body, so that there is nothing to judge unless its
    /// method needs one.
    ///
    /// # Errors
    /// The refusal that follows from the headers, whatever the body.
    pub fn admit(&self, headers: &Headers, bodyless: bool) -> Result<(), Refusal> {
        // After an upgrade (RFC 9110 §7.8), the bytes belong to another protocol, whatever length is announced.
        let option = |line: &[u8]| {
            let mut options = line.split(|byte| *byte == b',');
            options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
        };
        let asked = headers.all("connection").any(option);
        let framing = ["content-length", "transfer-encoding"];
        let framed = framing.iter().any(|name| headers.value(name).is_some());
        if headers.value("upgrade").is_some() && (asked || !framed) {
            return Err(Refusal::NoBody);
        }
        if bodyless {
            return if self.needs_body(headers) { Err(Refusal::NoBody) } else { Ok(()) };
        }
        if self.reads && is_encoded(headers) {
            return Err(Refusal::Encoded);
        }
        self.admit_type(headers)?;
        let length = headers.value("content-length").and_then(|v| std::str::from_utf8(v).ok());
        match length.and_then(|length| length.trim().parse::<u64>().ok()) {
            Some(length) if length > self.max_bytes => Err(Refusal::TooLarge { announced: true }),
            _ => Ok(()),
        }
    }

    /// Whether a request of this method must have a body.
    pub(super) fn needs_body(&self, headers: &Headers) -> bool {
        let method = headers.value(":method").unwrap_or_default();
        self.needs_body.iter().any(|named| named.as_bytes() == method)
    }

    /// Refuses a second `content-type` and one in another spelling too: a backend may read that one.
    fn admit_type(&self, headers: &Headers) -> Result<(), Refusal> {
        if !self.reads && self.content_types.is_none() {
            return Ok(());
        }
        let field = headers.value("content-type");
        let all = headers.spellings("content-type").count();
        let allows = |wanted: &[u8]| match &self.content_types {
            Some(types) => types.iter().any(|t| t.as_bytes().eq_ignore_ascii_case(wanted)),
            None => true,
        };
        let allowed = match field {
            None => allows(UNTYPED.as_bytes()),
            Some(field) => {
                let given = media_type(field);
                allows(given) && !given.eq_ignore_ascii_case(UNTYPED.as_bytes())
            }
        };
        if all != usize::from(field.is_some()) || !allowed {
            return Err(Refusal::MediaType);
        }
        if !self.reads {
            return Ok(());
        }
        let field = field.unwrap_or_default();
        // US-ASCII is a part of UTF-8.
        let charsets = [&b"utf-8"[..], b"utf8", b"us-ascii"];
        let allowed = |value: &[u8]| charsets.iter().any(|one| value.eq_ignore_ascii_case(one));
        match parameter(field, b"charset").all(allowed) {
            true => Ok(()),
            false => Err(Refusal::Charset),
        }
    }
}

/// Whether a body has a content coding, so that its content cannot be read (RFC 9110 §8.4).
pub fn is_encoded(headers: &Headers) -> bool {
    let fields = headers.spellings("content-encoding");
    let codings = fields.flat_map(|(_, value)| value.split(|b| *b == b','));
    let plain = |coding: &[u8]| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity");
    !codings.map(<[u8]>::trim_ascii).all(plain)
}

/// The media type of a `content-type`.
pub(super) fn media_type(field: &[u8]) -> &[u8] {
    field.split(|b| *b == b';').next().unwrap_or_default().trim_ascii()
}

/// The values of a parameter of a `content-type`; `name` is in lower case.
pub(super) fn parameter<'a>(field: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    field.split(|b| *b == b';').skip(1).filter_map(move |parameter| {
        let equals = parameter.iter().position(|b| *b == b'=')?;
        let (own_name, value) = parameter.split_at_checked(equals)?;
        let value = value.strip_prefix(b"=")?.trim_ascii();
        let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        own_name.trim_ascii().eq_ignore_ascii_case(name).then_some(quoted.unwrap_or(value))
    })
}
