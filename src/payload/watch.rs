//! What is looked for in a document: JSON Pointers, followed while the document streams by.

use super::flaw::Flaw;

/// Pointers that are followed at once; they fit the bits of one word.
pub const MAX_POINTERS: usize = 64;

/// JSON Pointers (RFC 6901) to follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointers {
    list: Vec<Vec<Step>>,
}

/// One reference token.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    name: String,
    /// What it means in an array: digits without leading zeros (RFC 6901 §4).
    index: Option<u64>,
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
        Self { list: list.map(|tokens| tokens.iter().map(step).collect()).collect() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn all(&self) -> u64 {
        u64::MAX.checked_shr(64_u32.saturating_sub(self.list.len() as u32)).unwrap_or(0)
    }

    /// Those of `set` that have exactly `length` tokens.
    fn ending(&self, set: u64, length: usize) -> u64 {
        self.retain(set, |tokens| tokens.len() == length)
    }

    fn retain(&self, set: u64, keep: impl Fn(&[Step]) -> bool) -> u64 {
        let mut kept = set;
        if set == 0 {
            return 0;
        }
        for (index, tokens) in self.list.iter().enumerate() {
            let bit = 1_u64.wrapping_shl(index as u32);
            if kept & bit != 0 && !keep(tokens) {
                kept &= !bit;
            }
        }
        kept
    }
}

/// What stands where a pointer leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    #[default]
    Absent,
    /// An array of so many elements.
    Array(u64),
    /// A whole number without sign, fraction or exponent, at most 2⁶⁴ − 1.
    Integer(u64),
    /// Any other value, `null` included.
    Other,
}

/// What kind of value begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Array,
    Object,
    Number,
    Other,
}

/// A container on the way of a pointer, or the document's own.
#[derive(Clone, Debug, Default)]
struct Level {
    array: bool,
    /// The pointers whose array this is.
    own: u64,
    /// The pointers that lead further into it.
    further: u64,
    /// The pointers whose next token was met in it.
    seen: u64,
    /// The pointers whose next token is the member at hand.
    next: u64,
    /// How many elements have begun.
    elements: u64,
}

/// Follows pointers through one document. Its memory is bounded by the longest pointer.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    levels: Vec<Level>,
    /// Open containers, watched or not.
    depth: usize,
    found: Vec<Found>,
    /// How many elements the document has, if it is an array.
    elements: Option<u64>,
    /// The pointers that the member name may still be, and how much of it was read.
    name: u64,
    name_length: usize,
    /// The pointers that lead to the number at hand.
    number: u64,
}

impl Watch {
    pub(super) fn new(pointers: &Pointers) -> Self {
        Self {
            levels: Vec::new(),
            depth: 0,
            found: vec![Found::Absent; pointers.len()],
            elements: None,
            name: 0,
            name_length: 0,
            number: 0,
        }
    }

    pub(super) fn found(&self) -> &[Found] {
        &self.found
    }

    pub(super) fn elements(&self) -> Option<u64> {
        self.elements
    }

    /// The innermost container, if it is on the way of a pointer.
    fn innermost(&mut self) -> Option<&mut Level> {
        if self.levels.len() == self.depth { self.levels.last_mut() } else { None }
    }

    /// Whether the member name at hand could be one that is looked for.
    pub(super) fn wants_name(&self) -> bool {
        self.name != 0
    }

    /// Whether the number at hand is looked for.
    pub(super) fn wants_number(&self) -> bool {
        self.number != 0
    }

    pub(super) fn name_begins(&mut self) {
        self.name = self.innermost().map_or(0, |level| level.further);
        self.name_length = 0;
    }

    pub(super) fn name_byte(&mut self, pointers: &Pointers, byte: u8) {
        if self.name != 0 {
            let (at, position) = (self.depth.saturating_sub(1), self.name_length);
            self.name = pointers.retain(self.name, |tokens| {
                tokens.get(at).is_some_and(|t| t.name.as_bytes().get(position) == Some(&byte))
            });
            self.name_length = position.saturating_add(1);
        }
    }

    pub(super) fn name_ends(&mut self, pointers: &Pointers) -> Result<(), Flaw> {
        let (at, length) = (self.depth.saturating_sub(1), self.name_length);
        let name = pointers.retain(std::mem::take(&mut self.name), |tokens| {
            tokens.get(at).is_some_and(|token| token.name.len() == length)
        });
        if let Some(level) = self.innermost() {
            if level.seen & name != 0 {
                return Err(Flaw::Duplicate);
            }
            level.seen |= name;
            level.next = name;
        }
        Ok(())
    }

    /// A value begins: the document, an element, or what belongs to the last name.
    pub(super) fn value(&mut self, pointers: &Pointers, kind: Kind) {
        let depth = self.depth;
        let way = match self.innermost() {
            None if depth == 0 => pointers.all(),
            None => 0,
            Some(level) if level.array => {
                let index = level.elements;
                level.elements = index.saturating_add(1);
                let at = depth.saturating_sub(1);
                pointers.retain(level.further, |tokens| {
                    tokens.get(at).is_some_and(|token| token.index == Some(index))
                })
            }
            Some(level) => std::mem::take(&mut level.next),
        };
        let own = pointers.ending(way, depth);
        self.set(own, Found::Other);
        match kind {
            Kind::Array | Kind::Object => self.open(kind == Kind::Array, own, way & !own),
            Kind::Number => self.number = own,
            Kind::Other => {}
        }
    }

    fn open(&mut self, array: bool, own: u64, further: u64) {
        if self.levels.len() == self.depth && (self.depth == 0 || own | further != 0) {
            self.levels.push(Level { array, own, further, ..Level::default() });
        }
        self.depth = self.depth.saturating_add(1);
    }

    /// The innermost container ends.
    pub(super) fn close(&mut self) {
        if self.levels.len() == self.depth
            && let Some(level) = self.levels.pop()
            && level.array
        {
            self.set(level.own, Found::Array(level.elements));
            if self.levels.is_empty() {
                self.elements = Some(level.elements);
            }
        }
        self.depth = self.depth.saturating_sub(1);
    }

    /// The number at hand ended; `None`: it is no whole number, or too large.
    pub(super) fn number(&mut self, value: Option<u64>) {
        let own = std::mem::take(&mut self.number);
        self.set(own, value.map_or(Found::Other, Found::Integer));
    }

    fn set(&mut self, pointers: u64, value: Found) {
        if pointers == 0 {
            return;
        }
        for (index, found) in self.found.iter_mut().enumerate() {
            if pointers & 1_u64.wrapping_shl(index as u32) != 0 {
                *found = value;
            }
        }
    }
}
