//! The flaws of a body that make it malformed.

use std::fmt;

/// A flaw. No variant holds a byte of the body, since logs must not show what a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A byte that begins no value.
    Value,
    /// Something other than a member name in quotation marks.
    Name,
    /// No colon after a member name.
    Colon,
    /// Neither a comma nor the bracket that closes the array or object.
    Separator,
    /// A literal other than `true`, `false` and `null` (RFC 8259 §3).
    Literal,
    /// A number that RFC 8259 §6 does not allow.
    Number,
    /// A control character in a string (RFC 8259 §7), or a NUL in CSV.
    Control,
    /// An escape that RFC 8259 §7 does not allow.
    Escape,
    /// A surrogate without its partner (RFC 8259 §8.2).
    Surrogate,
    /// Bytes that are not UTF-8 (RFC 8259 §8.1).
    Utf8,
    /// Something after the value of the document.
    Trailing,
    /// The document is empty or incomplete.
    End,
    /// A member on the way of a pointer comes twice in one object: parsers disagree on which one
    /// counts (RFC 8259 §4).
    Duplicate,
    /// A member differs by letter case alone from one on the way of a pointer: parsers disagree on
    /// whether it is the same.
    Case,
    /// Rows are counted at a value that has none, or in which programs see different numbers of
    /// rows: a number, a text, an array of values and arrays.
    Rows,
    /// A quotation mark inside a CSV field (RFC 4180 §2): programs disagree on what it quotes.
    Quote,
    /// A CSV body that begins like JSON: a program may read it as JSON.
    Bracket,
    /// More nested arrays and objects than `max_depth`.
    Depth,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "expected a value",
            Self::Name => "expected a member name",
            Self::Colon => "expected a colon",
            Self::Separator => "expected a comma or a closing bracket",
            Self::Literal => "unknown literal",
            Self::Number => "malformed number",
            Self::Control => "control character in a string",
            Self::Escape => "unknown escape",
            Self::Surrogate => "unpaired surrogate",
            Self::Utf8 => "not UTF-8",
            Self::Trailing => "data after the value",
            Self::End => "unexpected end",
            Self::Duplicate => "duplicate member",
            Self::Case => "a member that the rule reads, in another letter case",
            Self::Rows => "rows cannot be counted",
            Self::Quote => "quotation mark inside a CSV field",
            Self::Bracket => "CSV that begins like JSON",
            Self::Depth => "nested too deeply",
        })
    }
}

/// A flaw and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The number of bytes before the one that shows the flaw.
    pub offset: u64,
    /// The flaw.
    pub flaw: Flaw,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.offset, self.flaw)
    }
}

impl std::error::Error for Malformed {}
