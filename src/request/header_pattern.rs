//! Patterns of `match.headers`.

use super::headers::Headers;

/// An entry of `match.headers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderPattern {
    /// The name in lower case.
    pub name: String,
    /// The exact value of the only header with this name; `None`: at least one is present.
    pub value: Option<String>,
}

/// How surely a request matches. Servers read a header differently if it is repeated or has a spelling
/// that some of them take for another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It matches in no reading.
    No,
    /// It matches in some readings.
    Perhaps,
    /// It matches in every reading.
    Surely,
}

impl HeaderPattern {
    /// How surely the headers match. Of a header that is repeated or joined with a comma (RFC 9110
    /// §5.3), a server may read any value; a header in another spelling it may read or ignore.
    pub(super) fn fit(&self, headers: &Headers) -> Fit {
        let (mut lines, mut exact, mut wanted) = (0_usize, false, false);
        for (given, value) in headers.spellings(&self.name) {
            lines = lines.saturating_add(1);
            let whole = self.value.as_ref().is_none_or(|want| want.as_bytes() == value);
            exact |= given == self.name.as_bytes() && whole;
            wanted |= whole || self.is_among(value);
        }
        match (wanted, exact && (lines == 1 || self.value.is_none())) {
            (_, true) => Fit::Surely,
            (true, false) => Fit::Perhaps,
            (false, false) => Fit::No,
        }
    }

    fn is_among(&self, list: &[u8]) -> bool {
        let mut items = list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        items.any(|item| self.value.as_ref().is_some_and(|want| want.as_bytes() == item))
    }
}
