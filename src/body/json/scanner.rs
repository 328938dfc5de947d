//! A strict JSON scanner (RFC 8259) for documents that arrive in pieces.
//!
//! It makes one pass, without a tree and without recursion. It holds a byte for each open bracket and
//! a few words for the pointers it follows, however long strings, names and numbers are. Other
//! parsers of chunked input first collect whole strings and numbers. `tests/json_suite.rs` checks it
//! against JSONTestSuite.

pub use super::capture::Place;
use super::flaw::{Flaw, Malformed};
use super::grammar;
use super::pointers::Pointers;
use super::skip::Skip;
use super::state::{self, State};
use super::table::{self, Classes};
use super::text::text;
use super::tokens::{At, tokens};
use super::value::Kind;
use super::watch::Watch;

/// Scans one document. The pieces may be cut anywhere, even inside characters and numbers.
#[derive(Clone, Debug)]
pub struct Scanner {
    state: State,
    /// The classes of bytes in the innermost container.
    classes: &'static Classes,
    /// The first state that the loop over the bytes must report.
    limit: State,
    /// For each container that may be open, whether it is an object.
    open: Vec<bool>,
    /// The number of open containers.
    depth: usize,
    offset: u64,
    pub(super) watch: Watch,
    /// The innermost container is watched.
    watched: bool,
    /// The containers that begin in it must be reported.
    reports_containers: bool,
    failed: Option<Malformed>,
    /// Only the numbers at pointers matter.
    finds: bool,
    /// Text and numbers are read many bytes at once.
    ahead: bool,
    /// The value that is passed over for it.
    skip: Skip,
}

impl Scanner {
    /// A scanner for one document. `max_depth`: how many containers may be open at once.
    pub fn new(pointers: &Pointers, max_depth: usize) -> Self {
        Self {
            state: state::VALUE,
            classes: &table::ARRAY,
            limit: state::ELEMENT,
            open: vec![false; max_depth],
            depth: 0,
            offset: 0,
            watch: Watch::new(pointers),
            watched: true,
            reports_containers: true,
            failed: None,
            finds: false,
            ahead: true,
            skip: Skip::default(),
        }
    }

    /// A scanner that only finds what the pointers lead to. It passes over the arrays and objects that none of
    /// them leads into: it sees where they end and does not check them.
    pub fn finding(pointers: &Pointers) -> Self {
        let deepest = pointers.longest_list().saturating_add(1);
        Self { finds: true, ..Self::new(pointers, deepest) }
    }

    /// A scanner that reads byte by byte.
    #[cfg(test)]
    pub(crate) fn bytewise(pointers: &Pointers, max_depth: usize) -> Self {
        Self { ahead: false, ..Self::new(pointers, max_depth) }
    }

    /// The next document begins.
    pub fn restart(&mut self) {
        self.watch.restart();
        (self.state, self.classes, self.limit) = (state::VALUE, &table::ARRAY, state::ELEMENT);
        (self.depth, self.offset, self.failed) = (0, 0, None);
        (self.watched, self.reports_containers) = (true, true);
        self.skip = Skip::default();
    }

