//! Errors in templates and claim references.

use std::fmt;

/// Why a text is not a template or not a claim reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// The text is empty.
    Empty,
    /// A `{` without a `}`.
    Unclosed,
    /// A `}` without a `{`.
    StrayBrace,
    /// `{}`: a part without a name.
    EmptyPart,
    /// `{@…}` with an unknown name.
    UnknownPart(String),
    /// `{@header:…}` without a valid header name (RFC 9110 §5.1).
    HeaderName,
    /// `{@body:…}` without a JSON Pointer.
    BodyPointer,
    /// A `~` of a JSON Pointer without `0` or `1` after it (RFC 6901 §3).
    PointerEscape,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty; allowed: text with {claim} parts",
            Self::Unclosed => "has a `{` without a `}`; a claim is written {claim}",
            Self::StrayBrace => "has a `}` without a `{`; a claim is written {claim}",
            Self::EmptyPart => "has an empty part `{}`; allowed: {claim} or {/json/pointer}",
            Self::UnknownPart(part) => {
                return write!(
                    f,
                    "has the unknown part {{{part}}}; allowed: {{@identity}}, {{@kid}}, {{@actor}}, \
                     {{@provider}}, {{@rule}}, {{@client_address}}, {{@path:NAME}}, {{@header:NAME}}, \
                     {{@body:/POINTER}}"
                );
            }
            Self::HeaderName => "has no valid header name in {@header:NAME}",
            Self::BodyPointer => "has no JSON Pointer in {@body:/POINTER}",
            Self::PointerEscape => "is not a JSON Pointer: `~` is only allowed in `~0` and `~1`",
        })
    }
}

impl std::error::Error for TemplateError {}
