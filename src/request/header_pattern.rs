//! `match.headers`: which headers of a request a rule asks for, and how surely they are there.

use super::headers::Headers;

/// An entry of `match.headers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderPattern {
    /// Lower case.
    pub name: String,
    /// The exact value of the only header of that name; `None`: at least one is present.
    pub value: Option<String>,
}

/// How a request fits a rule. A header that comes twice, or in a spelling that some servers take for
/// another, has more than one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// In no reading.
    No,
    /// In some reading.
    Perhaps,
    /// In every reading.
    Surely,
}

impl HeaderPattern {
    /// How the headers fit. Of a header that comes twice, or joined by a comma (RFC 9110 §5.3), a
    /// server may read any value; one in another spelling it may read or not.
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
