//! Follows JSON Pointers through a document while it streams by.

use super::capture::{Captures, Place};
use super::flaw::Flaw;
use super::frame::Frame;
use super::member::MemberName;
use super::number::Number;
use super::pointers::PointerSet;
use super::pointers::Pointers;
use super::rows::Part;
use super::state::{self, State};
use super::tokens::{Around, Read};
use super::value::{Found, Kind};

/// Follows pointers through one document. The longest pointer bounds its memory.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    frames: Vec<Frame>,
    /// The value at each pointer that is not captured.
    pub(super) found: Vec<Found>,
    /// The number of elements of the document, if it is an array.
    pub(super) elements: Option<u64>,
    name: MemberName,
    /// The current number, the pointers that lead to it, and whether it is a dimension of a tensor.
    number: Number,
    number_at: PointerSet,
    dimension: bool,
    /// The bytes of the document up to the end of the current piece.
    read: u64,
    /// The values that are kept, if any.
    pub(super) captures: Option<Box<Captures>>,
}

impl Watch {
    pub(super) fn new(pointers: &Pointers) -> Self {
        let captured = pointers.captured.iter().count();
        Self {
            frames: Vec::new(),
            found: vec![Found::Absent; pointers.len().saturating_sub(captured)],
            elements: None,
            name: MemberName::default(),
            number: Number::default(),
            number_at: PointerSet::EMPTY,
            dimension: false,
            read: 0,
            captures: pointers.captures().then(Box::default),
        }
    }

    /// The next document begins.
    pub(super) fn restart(&mut self) {
        self.frames.clear();
        self.found.fill(Found::Absent);
        (self.elements, self.dimension, self.read) = (None, false, 0);
        (self.name, self.number) = (MemberName::default(), Number::default());
        self.number_at = PointerSet::EMPTY;
    }

    /// How many containers are watched, from the outermost on.
    pub(super) fn depth(&self) -> usize {
        self.frames.len()
    }

    /// The first state to report while the innermost watched container is the innermost open one.
    /// Outside of all containers a comma must be reported, since it is wrong there.
    pub(super) fn limit(&self) -> State {
        match self.frames.last() {
            None => state::ELEMENT,
            Some(_) if self.name.is_awaited() => state::NAME_ENDED,
            Some(frame) => frame.limit(),
        }
    }

