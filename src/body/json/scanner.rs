//! A strict JSON scanner (RFC 8259) for documents that come in pieces.
//!
//! One pass, no tree, no recursion: it holds a byte for each open bracket and a few words for the
//! pointers it follows, however long strings, names and numbers are. That is why it is our own:
//! parsers for chunked input gather whole strings and numbers first. JSONTestSuite decides whether
//! it is right (`tests/json_suite.rs`).

use super::flaw::{Flaw, Malformed};
use super::grammar::{self, State};
use super::pointers::Pointers;
use super::table::{self, Rows};
use super::watch::{Found, Kind, Watch};

/// Scans one document. The pieces may be cut anywhere, inside characters and numbers too.
#[derive(Clone, Debug)]
pub struct Scanner {
    state: State,
    /// What bytes mean in the innermost container.
    rows: &'static Rows,
    /// From this state on, something is looked for or is to do.
    limit: State,
    /// Room for the containers that may be open; `true`: an object.
    open: Vec<bool>,
    /// How many are.
    depth: usize,
    offset: u64,
    watch: Watch,
    /// The innermost container is watched.
    watched: bool,
    /// The containers that begin in it are to be told of.
    told: bool,
    failed: Option<Malformed>,
}

impl Scanner {
    /// A scanner for one document in which so many containers may stand inside each other.
    pub fn new(pointers: &Pointers, max_depth: usize) -> Self {
        Self {
            state: grammar::VALUE,
            rows: &table::ARRAY,
            limit: grammar::ELEMENT,
            open: vec![false; max_depth],
            depth: 0,
            offset: 0,
            watch: Watch::new(pointers),
            watched: true,
            told: true,
            failed: None,
        }
    }

