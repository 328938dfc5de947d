//! `payload.include_usage`: a streamed response of OpenAI's chat API tells how many tokens it cost only if the
//! request has `"stream_options": {"include_usage": true}`.
//!
//! The scanner finds the places of three members. It refuses a body that has one of them twice or in another letter
//! case, so that every server reads the same values, and a single change at one place is enough.

use std::ops::Range;

use super::json::pointers::Pointers;
use super::json::scanner::{Place, Scanner};
use super::refusal::Refusal;

/// What becomes of a body with `"stream": true` that does not ask for the usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncludeUsage {
    /// It passes.
    #[default]
    Off,
    /// It is changed.
    Add,
    /// It is refused.
    Require,
}

/// The JSON Pointers to the values that matter; a guard captures them first.
const POINTERS: [&str; 4] = ["", "/stream", "/stream_options", "/stream_options/include_usage"];
const DOCUMENT: usize = 0;
const STREAM: usize = 1;
const OPTIONS: usize = 2;
const USAGE: usize = 3;

/// The pointers whose values a guard must capture before all others.
pub fn pointers() -> Vec<Vec<String>> {
    POINTERS.map(|pointer| pointer.split('/').skip(1).map(str::to_owned).collect()).to_vec()
}

/// A change of a body: the bytes in `place` become `text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that go.
    pub place: Range<u64>,
    /// What takes their place.
    pub text: &'static str,
    /// The size of the body before, bytes.
    pub size: u64,
}

impl Edit {
    /// The size of the body after the change, bytes.
    pub fn new_size(&self) -> u64 {
        let gone = self.place.end.saturating_sub(self.place.start);
        self.size.saturating_sub(gone).saturating_add(self.text.len() as u64)
    }
}

/// What a body needs so that a streamed response tells its usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: it asks for the usage, or for no stream.
    Nothing,
    /// These bytes must become this text.
    Change(Range<u64>, &'static str),
    /// One of the members is of a type that servers read in different ways, or reject.
    Unclear,
}

impl Need {
    /// The need of a complete document.
    #[inline(never)]
    pub(super) fn of(pointers: &Pointers, scanner: &Scanner) -> Self {
        let place = |index: usize| scanner.place_of(pointers, index);
        // Anything but `false` and `null` counts as a stream: lenient servers read `"true"` and `1` as true.
        if place(STREAM).is_none_or(|stream| matches!(stream.first, b'f' | b'n')) {
            return Self::Nothing;
        }
        let (change, place, length) = match (place(OPTIONS), place(USAGE)) {
            (None, _) => {
                // The space before the document goes, so that the change stands at the beginning of the body.
                let bracket = place(DOCUMENT).map_or(0, |document| document.offset);
                let change = r#"{"stream_options":{"include_usage":true},"#;
                return Self::Change(0..bracket.saturating_add(1), change);
            }
            (Some(options @ Place { first: b'n', .. }), _) => {
                (r#"{"include_usage":true}"#, options, 4)
            }
            (Some(Place { first: b'{', .. }), Some(usage)) => match usage.first {
                b't' => return Self::Nothing,
                b'f' => ("true", usage, 5),
                b'n' => ("true", usage, 4),
                _ => return Self::Unclear,
            },
            (Some(options @ Place { first: b'{', .. }), None) => {
                match scanner.in_empty_object(pointers, USAGE) {
                    true => (r#"{"include_usage":true"#, options, 1),
                    false => (r#"{"include_usage":true,"#, options, 1),
                }
            }
            (Some(_), _) => return Self::Unclear,
        };
        Self::Change(place.offset..place.offset.saturating_add(length), change)
    }

    /// Whether a body with this need is refused.
    pub(super) fn judge(&self, wanted: IncludeUsage) -> Result<(), Refusal> {
        match (wanted, self) {
            (IncludeUsage::Off, _) | (_, Self::Nothing) => Ok(()),
            (IncludeUsage::Add, Self::Change(..)) => Ok(()),
            (IncludeUsage::Add, Self::Unclear) | (IncludeUsage::Require, _) => {
                Err(Refusal::NoUsage)
            }
        }
    }

    /// The change of a body of unknown size.
    pub(super) fn edit(self) -> Option<Edit> {
        match self {
            Self::Change(place, text) => Some(Edit { place, text, size: 0 }),
            Self::Nothing | Self::Unclear => None,
        }
    }
}
