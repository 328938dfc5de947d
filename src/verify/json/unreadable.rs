//! The reason for which a document cannot be read.

use std::fmt;

/// The reason for which a document is not a JSON object, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is compressed with gzip (RFC 1952 §2.3.1).
    Gzip,
    /// It begins with a byte order mark (RFC 8259 §8.1).
    ByteOrderMark,
    /// It is HTML or XML.
    Markup,
    /// It is not JSON, not an object, or has a duplicate member.
    NotAnObject,
}

impl Unreadable {
    /// Inspects a document that [`super::parse_object`] refused.
    pub fn of(text: &[u8]) -> Self {
        if text.starts_with(b"\x1f\x8b") {
            Self::Gzip
        } else if text.starts_with(b"\xef\xbb\xbf") {
            Self::ByteOrderMark
        } else if text.trim_ascii_start().starts_with(b"<") {
            Self::Markup
        } else {
            Self::NotAnObject
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "compressed with gzip",
            Self::ByteOrderMark => "a byte order mark before the JSON",
            Self::Markup => "a page of HTML or XML",
            Self::NotAnObject => "not a JSON object with unique members",
        })
    }
}
