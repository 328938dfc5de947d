//! How the number of a response follows from the numbers in it.

use super::sieve::Sieve;
use crate::body::json::pointers::{MAX_POINTERS, Pointers};

/// The name of the number in the last line of Ollama's API.
const LAST: &str = "eval_count";

/// The largest of some sums of the numbers in a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// All pointers, each once.
    pub(super) pointers: Pointers,
    pub(super) sieve: Sieve,
    /// The pointer to a number that only the last document of a stream has.
    pub(super) last: Option<usize>,
    sums: Vec<Vec<Weighted>>,
    /// The largest number of a part counts, not that of its first pointer.
    largest: bool,
}

/// A part of a sum as the configuration has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The places of its number: the unescaped reference tokens of JSON Pointers.
    pub pointers: Vec<Vec<String>>,
    /// The factor of its number.
    pub weight: u64,
}

/// A part of a sum: its pointers by their index, and the factor of its number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Weighted {
    pointers: Vec<usize>,
    weight: u64,
}

impl Measure {
    /// The largest of these sums; `None` if they have more than [`MAX_POINTERS`] pointers. The number of a part is
    /// that of its first pointer with a number, or with `largest` the largest.
    pub fn new(sums: Vec<Vec<Part>>, largest: bool) -> Option<Self> {
        let mut all: Vec<Vec<String>> = Vec::new();
        let mut index = |pointer: Vec<String>| {
            all.iter().position(|known| *known == pointer).unwrap_or_else(|| {
                all.push(pointer);
                all.len().saturating_sub(1)
            })
        };
        let mut weigh = |part: Part| Weighted {
            pointers: part.pointers.into_iter().map(&mut index).collect(),
            weight: part.weight,
        };
        let sums = sums.into_iter().map(|sum| sum.into_iter().map(&mut weigh).collect()).collect();
        let pointers = Pointers::new(all.iter().map(Vec::as_slice));
        (all.len() <= MAX_POINTERS).then_some(Self {
            sieve: Sieve::new(&pointers),
            last: all.iter().position(|pointer| *pointer == [LAST]),
            pointers,
            sums,
            largest,
        })
    }

    /// The number, given that of each pointer. A part without a number counts 0, unless no part of its sum has one.
    pub(super) fn number(&self, numbers: &[Option<u64>]) -> Option<u64> {
        let part = |part: &Weighted| {
            let mut found = part.pointers.iter().filter_map(|index| *numbers.get(*index)?);
            let number = if self.largest { found.max() } else { found.next() };
            Some(number?.saturating_mul(part.weight))
        };
        let sum = |parts: &Vec<Weighted>| {
            parts.iter().filter_map(part).reduce(|sum, more| sum.saturating_add(more))
        };
        self.sums.iter().filter_map(sum).max()
    }
}
