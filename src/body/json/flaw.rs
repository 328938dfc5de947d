//! What can be wrong with a JSON text.

use std::fmt;

/// What is wrong. No variant holds a byte of the text: what a client sends is not for logs.
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
    /// A word other than `true`, `false` and `null`.
    Literal,
    /// Not a number of RFC 8259 §6.
    Number,
    /// A control character in a string.
    Control,
    /// An escape that JSON does not have.
    Escape,
    /// A surrogate without its partner.
    Surrogate,
    /// Bytes that are not UTF-8.
    Utf8,
    /// Something after the one top-level value.
    Trailing,
    /// The text ends inside its value, or before it.
    End,
    /// A member that is looked for stands twice in one object: parsers disagree on which counts.
    Duplicate,
    /// A member differs from one that is looked for by letter case alone: parsers disagree on
    /// whether they are the same.
    Case,
    /// A value where rows are looked for that holds none, or of which programs may read as many rows
    /// as they like: a number, a text, a list of values and lists.
    Rows,
    /// A quotation mark inside of a CSV field (RFC 4180 §2): programs disagree on what it quotes.
    Quote,
    /// A CSV body that begins as JSON does: a program may read it as that.
    Bracket,
    /// More arrays and objects inside each other than are admitted.
    Depth,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "expected a value",
            Self::Name => "expected a member name",
            Self::Colon => "expected a colon",
            Self::Separator => "expected a comma or a closing bracket",
            Self::Literal => "unknown word",
            Self::Number => "malformed number",
            Self::Control => "control character in a string",
            Self::Escape => "unknown escape",
            Self::Surrogate => "surrogate without its partner",
            Self::Utf8 => "not UTF-8",
            Self::Trailing => "something follows the value",
            Self::End => "ends too early",
            Self::Duplicate => "a member that is looked for stands twice",
            Self::Case => "a member that is looked for stands in another letter case",
            Self::Rows => "no rows where they are looked for",
            Self::Quote => "a quotation mark inside of a CSV field",
            Self::Bracket => "CSV that begins as JSON",
            Self::Depth => "nested too deeply",
        })
    }
}

/// A flaw and where it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// How many bytes precede the one that gave it away.
    pub offset: u64,
    /// What is wrong.
    pub flaw: Flaw,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.offset, self.flaw)
    }
}

impl std::error::Error for Malformed {}