    /// Takes the next piece; `pointers` are those of [`Scanner::new`].
    ///
    /// # Errors
    /// The first flaw of the document, in this call and every later one.
    pub fn feed(&mut self, pointers: &Pointers, piece: &[u8]) -> Result<(), Malformed> {
        if self.failed.is_none() {
            self.watch.resume(pointers, piece);
            self.scan(pointers, piece);
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// The document is complete.
    ///
    /// # Errors
    /// The first flaw of the document, also if it is empty or incomplete.
    pub fn finish(&mut self) -> Result<(), Malformed> {
        if self.failed.is_none() {
            self.watch.number_ends();
            // What is passed over is inside an array or object.
            if !grammar::is_complete(self.state) || self.depth > 0 {
                self.failed = Some(Malformed { offset: self.offset, flaw: Flaw::End });
            }
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// Whether the document is a value that has ended, except for numbers, without a flaw so far.
    pub fn has_closed(&self) -> bool {
        self.failed.is_none() && self.depth == 0 && self.state == state::AFTER_VALUE
    }

    fn scan(&mut self, pointers: &Pointers, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() {
            if self.skip.is_on() {
                rest = self.skip.feed(rest);
            } else if self.ahead {
                rest = self.ahead(rest);
            }
            let block = rest.get(..BLOCK).unwrap_or(rest);
            match self.block(pointers, block, rest) {
                Ok(read) => rest = rest.get(read..).unwrap_or_default(),
                Err((place, flaw)) => {
                    let read = piece.len().saturating_sub(rest.len()).saturating_add(place);
                    let offset = self.offset.saturating_add(read as u64);
                    self.failed = Some(Malformed { offset, flaw });
                    return;
                }
            }
        }
        self.offset = self.offset.saturating_add(piece.len() as u64);
    }

    /// Reads text, or whole tokens that are not reported, with which the rest of a piece begins; returns what follows.
    fn ahead<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        match grammar::unreported(self.state) {
            state::STRING | state::NAME => text(piece),
            // In the document itself, each value and each comma is reported.
            state @ state::VALUE..=state::AFTER_VALUE
                if state != state::COLON && self.limit >= state::NAME_BEGUN =>
            {
                self.tokens(state, piece)
            }
            _ => piece,
        }
    }

    fn tokens<'a>(&mut self, state: State, piece: &'a [u8]) -> &'a [u8] {
        let mut around = self.watch.around(self.watched);
        if self.finds {
            (around.arrays, around.objects) = (false, false);
        }
        let start = At { state, depth: self.depth, rest: piece };
        let (end, read) = tokens(start, &around, &mut self.open);
        self.watch.passed(read);
        self.state = end.state;
        if end.depth != self.depth {
            self.depth = end.depth;
            self.update_limit();
        }
        // At the same depth, another container may have begun.
        self.update_classes();
        end.rest
    }

    /// Reads a block, with which `rest` of the piece begins, up to a value that is passed over: the bytes read. An
    /// error has its place in the block.
    fn block(
        &mut self,
        pointers: &Pointers,
        block: &[u8],
        rest: &[u8],
    ) -> Result<usize, (usize, Flaw)> {
        let (mut state, classes, limit) = (self.state, self.classes, self.limit);
        let mut commas = 0;
        for (place, byte) in block.iter().enumerate() {
            let next = table::step(classes, state, *byte);
            commas += u64::from(next == state::ELEMENT);
            if next < limit {
                state = next;
                continue;
            }
            if self.watched {
                self.watch.count(commas);
            }
            state = match next {
                state::OPEN_ARRAY => self.open(pointers, false, (rest, place)),
                state::OPEN_OBJECT => self.open(pointers, true, (rest, place)),
                state::CLOSE if self.depth > 0 => self.close(pointers, state),
                _ if next < state::ACTION && next != state::ELEMENT => {
                    self.report(pointers, next, rest.get(place..).unwrap_or_default())
                }
                _ => Err(grammar::flaw(state, *byte, self.depth > 0)),
            }
            .map_err(|flaw| (place, flaw))?;
            self.state = state;
            return Ok(place.saturating_add(1));
        }
        if self.watched {
            self.watch.count(commas);
        }
        self.state = state;
        Ok(block.len())
    }

    /// A name or value begins or ends that the watch must know of, with the first byte of `rest`.
    fn report(&mut self, pointers: &Pointers, next: State, rest: &[u8]) -> Result<State, Flaw> {
        match next {
            state::NAME_ENDED => self.watch.name_ends()?,
            state::NAME_BEGUN => {
                self.watch.name_begins(pointers, rest.get(1..).unwrap_or_default());
            }
            _ if grammar::number_begun(next) => self.watch.number_begins(pointers, rest)?,
            state::NULL_BEGUN => self.watch.value(pointers, Kind::Null, rest)?,
            _ => self.watch.value(pointers, Kind::Other, rest)?,
        }
        self.update_limit();
        Ok(next)
    }

    /// `at`: the rest of the piece from this block on, and the place of the bracket in it.
    #[inline]
    fn open(
        &mut self,
        pointers: &Pointers,
        object: bool,
        at: (&[u8], usize),
    ) -> Result<State, Flaw> {
        match self.open.get_mut(self.depth) {
            Some(place) => *place = object,
            // It is too deep for every pointer.
            None if self.finds => {}
            None => return Err(Flaw::Depth),
        }
        let reports = self.reports_containers;
        if reports {
            let rest = at.0.get(at.1..).unwrap_or_default();
            self.watch.value(pointers, if object { Kind::Object } else { Kind::Array }, rest)?;
        }
        if self.finds && self.watch.depth() == self.depth {
            self.skip.begin();
            self.update_limit();
            return Ok(state::AFTER_VALUE);
        }
        self.depth = self.depth.wrapping_add(1);
        if reports {
            self.update_limit();
        } else {
            (self.watched, self.limit) = (false, state::ACTION);
        }
        let (classes, state) = if object {
            (&table::OBJECT, state::FIRST_MEMBER)
        } else {
            (&table::ARRAY, state::FIRST_ELEMENT)
        };
        self.classes = classes;
        Ok(state)
    }

    #[inline]
    fn close(&mut self, pointers: &Pointers, state: State) -> Result<State, Flaw> {
        self.depth = self.depth.wrapping_sub(1);
        if self.watched {
            self.watch.close(pointers, state == state::FIRST_ELEMENT)?;
        }
        if self.watch.depth() == self.depth {
            self.update_limit();
        }
        self.update_classes();
        Ok(state::AFTER_VALUE)
    }

    /// The innermost container is another one.
    #[inline]
    fn update_classes(&mut self) {
        let outer = self.depth.checked_sub(1).and_then(|outer| self.open.get(outer));
        self.classes = if outer == Some(&true) { &table::OBJECT } else { &table::ARRAY };
    }

    /// The watch, or the innermost container, has changed.
    #[inline]
    fn update_limit(&mut self) {
        self.watched = self.watch.depth() == self.depth;
        self.limit = if self.watched { self.watch.limit() } else { state::ACTION };
        self.reports_containers =
            self.limit < state::NAME_BEGUN || (self.watched && self.watch.counts_containers());
    }
}

/// The bytes to read before the next look for text or whole tokens.
const BLOCK: usize = 16;