    /// Whether containers that begin in the innermost watched one must be reported, whatever the
    /// limit.
    pub(super) fn counts_containers(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.counts_containers)
    }

    /// What can be read without a report. `inside`: in the innermost watched container itself, which reports no value.
    pub(super) fn around(&self, inside: bool) -> Around {
        let depth = self.depth();
        match self.frames.last() {
            Some(frame) if inside => frame.around(depth),
            _ => Around { depth, closed: true, ..Around::default() },
        }
    }

    /// These were read in the innermost watched container.
    pub(super) fn passed(&mut self, read: Read) {
        if let Some(frame) = self.frames.last_mut() {
            frame.passed(read);
        }
    }

    /// Counts commas between elements of the innermost container.
    pub(super) fn count(&mut self, commas: u64) {
        if let Some(frame) = self.frames.last_mut() {
            frame.count(commas);
        }
    }

    /// The next piece begins: the current name or number may go on in it.
    pub(super) fn resume(&mut self, pointers: &Pointers, piece: &[u8]) {
        self.read = self.read.saturating_add(piece.len() as u64);
        if self.name.cut {
            self.name.resume(pointers, self.depth().saturating_sub(1), piece);
        } else if self.number_matters() {
            self.number_goes_on(piece);
        }
        if let Some(captures) = self.captures.as_mut().filter(|captures| captures.cut) {
            captures.goes_on(piece);
        }
    }

    /// A name begins; `rest` follows its quotation mark in this piece.
    pub(super) fn name_begins(&mut self, pointers: &Pointers, rest: &[u8]) {
        let depth = self.depth().saturating_sub(1);
        if let Some(frame) = self.frames.last_mut() {
            frame.count(1);
            self.name.begin(pointers, frame.awaited(), depth, rest);
        }
    }

    /// The current name ended; [`Flaw::Case`] if it is an awaited one in another letter case.
    pub(super) fn name_ends(&mut self) -> Result<(), Flaw> {
        let (name, member) = self.name.end().ok_or(Flaw::Case)?;
        self.frames.last_mut().map_or(Ok(()), |frame| frame.name_ends(name, member))
    }

    /// A value begins, with which `rest` of the piece begins; [`Flaw::Rows`] if it has no rows where rows are
    /// counted.
    pub(super) fn value(
        &mut self,
        pointers: &Pointers,
        kind: Kind,
        rest: &[u8],
    ) -> Result<(), Flaw> {
        let depth = self.depth();
        let (leading, part) = match self.frames.last_mut() {
            None => (pointers.all(), Part::None),
            Some(frame) => (frame.leading(pointers, depth.saturating_sub(1)), frame.part(kind)?),
        };
        let here = pointers.ending(leading, depth);
        set(&mut self.found, here, if kind == Kind::Null { Found::Null } else { Found::Other });
        match kind {
            Kind::Array | Kind::Object => {
                if depth == 0 || !leading.is_empty() || part != Part::None {
                    let array = kind == Kind::Array;
                    let further =
                        pointers.filter(leading, depth, |token| !array || token.index.is_some());
                    self.frames.push(Frame::new(pointers, depth, here, further, part, array));
                }
            }
            Kind::Null => {}
            _ if here.intersects(pointers.strict) => return Err(Flaw::Rows),
            Kind::Number => {
                self.dimension =
                    self.frames.last_mut().is_some_and(|frame| frame.shape().is_some());
                (self.number, self.number_at) = (Number::default(), here);
            }
            Kind::Other => {}
        }
        if let Some(captures) = &mut self.captures {
            let here = here.intersection(pointers.captured);
            let offset = self.read.saturating_sub(rest.len() as u64);
            let first = rest.first().copied().unwrap_or_default();
            captures.place_at(here, Place { offset, first });
            if matches!(kind, Kind::Number | Kind::Other) {
                captures.begin(here, rest);
            }
        }
        Ok(())
    }

    /// The innermost watched container ends. `empty`: right after its opening bracket.
    pub(super) fn close(&mut self, pointers: &Pointers, empty: bool) -> Result<(), Flaw> {
        let Some((frame, around)) = self.frames.split_last_mut() else { return Ok(()) };
        let size = frame.size(empty);
        if let Some(captures) = &mut self.captures
            && size == 0
        {
            captures.lack(frame.members(pointers, around.len()));
        }
        if !frame.rows.is_empty() {
            set(&mut self.found, frame.rows, Found::Rows(frame.row_count(size)?));
        }
        match around.last_mut() {
            Some(around) => around.child_ends(frame, size)?,
            None if frame.array => self.elements = Some(size),
            None => {}
        }
        self.frames.pop();
        Ok(())
    }

    /// A number begins; `rest` of the piece begins with it.
    pub(super) fn number_begins(&mut self, pointers: &Pointers, rest: &[u8]) -> Result<(), Flaw> {
        self.value(pointers, Kind::Number, rest)?;
        if self.number_matters() {
            self.number_goes_on(rest);
        }
        Ok(())
    }

    fn number_matters(&self) -> bool {
        self.dimension || !self.number_at.is_empty()
    }

    fn number_goes_on(&mut self, piece: &[u8]) {
        if piece.iter().any(|byte| !self.number.take(*byte)) {
            self.number_ends();
        }
    }

    /// The current number, if it matters, is complete.
    pub(super) fn number_ends(&mut self) {
        let here = std::mem::take(&mut self.number_at);
        let value = self.number.rounded_up();
        if std::mem::take(&mut self.dimension)
            && let Some(shape) = self.frames.last_mut().and_then(Frame::shape)
        {
            shape.add(value, self.number.negative());
        }
        set(&mut self.found, here, Found::Number(value));
    }
}

fn set(found: &mut [Found], pointers: PointerSet, value: Found) {
    for index in pointers.iter() {
        if let Some(found) = found.get_mut(index) {
            *found = value;
        }
    }
}
