//! JSON Pointers (RFC 6901) that are followed together.

use crate::body::json::tensor;
use crate::body::json::token::Names;

/// The JSON Pointers to follow in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointers {
    list: Vec<Vec<Token>>,
    /// The longest spelling in a document of a name that is looked for, bytes: six for each byte of
    /// the name, if all are written as `\u0041`.
    pub(super) longest: usize,
    /// The pointers to count rows at.
    pub(super) rows: PointerSet,
    /// The pointers that must lead to rows, `null` or nothing; any other value is a flaw.
    pub(super) strict: PointerSet,
    /// The pointers to row labels, which may be a list per level.
    pub(super) labels: PointerSet,
    /// The pointers that are followed for the kind of their value: the last ones before the captured.
    noted: PointerSet,
    /// The pointers whose values are kept: the last ones.
    pub(super) captured: PointerSet,
}

/// One reference token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) name: String,
    /// Its meaning in an array: digits without leading zeros (RFC 6901 §4).
    pub(super) index: Option<u64>,
    names: Names,
}

impl Pointers {
    /// Takes the unescaped reference tokens of each pointer. Pointers after the first
    /// [`MAX_POINTERS`] are ignored: the configuration must refuse them.
    pub fn new<'a>(pointers: impl IntoIterator<Item = &'a [String]>) -> Self {
        let mut all = Self::default();
        pointers.into_iter().take(MAX_POINTERS).for_each(|tokens| all.push(tokens));
        all
    }

    fn push(&mut self, tokens: &[String]) {
        let token = |name: &String| {
            let index = name.parse().ok().filter(|index: &u64| index.to_string() == *name);
            self.longest = self.longest.max(name.len().saturating_mul(6));
            Token { name: name.clone(), index, names: Names::of(name) }
        };
        let tokens = tokens.iter().map(token).collect();
        self.list.push(tokens);
    }

    /// Counts rows at the first `counted` pointers, of which the first `strict` must lead to rows, to
    /// `null` or to nothing.
    #[must_use]
    pub fn counting_rows(mut self, strict: usize, counted: usize) -> Self {
        let first = |count| self.all().intersection(PointerSet::first(count));
        (self.strict, self.rows) = (first(strict), first(counted));
        if !self.rows.is_empty() {
            self.longest = self.longest.max(tensor::LONGEST_NAME.saturating_mul(6));
        }
        self
    }

    /// Reads row labels at the pointers with these indices.
    #[must_use]
    pub fn with_labels(mut self, indices: impl IntoIterator<Item = usize>) -> Self {
        self.labels = indices.into_iter().collect();
        self
    }

    /// Follows these pointers besides, for the kind of their value; before [`Pointers::capture`].
    pub fn note(&mut self, pointers: &[Vec<String>]) {
        let others = self.list.len();
        pointers.iter().for_each(|tokens| self.push(tokens));
        self.noted = (others..self.list.len()).collect();
    }

    /// How many pointers are followed for the judgement on the document: the first ones.
    pub fn judged(&self) -> usize {
        let others = self.noted.union(self.captured);
        self.list.len().saturating_sub(others.iter().count())
    }

    /// Keeps the values at these pointers besides. The configuration must refuse more than [`MAX_POINTERS`]
    /// in all.
    pub fn capture(&mut self, pointers: &[Vec<String>]) {
        let others = self.list.len();
        pointers.iter().for_each(|tokens| self.push(tokens));
        self.captured = (others..self.list.len()).collect();
    }

    /// Whether values are kept.
    pub fn captures(&self) -> bool {
        !self.captured.is_empty()
    }

    /// The pointer with these tokens, if the value there is kept.
    pub(super) fn captured_at(&self, pointer: &[String]) -> PointerSet {
        self.find(self.captured, pointer).into_iter().collect()
    }

    /// The pointer with these tokens, if it is followed for its kind.
    pub(super) fn noted_at(&self, pointer: &[String]) -> Option<usize> {
        self.find(self.noted, pointer)
    }

    fn find(&self, among: PointerSet, pointer: &[String]) -> Option<usize> {
        let equals = |list: &Vec<Token>| list.iter().map(|token| &token.name).eq(pointer);
        among.iter().find(|index| self.list.get(*index).is_some_and(equals))
    }

    /// The pointer with this place among those whose values are kept.
    pub(super) fn captured_as(&self, place: usize) -> PointerSet {
        self.captured.iter().nth(place).into_iter().collect()
    }

    /// Whether a pointer may lead into a document that is an array.
    pub fn any_begins_with_an_index(&self) -> bool {
        let first = |tokens: &Vec<Token>| tokens.first().is_some_and(|token| token.index.is_some());
        self.list.iter().any(first)
    }

    /// The most tokens of a pointer.
    pub(super) fn longest_list(&self) -> usize {
        self.list.iter().map(Vec::len).max().unwrap_or_default()
    }

    /// The last token of each pointer.
    pub fn last_names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().filter_map(|tokens| tokens.last().map(|token| token.name.as_str()))
    }

    /// The number of pointers.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is no pointer.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn all(&self) -> PointerSet {
        PointerSet::first(self.list.len())
    }

    /// The pointers of `set` that have exactly `length` tokens.
    pub(super) fn ending(&self, set: PointerSet, length: usize) -> PointerSet {
        let ends = |index: &usize| self.list.get(*index).is_some_and(|list| list.len() == length);
        set.iter().filter(ends).collect()
    }

    /// The tokens at `depth` of the pointers of `set`.
    pub(super) fn names(&self, set: PointerSet, depth: usize) -> Names {
        let mut names = Names::NONE;
        self.filter(set, depth, |token| {
            names = names.with(token.names);
            false
        });
        names
    }

    /// The pointers of `set` whose token at `depth` is to be kept.
    pub(super) fn filter(
        &self,
        set: PointerSet,
        depth: usize,
        mut keep: impl FnMut(&Token) -> bool,
    ) -> PointerSet {
        let token = |index: usize| self.list.get(index)?.get(depth);
        set.iter().filter(|index| token(*index).is_some_and(&mut keep)).collect()
    }
}

/// The most pointers that are followed at once: a set of them is one word.
pub const MAX_POINTERS: usize = u64::BITS as usize;

/// A set of pointers, each by its index in [`Pointers`](crate::body::json::pointers::Pointers).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PointerSet(u64);

impl PointerSet {
    pub(super) const EMPTY: Self = Self(0);

    /// The first `count` pointers.
    pub(super) fn first(count: usize) -> Self {
        Self(!u64::MAX.checked_shl(count as u32).unwrap_or(0))
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The indices in ascending order.
    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let index = rest.trailing_zeros();
            rest &= rest.wrapping_sub(1);
            (index < u64::BITS).then_some(index as usize)
        })
    }
}

impl FromIterator<usize> for PointerSet {
    fn from_iter<I: IntoIterator<Item = usize>>(indices: I) -> Self {
        let bit = |index: usize| 1_u64.checked_shl(index as u32).unwrap_or(0);
        Self(indices.into_iter().map(bit).fold(0, |set, bit| set | bit))
    }
}
