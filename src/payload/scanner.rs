//! A strict JSON scanner (RFC 8259) for documents that come in pieces.
//!
//! One pass, no tree, no recursion: it holds one bit of state for each open bracket and a few words
//! for the pointers it follows, however long strings, names and numbers are. That is why it is our
//! own: parsers for chunked input gather whole strings and numbers first. JSONTestSuite decides
//! whether it is right (`tests/json_suite.rs`).

use super::flaw::{Flaw, Malformed};
use super::text::Text;
use super::watch::{Found, Kind, Pointers, Watch};

/// Scans one document. The pieces may be cut anywhere, inside characters and numbers too.
#[derive(Clone, Debug)]
pub struct Scanner {
    state: State,
    /// The open containers; `true`: an object.
    open: Vec<bool>,
    max_depth: usize,
    offset: u64,
    watch: Watch,
    failed: Option<Malformed>,
}

/// What may come next.
#[derive(Clone, Copy, Debug)]
enum State {
    /// A value.
    Value,
    /// A value, or the end of the array that has just begun.
    FirstElement,
    /// A name.
    Name,
    /// A name, or the end of the object that has just begun.
    FirstName,
    /// The colon after a name.
    Colon,
    /// What follows a value.
    After,
    /// Inside a string.
    Text { text: Text, name: bool },
    /// Inside a number: its part, and its value as long as it is whole and fits.
    Number { part: Part, value: Option<u64> },
    /// Inside `true`, `false` or `null`: what is left of it.
    Literal(&'static [u8]),
}

/// The part of a number that was read last (RFC 8259 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    Sign,
    Power,
}

impl Part {
    /// The part that a byte belongs to; `None`: it is not of the number.
    fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Minus, b'0') => Self::Zero,
            (Self::Minus, b'1'..=b'9') | (Self::Integer, b'0'..=b'9') => Self::Integer,
            (Self::Zero | Self::Integer, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Self::Exponent,
            (Self::Exponent, b'+' | b'-') => Self::Sign,
            (Self::Exponent | Self::Sign | Self::Power, b'0'..=b'9') => Self::Power,
            _ => return None,
        })
    }

    /// Whether a number may end here.
    fn whole(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::Power)
    }
}

impl Scanner {
    /// A scanner for one document in which so many containers may stand inside each other.
    pub fn new(pointers: &Pointers, max_depth: usize) -> Self {
        let watch = Watch::new(pointers);
        Self { state: State::Value, open: Vec::new(), max_depth, offset: 0, watch, failed: None }
    }

