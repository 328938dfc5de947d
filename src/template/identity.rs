//! Filling templates for identities, which must differ for any two callers.

use super::fill::{PartValue, Scope};
use super::percent;
use super::syntax::{Part, Template};

/// The result of [`Template::identify`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// Every part has a value, and none is empty.
    Whole,
    /// Every part has a value, but at least one is empty.
    WithEmptyPart,
    /// A part has no value; nothing was written.
    Absent,
}

impl Template {
    /// Appends the identity of a caller. The characters of the text between parts are percent-encoded
    /// inside every part but the first, so that two callers never share an identity if the template
    /// [is separable](Template::is_separable): read from its end, the identity has one meaning. A list
    /// counts as no value, and an identity with an empty part must not be used.
    pub fn identify(&self, scope: &dyn Scope, out: &mut String) -> Filled {
        let start = out.len();
        let mut filled = Filled::Whole;
        let mut first = true;
        for part in self.parts() {
            if let Part::Text(text) = part {
                out.push_str(text);
                continue;
            }
            let Some(PartValue::Text(value)) = scope.value(part) else {
                out.truncate(start);
                return Filled::Absent;
            };
            if value.is_empty() {
                filled = Filled::WithEmptyPart;
            }
            match std::mem::replace(&mut first, false) {
                true => out.push_str(&value),
                false => percent::encode(&value, |c| c != '%' && !self.is_between(c), out),
            }
        }
        filled
    }

    /// Whether [`Template::identify`] produces different texts for different values. It does not if no
    /// text separates two parts, or if the text could be part of an escape: `{a}{b}`, `{a}1{b}`,
    /// `{a}%{b}`.
    pub fn is_separable(&self) -> bool {
        let mut separated = true;
        self.parts().iter().all(|part| match part {
            Part::Text(text) => {
                separated |= text.chars().any(percent::separates);
                true
            }
            _ => std::mem::replace(&mut separated, false),
        })
    }
}