    /// Takes the next piece; `pointers` are those of [`Scanner::new`].
    ///
    /// # Errors
    /// The first flaw of the document, at this and every later call.
    pub fn feed(&mut self, pointers: &Pointers, piece: &[u8]) -> Result<(), Malformed> {
        if self.failed.is_none() {
            self.watch.goes_on(pointers, piece);
            self.scan(pointers, piece);
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// The document is complete.
    ///
    /// # Errors
    /// Its flaw; a document that breaks off, or is empty, has one.
    pub fn finish(&mut self) -> Result<(), Malformed> {
        if self.failed.is_none() {
            self.watch.number_ends();
            if !grammar::complete(self.state) || self.depth > 0 {
                self.failed = Some(Malformed { offset: self.offset, flaw: Flaw::End });
            }
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// What stands where each pointer leads, in their order; final after [`Scanner::finish`].
    pub fn found(&self) -> &[Found] {
        self.watch.found()
    }

    /// How many elements the document has, if it is itself an array.
    pub fn elements(&self) -> Option<u64> {
        self.watch.elements()
    }

    fn scan(&mut self, pointers: &Pointers, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() {
            if grammar::in_text(self.state) {
                rest = rest.get(plain(rest)..).unwrap_or_default();
            }
            let (block, after) = rest.split_at_checked(BLOCK).unwrap_or((rest, &[]));
            if let Err((place, flaw)) = self.block(pointers, block, rest) {
                let read = piece.len().saturating_sub(rest.len()).saturating_add(place);
                let offset = self.offset.saturating_add(read as u64);
                self.failed = Some(Malformed { offset, flaw });
                return;
            }
            rest = after;
        }
        self.offset = self.offset.saturating_add(piece.len() as u64);
    }

    /// Reads a block, the start of what is left of a piece. The error tells its place in the block.
    fn block(
        &mut self,
        pointers: &Pointers,
        block: &[u8],
        rest: &[u8],
    ) -> Result<(), (usize, Flaw)> {
        let (mut state, mut rows, mut limit) = (self.state, self.rows, self.limit);
        let mut commas = 0;
        for (place, byte) in block.iter().enumerate() {
            let next = table::step(rows, state, *byte);
            commas += u64::from(next == grammar::ELEMENT);
            if next < limit {
                state = next;
                continue;
            }
            if self.watched {
                self.watch.count(commas);
            }
            commas = 0;
            state = match next {
                grammar::OPEN_ARRAY => self.open(pointers, false),
                grammar::OPEN_OBJECT => self.open(pointers, true),
                grammar::CLOSE if self.depth > 0 => self.close(state),
                _ if next < grammar::EVENT && next != grammar::ELEMENT => {
                    self.tell(pointers, next, rest.get(place..).unwrap_or_default())
                }
                _ => Err(grammar::flaw(state, *byte, self.depth > 0)),
            }
            .map_err(|flaw| (place, flaw))?;
            (rows, limit) = (self.rows, self.limit);
        }
        if self.watched {
            self.watch.count(commas);
        }
        self.state = state;
        Ok(())
    }

    /// Something begins or ends that is wanted, with the first byte of `rest`.
    fn tell(&mut self, pointers: &Pointers, next: State, rest: &[u8]) -> Result<State, Flaw> {
        match next {
            grammar::NAME_ENDED => self.watch.name_ends()?,
            grammar::NAME_BEGUN => {
                self.watch.name_begins(pointers, rest.get(1..).unwrap_or_default());
            }
            _ if grammar::number_begun(next) => self.watch.number_begins(pointers, rest)?,
            grammar::NULL_BEGUN => self.watch.value(pointers, Kind::Null)?,
            _ => self.watch.value(pointers, Kind::Other)?,
        }
        self.aim();
        Ok(next)
    }

    #[inline]
    fn open(&mut self, pointers: &Pointers, object: bool) -> Result<State, Flaw> {
        *self.open.get_mut(self.depth).ok_or(Flaw::Depth)? = object;
        self.depth = self.depth.wrapping_add(1);
        if self.told {
            self.watch.value(pointers, if object { Kind::Object } else { Kind::Array })?;
            self.aim();
        } else {
            (self.watched, self.limit) = (false, grammar::EVENT);
        }
        let (rows, state) = if object {
            (&table::OBJECT, grammar::FIRST_NAME)
        } else {
            (&table::ARRAY, grammar::FIRST_ELEMENT)
        };
        self.rows = rows;
        Ok(state)
    }

    #[inline]
    fn close(&mut self, state: State) -> Result<State, Flaw> {
        self.depth = self.depth.wrapping_sub(1);
        if self.watched {
            self.watch.close(state == grammar::FIRST_ELEMENT)?;
        }
        if self.watch.depth() == self.depth {
            self.aim();
        }
        let outer = self.depth.checked_sub(1).and_then(|outer| self.open.get(outer));
        self.rows = if outer == Some(&true) { &table::OBJECT } else { &table::ARRAY };
        Ok(grammar::AFTER)
    }

    /// What is looked for, or where, has changed.
    fn aim(&mut self) {
        self.watched = self.watch.depth() == self.depth;
        self.limit = if self.watched { self.watch.limit() } else { grammar::EVENT };
        self.told =
            self.limit < grammar::NAME_BEGUN || (self.watched && self.watch.minds_containers());
    }
}

/// How many bytes are read between looks for a run of plain text.
const BLOCK: usize = 32;

/// How many bytes at the start of a piece are surely plain ASCII of a string, by whole words.
fn plain(piece: &[u8]) -> usize {
    let (words, _) = piece.as_chunks();
    let plain = |word: &[u8; 8]| {
        let [word, quotes, slashes, controls] =
            [0, b'"', b'\\', 0].map(|byte| u64::from_le_bytes(*word) ^ repeated(byte));
        let marks = quotes.wrapping_sub(repeated(1))
            | slashes.wrapping_sub(repeated(1))
            | controls.wrapping_sub(repeated(0x20));
        (word | marks) & repeated(0x80) == 0
    };
    words.iter().take_while(|word| plain(word)).count().saturating_mul(8)
}

fn repeated(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}
