//! JSON Pointers (RFC 6901), several at once as the bits of a word.

use super::rows;

/// Pointers that are followed at once; they fit the bits of one word.
pub const MAX_POINTERS: usize = 64;

/// JSON Pointers (RFC 6901) to follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointers {
    list: Vec<Vec<Step>>,
    /// The most bytes that a name of one of them takes in a document: six for each of its own,
    /// all spelled `\u0041`.
    pub(super) longest: usize,
    /// Those whose rows are counted.
    pub(super) rows: u64,
    /// Those that lead to rows, to `null` or to nothing: anything else is a flaw.
    pub(super) strict: u64,
    /// Those that lead to the labels of rows, of which each level may be a list of its own.
    pub(super) labels: u64,
}

/// One reference token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) name: String,
    /// What it means in an array: digits without leading zeros (RFC 6901 §4).
    pub(super) index: Option<u64>,
}

impl Pointers {
    /// Takes lists of unescaped reference tokens; those past [`MAX_POINTERS`] are not followed, so
    /// the configuration must not let them through.
    pub fn new<'a>(pointers: impl IntoIterator<Item = &'a [String]>) -> Self {
        let step = |name: &String| {
            let canonical = name.parse().ok().filter(|index: &u64| index.to_string() == *name);
            Step { name: name.clone(), index: canonical }
        };
        let list = pointers.into_iter().take(MAX_POINTERS);
        let list: Vec<Vec<Step>> = list.map(|tokens| tokens.iter().map(step).collect()).collect();
        let longest = list.iter().flatten().map(|step| step.name.len()).max().unwrap_or(0);
        Self { list, longest: longest.saturating_mul(6), rows: 0, strict: 0, labels: 0 }
    }

    /// The same pointers, where so many from the first must lead to rows, if to anything, and the
    /// rows of so many from the first are counted.
    #[must_use]
    pub fn counting_rows(mut self, strict: usize, counted: usize) -> Self {
        let first = |count: usize| self.all() & !u64::MAX.checked_shl(count as u32).unwrap_or(0);
        (self.strict, self.rows) = (first(strict), first(counted));
        if self.rows != 0 {
            self.longest = self.longest.max(rows::LONGEST_WORD.saturating_mul(6));
        }
        self
    }

    /// The same pointers, where those of these places lead to the labels of rows.
    #[must_use]
    pub fn with_labels(mut self, places: impl IntoIterator<Item = usize>) -> Self {
        let bit = |place: usize| 1_u64.checked_shl(place as u32).unwrap_or(0);
        self.labels = places.into_iter().map(bit).fold(0, |all, bit| all | bit);
        self
    }

    /// Whether one of them may lead into a document that is an array.
    pub fn any_begins_with_an_index(&self) -> bool {
        let first = |tokens: &Vec<Step>| tokens.first().is_some_and(|step| step.index.is_some());
        self.list.iter().any(first)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The bits of them all.
    pub(super) fn all(&self) -> u64 {
        u64::MAX.checked_shr(64_u32.saturating_sub(self.list.len() as u32)).unwrap_or(0)
    }

    /// Those of `set` that have exactly `length` tokens.
    pub(super) fn ending(&self, set: u64, length: usize) -> u64 {
        self.retain(set, |tokens| tokens.len() == length)
    }

    /// Those of `set` whose tokens are to be kept.
    pub(super) fn retain(&self, set: u64, mut keep: impl FnMut(&[Step]) -> bool) -> u64 {
        let (mut kept, mut rest) = (set, set);
        while rest != 0 {
            let index = rest.trailing_zeros();
            rest &= rest.wrapping_sub(1);
            if !self.list.get(index as usize).is_some_and(|tokens| keep(tokens)) {
                kept &= !1_u64.wrapping_shl(index);
            }
        }
        kept
    }
}
