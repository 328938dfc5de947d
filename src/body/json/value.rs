//! The kinds of values, and the values that pointers lead to.

/// The kind of a value, as its first byte shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Array,
    Object,
    Number,
    Null,
    /// A string or a boolean.
    Other,
}

/// The value that a pointer leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Found {
    /// No value.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// An array or object with so many rows, if rows are counted.
    Rows(u64),
    /// A number, rounded up; 0 for a negative number, 2⁶⁴ − 1 for a larger one.
    Number(u64),
    /// Any other value.
    Other,
}
