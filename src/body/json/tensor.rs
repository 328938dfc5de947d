//! V2 tensors (Open Inference Protocol): objects with `name`, `datatype`, `shape` and `data`.

use super::flaw::Flaw;
use super::name::spells;
use super::token::Names;

/// The names of the members that a tensor has; [`Members`] holds them by index.
const NAMES: [&str; 5] = ["name", "datatype", "shape", "data", "parameters"];
/// The longest of them, bytes.
pub(super) const LONGEST_NAME: usize = 10;
/// The most dimensions of a tensor; NumPy's arrays have no more.
const MAX_DIMENSIONS: u8 = 64;

/// A set of members that tensors have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Members(u8);

impl Members {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ANY: Self = Self(0b1_1111);
    pub(super) const SHAPE: Self = Self(1 << 2);
    pub(super) const DATA: Self = Self(1 << 3);
    /// `name`, `datatype` and `shape`, which every tensor has.
    const REQUIRED: Self = Self(0b111);

    /// Their names. A record without a `shape` is no tensor, whatever else it has.
    pub(super) const NAMES: Names = {
        let [name, datatype, _, data, parameters] = NAMES;
        Names::of(name)
            .with(Names::of(datatype))
            .with(Self::SHAPES)
            .with(Names::of(data))
            .with(Names::of(parameters))
    };
    pub(super) const SHAPES: Names = Names::of("shape");

    pub(super) fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// The members whose name may begin with this byte, `None` and a quotation mark: not known.
    pub(super) fn beginning(first: Option<u8>) -> Self {
        match first {
            None | Some(b'"' | b'\\') => Self::ANY,
            Some(b'n' | b'N') => Self(1),
            Some(b'd' | b'D') => Self(0b1010),
            // A letter outside of ASCII may fold to an `s`.
            Some(b's' | b'S' | 0x80..) => Self::SHAPE,
            Some(b'p' | b'P') => Self(0b1_0000),
            Some(_) => Self::NONE,
        }
    }

    /// The members in both sets.
    pub(super) fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The members of this set whose name is to be kept.
    pub(super) fn filter(self, keep: impl Fn(&str) -> bool) -> Self {
        if self.is_empty() {
            return self;
        }
        let bit = |(index, name): (usize, &&str)| if keep(name) { 1 << index } else { 0 };
        Self(self.0 & NAMES.iter().enumerate().map(bit).sum::<u8>())
    }

    /// The members of this set that a name in a document spells, in any letter case.
    pub(super) fn spelled(self, text: &[u8]) -> Self {
        self.filter(|name| spells(text, name).is_some())
    }
}

/// The dimensions of a tensor.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    first: u64,
    /// The product of all but the first.
    others: u64,
    count: u8,
    negative: bool,
}

impl Shape {
    /// Whether it has as many dimensions as a tensor may have.
    pub(super) fn is_full(&self) -> bool {
        self.count >= MAX_DIMENSIONS
    }

    pub(super) fn add(&mut self, dimension: u64, negative: bool) {
        match self.count {
            0 => (self.first, self.others) = (dimension, 1),
            _ => self.others = self.others.saturating_mul(dimension),
        }
        self.count = self.count.saturating_add(1);
        self.negative |= negative;
    }
}

/// An object in an array, which may be a tensor.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tensor {
    members: Members,
    /// The number of members with a name of a tensor's, duplicates included.
    named: u64,
    shape: Option<Shape>,
    /// The number of elements of `data`.
    data: u64,
    /// `data` holds further arrays.
    nested: bool,
}

impl Tensor {
    /// A name ended; `member` is the member of a tensor that it spells, if any.
    pub(super) fn name_ends(&mut self, member: Members) {
        self.members = Members(self.members.0 | member.0);
        self.named = self.named.saturating_add(u64::from(!member.is_empty()));
    }

    /// `shape` ended; [`Flaw::Rows`] if a dimension is negative. Of several shapes, the dimensions that
    /// make for more rows count.
    pub(super) fn shape_ends(&mut self, shape: Shape) -> Result<(), Flaw> {
        if shape.negative {
            return Err(Flaw::Rows);
        }
        let earlier = self.shape.unwrap_or(Shape { others: u64::MAX, ..shape });
        let first = earlier.first.max(shape.first);
        self.shape = Some(Shape { first, others: earlier.others.min(shape.others), ..shape });
        Ok(())
    }

    /// `data` ended with so many elements. `nested`: arrays are among them.
    pub(super) fn data_ends(&mut self, elements: u64, nested: bool) {
        self.data = self.data.max(elements);
        self.nested |= nested;
    }

    pub(super) fn has_shape(&self) -> bool {
        self.shape.is_some()
    }

    /// Whether an object of so many members is a tensor and has no other members.
    pub(super) fn is_pure(&self, members: u64) -> bool {
        let required = self.members.0 & Members::REQUIRED.0 == Members::REQUIRED.0;
        self.shape.is_some() && required && self.named == members
    }

    /// The first dimension or, if more, the rows that `data` holds, flat or nested; 0 without a
    /// `shape`.
    pub(super) fn rows(&self) -> u64 {
        let Some(shape) = self.shape else { return 0 };
        let held = if self.nested { self.data } else { self.data.div_ceil(shape.others.max(1)) };
        shape.first.max(held)
    }
}

#[cfg(test)]
mod tests {
    use super::super::name::may_begin;
    use super::*;

    #[test]
    fn the_first_byte_rules_out_the_same_members_as_their_names() {
        for first in 0..=u8::MAX {
            let may = |name: &str| first == b'"' || may_begin(first, name.bytes().next());
            assert_eq!(Members::beginning(Some(first)), Members::ANY.filter(may), "{first}");
        }
        assert_eq!(Members::beginning(None), Members::ANY);
    }
}