    /// Takes the next piece; `pointers` are those of [`Scanner::new`].
    ///
    /// # Errors
    /// The first flaw of the document, at this and every later call.
    pub fn feed(&mut self, pointers: &Pointers, piece: &[u8]) -> Result<(), Malformed> {
        let mut rest = piece;
        while self.failed.is_none() {
            rest = rest.get(self.skip(rest)..).unwrap_or_default();
            let Some((byte, after)) = rest.split_first() else { break };
            match self.step(pointers, *byte) {
                Ok(()) => self.offset = self.offset.saturating_add(1),
                Err(flaw) => self.failed = Some(Malformed { offset: self.offset, flaw }),
            }
            rest = after;
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// The document is complete.
    ///
    /// # Errors
    /// Its flaw; a document that breaks off, or is empty, has one.
    pub fn finish(&mut self) -> Result<(), Malformed> {
        if self.failed.is_none() {
            if let State::Number { part, value } = self.state
                && part.whole()
            {
                self.number_ends(value);
            }
            if !matches!(self.state, State::After) || !self.open.is_empty() {
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

    /// How many bytes at the start of a piece change nothing: the plain ASCII of a string that is
    /// no name looked for, and the digits of a number that is not looked for. That is most of most
    /// documents.
    fn skip(&mut self, piece: &[u8]) -> usize {
        let length = match self.state {
            State::Text { text: Text::Plain, name } if !(name && self.watch.wants_name()) => {
                let plain = |b: &u8| matches!(b, 0x20..=0x7f) && *b != b'"' && *b != b'\\';
                piece.iter().position(|b| !plain(b))
            }
            State::Number { part: Part::Integer | Part::Fraction | Part::Power, .. }
                if !self.watch.wants_number() =>
            {
                piece.iter().position(|b| !b.is_ascii_digit())
            }
            _ => return 0,
        };
        let length = length.unwrap_or(piece.len());
        self.offset = self.offset.saturating_add(length as u64);
        length
    }

    fn step(&mut self, pointers: &Pointers, byte: u8) -> Result<(), Flaw> {
        match self.state {
            State::Text { mut text, name } => {
                let watch = &mut self.watch;
                let out = |byte| {
                    if name {
                        watch.name_byte(pointers, byte);
                    }
                };
                let ended = text.step(byte, out)?;
                self.state = match (ended, name) {
                    (false, _) => State::Text { text, name },
                    (true, false) => State::After,
                    (true, true) => {
                        self.watch.name_ends(pointers)?;
                        State::Colon
                    }
                };
                Ok(())
            }
            State::Number { part, value } => match part.next(byte) {
                Some(part) => {
                    let value =
                        if self.watch.wants_number() { grown(value, part, byte) } else { None };
                    self.state = State::Number { part, value };
                    Ok(())
                }
                None if part.whole() => {
                    self.number_ends(value);
                    self.step_between(pointers, byte)
                }
                None => Err(Flaw::Number),
            },
            State::Literal(left) => match left.split_first() {
                Some((next, left)) if *next == byte => {
                    self.state = if left.is_empty() { State::After } else { State::Literal(left) };
                    Ok(())
                }
                _ => Err(Flaw::Literal),
            },
            _ => self.step_between(pointers, byte),
        }
    }

    fn number_ends(&mut self, value: Option<u64>) {
        self.watch.number(value);
        self.state = State::After;
    }

    /// A byte outside strings, numbers and words.
    fn step_between(&mut self, pointers: &Pointers, byte: u8) -> Result<(), Flaw> {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return Ok(());
        }
        match (self.state, byte) {
            (State::FirstElement, b']') | (State::FirstName, b'}') => self.close(),
            (State::Value | State::FirstElement, _) => self.value(pointers, byte)?,
            (State::Name | State::FirstName, b'"') => {
                self.watch.name_begins();
                self.state = State::Text { text: Text::Plain, name: true };
            }
            (State::Name | State::FirstName, _) => return Err(Flaw::Name),
            (State::Colon, b':') => self.state = State::Value,
            (State::Colon, _) => return Err(Flaw::Colon),
            (_, _) => match (self.open.last(), byte) {
                (None, _) => return Err(Flaw::Trailing),
                (Some(true), b',') => self.state = State::Name,
                (Some(false), b',') => self.state = State::Value,
                (Some(true), b'}') | (Some(false), b']') => self.close(),
                _ => return Err(Flaw::Separator),
            },
        }
        Ok(())
    }

    /// The first byte of a value.
    fn value(&mut self, pointers: &Pointers, byte: u8) -> Result<(), Flaw> {
        let (kind, state) = match byte {
            b'{' => (Kind::Object, State::FirstName),
            b'[' => (Kind::Array, State::FirstElement),
            b'"' => (Kind::Other, State::Text { text: Text::Plain, name: false }),
            b't' => (Kind::Other, State::Literal(b"rue")),
            b'f' => (Kind::Other, State::Literal(b"alse")),
            b'n' => (Kind::Other, State::Literal(b"ull")),
            b'-' => (Kind::Number, State::Number { part: Part::Minus, value: None }),
            b'0' => (Kind::Number, State::Number { part: Part::Zero, value: Some(0) }),
            b'1'..=b'9' => {
                let value = Some(u64::from(byte.saturating_sub(b'0')));
                (Kind::Number, State::Number { part: Part::Integer, value })
            }
            _ => return Err(Flaw::Value),
        };
        if matches!(kind, Kind::Array | Kind::Object) {
            if self.open.len() >= self.max_depth {
                return Err(Flaw::Depth);
            }
            self.open.push(kind == Kind::Object);
        }
        self.watch.value(pointers, kind);
        self.state = state;
        Ok(())
    }

    fn close(&mut self) {
        self.open.pop();
        self.watch.close();
        self.state = State::After;
    }
}

/// The value of a number with one more byte; a number with a fraction, an exponent or a sign has
/// none.
fn grown(value: Option<u64>, part: Part, byte: u8) -> Option<u64> {
    match part {
        Part::Integer => value?.checked_mul(10)?.checked_add(u64::from(byte.saturating_sub(b'0'))),
        _ => None,
    }
}
