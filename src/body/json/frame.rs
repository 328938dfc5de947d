//! One open container of a document, as far as it is watched.

use super::flaw::Flaw;
use super::pointers::PointerSet;
use super::pointers::Pointers;
use super::rows::{Part, Tally};
use super::state::{self, State};
use super::tensor::{Members, Shape, Tensor};
use super::token::Names;
use super::tokens::{Around, Read};
use super::value::Kind;

/// The outermost container, one that a pointer leads into, one whose rows are counted, or a part of
/// one.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    pub(super) array: bool,
    /// The pointers that lead to a value in it.
    further: PointerSet,
    /// The pointers that lead to it and count its rows.
    pub(super) rows: PointerSet,
    /// Its rows are labels.
    labels: bool,
    /// Each container that begins in it must be reported, whatever the limit.
    pub(super) counts_containers: bool,
    part: Part,
    tally: Tally,
    /// The tensor that a record may be.
    tensor: Tensor,
    /// The dimensions read from a `shape`.
    shape: Shape,
    /// In an array, the commas so far: the index of the current element. In an object, the names.
    count: u64,
    /// The pointers whose next token an earlier member was.
    seen: PointerSet,
    /// The pointers whose next token the current member is.
    next: PointerSet,
    /// The member of a tensor that the current member is, if any.
    member: Members,
    /// The names that may be awaited.
    names: Names,
}

impl Frame {
    /// A container that these pointers lead to, of which those in `further` lead on.
    /// `depth`: how many containers are around it.
    pub(super) fn new(
        pointers: &Pointers,
        depth: usize,
        here: PointerSet,
        further: PointerSet,
        part: Part,
        array: bool,
    ) -> Self {
        let rows = here.intersection(pointers.rows);
        let labels = rows.intersects(pointers.labels);
        let counts_containers = array && (!rows.is_empty() || part == Part::Data);
        let own = if part == Part::Record { Members::NAMES } else { Names::NONE };
        let names = own.with(pointers.names(further, depth));
        Self { array, further, rows, labels, counts_containers, part, names, ..Self::default() }
    }

    /// The first state that must be reported while no name is awaited and no container is open in it.
    pub(super) fn limit(&self) -> State {
        let leads_on = !self.further.is_empty();
        if self.array {
            let values = leads_on || self.part == Part::Shape;
            if values { state::VALUE_BEGUN } else { state::ACTION }
        } else if !self.rows.is_empty() || !self.next.is_empty() || !self.member.is_empty() {
            state::VALUE_BEGUN
        } else if leads_on || matches!(self.part, Part::Column | Part::Record) {
            state::NAME_BEGUN
        } else {
            state::ACTION
        }
    }

    /// What of it can be read without a report, while [`Frame::limit`] reports no value. `depth`: how many containers
    /// are open with it.
    pub(super) fn around(&self, depth: usize) -> Around {
        let columns = self.labels && !self.rows.is_empty();
        let records = self.array && !self.rows.is_empty();
        Around {
            depth,
            names: self.names,
            arrays: !columns,
            // Where one is a tensor, the next is likely to be one.
            objects: !(records && self.tally.shaped),
            inner: if records { Members::SHAPES } else { Names::NONE },
            closed: false,
        }
    }

    /// These were read in it without a report.
    pub(super) fn passed(&mut self, read: Read) {
        self.count(read.count);
        self.tally.pass(read.arrays, read.objects);
    }

    /// Counts commas of an array or names of an object.
    pub(super) fn count(&mut self, more: u64) {
        self.count = self.count.saturating_add(more);
    }

    /// The pointers and the members of a tensor that the next name may belong to.
    pub(super) fn awaited(&self) -> (PointerSet, Members) {
        (self.further, if self.part == Part::Record { Members::ANY } else { Members::NONE })
    }

    /// A name ended that belongs to these pointers and is this member of a tensor;
    /// [`Flaw::Duplicate`] if an earlier member had the same name.
    pub(super) fn name_ends(&mut self, name: PointerSet, member: Members) -> Result<(), Flaw> {
        if self.seen.intersects(name) {
            return Err(Flaw::Duplicate);
        }
        self.seen = self.seen.union(name);
        (self.next, self.member) = (name, member);
        self.tensor.name_ends(member);
        Ok(())
    }

    /// The pointers that lead to or through the value that begins in it. `depth`: how many containers
    /// are around this one.
    pub(super) fn leading(&mut self, pointers: &Pointers, depth: usize) -> PointerSet {
        if !self.array {
            return std::mem::take(&mut self.next);
        }
        pointers.filter(self.further, depth, |token| token.index == Some(self.count))
    }

    /// The role of the value that begins in it; [`Flaw::Rows`] if it is no column of an object, or no
    /// dimension of a `shape`.
    pub(super) fn part(&mut self, kind: Kind) -> Result<Part, Flaw> {
        if !self.rows.is_empty() {
            return match kind {
                _ if self.array => Ok(self.tally.element(kind, self.labels)),
                _ if self.labels => Ok(Part::None),
                Kind::Array | Kind::Object => Ok(Part::Column),
                Kind::Null => Ok(Part::None),
                Kind::Number | Kind::Other => Err(Flaw::Rows),
            };
        }
        let member = std::mem::take(&mut self.member);
        match self.part {
            Part::Record if kind == Kind::Array && member == Members::SHAPE => Ok(Part::Shape),
            Part::Record if kind == Kind::Array && member == Members::DATA => Ok(Part::Data),
            Part::Shape if kind != Kind::Number || self.shape.is_full() => Err(Flaw::Rows),
            Part::Data => {
                self.tally.element(kind, false);
                Ok(Part::None)
            }
            _ => Ok(Part::None),
        }
    }

    /// The dimensions, if a number that begins in it is one.
    pub(super) fn shape(&mut self) -> Option<&mut Shape> {
        (self.part == Part::Shape && self.rows.is_empty()).then_some(&mut self.shape)
    }

    /// The pointers to its elements or members. `depth`: how many containers are around it.
    pub(super) fn members(&self, pointers: &Pointers, depth: usize) -> PointerSet {
        pointers.ending(self.further, depth.saturating_add(1))
    }

    /// Its elements or members when it ends. `empty`: it ends right after its opening bracket.
    pub(super) fn size(&self, empty: bool) -> u64 {
        self.count.saturating_add(u64::from(self.array && !empty))
    }

    /// Its rows when it ends; [`Flaw::Rows`] for an array that programs read in different ways.
    pub(super) fn row_count(&self, size: u64) -> Result<u64, Flaw> {
        match self.array {
            true => self.tally.rows_of_array(size).ok_or(Flaw::Rows),
            false if self.labels => Ok(self.tally.longest.max(size)),
            false => Ok(self.tally.longest),
        }
    }

    /// A container in it ended, with so many elements or members; [`Flaw::Rows`] for a `shape` with a
    /// negative dimension.
    pub(super) fn child_ends(&mut self, child: &Self, size: u64) -> Result<(), Flaw> {
        match child.part {
            Part::None => {}
            Part::Column => self.tally.longest = self.tally.longest.max(size),
            Part::Record => self.tally.record_ends(&child.tensor, size),
            Part::Shape => self.tensor.shape_ends(child.shape)?,
            Part::Data => self.tensor.data_ends(size, child.tally.arrays > 0),
        }
        Ok(())
    }
}
