//! How many rows stand where a pointer leads, in each form that servers take:
//!
//! - an array has its length;
//! - an object of arrays or objects (columns, as pandas has them) has its longest;
//! - an array of V2 tensors (Open Inference Protocol: objects with a `shape`) has their largest first
//!   dimension;
//! - labels (the `index` of pandas' `split` form) are an array, an array of one for each level, or the
//!   names of an object.
//!
//! Where a document has several readings the one with the most rows counts.

use super::flaw::Flaw;
use super::name::spells;
use super::watch::Kind;

/// What a container is to the one around it, whose rows are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing.
    #[default]
    None,
    /// A column of an object.
    Column,
    /// An object in an array: a record, or a tensor.
    Record,
    /// The `shape` of a record; of a number: one of its dimensions.
    Shape,
    /// The `data` of a record.
    Data,
}

/// The members of a V2 tensor, as bits of [`Words`].
const WORDS: [&str; 5] = ["name", "datatype", "shape", "data", "parameters"];
pub(super) type Words = u8;
const SHAPE: Words = 1 << 2;
const DATA: Words = 1 << 3;
/// What no tensor lacks: `name`, `datatype` and `shape`.
const REQUIRED: Words = 0b111;
/// Any of them.
pub(super) const ANY_WORD: Words = 0b1_1111;
/// The longest of them, bytes.
pub(super) const LONGEST_WORD: usize = 10;

/// Those of `set` that are to be kept.
pub(super) fn retain(set: Words, keep: impl Fn(&str) -> bool) -> Words {
    let kept = |index: usize, word: &&str| if keep(word) { 1 << index } else { 0 };
    set & WORDS.iter().enumerate().map(|(index, word)| kept(index, word)).sum::<Words>()
}

/// Those of `set` that a name in a document spells, in any letter case.
pub(super) fn spelled(set: Words, text: &[u8]) -> Words {
    retain(set, |word| spells(text, word).is_some())
}

/// No tensor has more dimensions; NumPy's arrays have 64 at most.
const MAX_DIMENSIONS: u8 = 64;

/// What was met in one container.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Of an array: the arrays and the objects in it.
    arrays: u64,
    objects: u64,
    /// How many of the objects are tensors and nothing else.
    tensors: u64,
    /// The most rows of a column or tensor.
    longest: u64,
    /// Of a record: the members that tensors have, and how many members have their names.
    words: Words,
    named: u64,
    /// Of a `shape`: its dimensions. Of a record: those of its `shape`, if `shaped`.
    shape: Shape,
    shaped: bool,
    /// Of a record: the elements of its `data`.
    data: u64,
    /// Of `data`: it holds further arrays. Of a record: its `data` does.
    nested: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Shape {
    first: u64,
    /// The product of the others.
    others: u64,
    count: u8,
    negative: bool,
}

impl Tally {
    /// A value begins in an array whose rows are counted.
    pub(super) fn element(&mut self, kind: Kind) -> Part {
        match kind {
            Kind::Array => self.arrays = self.arrays.saturating_add(1),
            Kind::Object => {
                self.objects = self.objects.saturating_add(1);
                return Part::Record;
            }
            _ => {}
        }
        Part::None
    }

    /// A label begins, or, as pandas has several levels of them, a list of all labels of one level.
    pub(super) fn label(&mut self, kind: Kind) -> Part {
        match self.element(kind) {
            _ if kind == Kind::Array => Part::Column,
            part => part,
        }
    }

    /// A member begins in an object whose rows are counted.
    pub(super) fn member(kind: Kind) -> Result<Part, Flaw> {
        match kind {
            Kind::Array | Kind::Object => Ok(Part::Column),
            Kind::Null => Ok(Part::None),
            Kind::Number | Kind::Other => Err(Flaw::Rows),
        }
    }

    /// A value begins in a container that is a part of such a one; `word`: the member of a record.
    pub(super) fn value(&mut self, part: Part, word: Words, kind: Kind) -> Result<Part, Flaw> {
        let array = kind == Kind::Array;
        match part {
            Part::Record if array && word == SHAPE => Ok(Part::Shape),
            Part::Record if array && word == DATA => Ok(Part::Data),
            Part::Shape if kind == Kind::Number && self.shape.count < MAX_DIMENSIONS => {
                Ok(Part::Shape)
            }
            Part::Shape => Err(Flaw::Rows),
            Part::Data => {
                self.nested |= array;
                Ok(Part::None)
            }
            Part::None | Part::Column | Part::Record => Ok(Part::None),
        }
    }

    /// A name of a record ended; `word`: which one of [`WORDS`] it is.
    pub(super) fn name(&mut self, word: Words) {
        self.words |= word;
        self.named = self.named.saturating_add(u64::from(word != 0));
    }

    /// A dimension of a `shape` was read.
    pub(super) fn dimension(&mut self, number: u64, negative: bool) {
        let Shape { first, others, count, negative: any } = &mut self.shape;
        match *count {
            0 => (*first, *others) = (number, 1),
            _ => *others = others.saturating_mul(number),
        }
        *count = count.saturating_add(1);
        *any |= negative;
    }

    /// A part of this container ended: so many elements or members, and what was met in it.
    pub(super) fn ended(&mut self, part: Part, size: u64, inner: &Self) -> Result<(), Flaw> {
        match part {
            Part::None => {}
            Part::Column => self.longest = self.longest.max(size),
            Part::Record => {
                let tensor =
                    inner.shaped && inner.words & REQUIRED == REQUIRED && inner.named == size;
                self.tensors = self.tensors.saturating_add(u64::from(tensor));
                self.longest = self.longest.max(inner.rows_of_tensor());
            }
            Part::Shape if inner.shape.negative => return Err(Flaw::Rows),
            Part::Shape => {
                let Shape { first, others, .. } = inner.shape;
                // Of two, whichever makes for more rows.
                self.shape.first = self.shape.first.max(first);
                self.shape.others =
                    if self.shaped { self.shape.others.min(others) } else { others };
                self.shaped = true;
            }
            Part::Data => {
                self.data = self.data.max(size);
                self.nested |= inner.nested || inner.arrays > 0;
            }
        }
        Ok(())
    }

    /// The first dimension, or what `data` holds where that is more: it is flat, or nested as the
    /// shape says.
    fn rows_of_tensor(&self) -> u64 {
        if !self.shaped {
            return 0;
        }
        let Shape { first, others, .. } = self.shape;
        let held = if self.nested { self.data } else { self.data.div_ceil(others.max(1)) };
        first.max(held)
    }

    /// The rows of an array of so many elements; `None` where some are values and others lists or
    /// objects.
    pub(super) fn rows_of_array(&self, size: u64) -> Option<u64> {
        let plain = self.arrays == 0 && self.objects == 0;
        if !plain && self.arrays != size && self.objects != size {
            return None;
        }
        // A server may take an array of tensors for one of records, but not if they have nothing that
        // tensors do not have.
        let tensors = self.tensors == size && size > 0;
        Some(if tensors { self.longest } else { size.max(self.longest) })
    }

    /// The rows of an object: those of its longest column.
    pub(super) fn rows_of_object(&self) -> u64 {
        self.longest
    }
}
