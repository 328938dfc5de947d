//! The header fields that describe a body (RFC 9110 §8.3, §8.4).

use crate::request::headers::Headers;

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
