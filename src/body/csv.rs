//! The records of a CSV body (RFC 4180), counted while it streams by.
//!
//! Programs end records at more than the CRLF of the RFC: Python's `csv` at a lone CR, `splitlines`
//! at form feeds and U+2028. Here each of them ends a record, since that counts the most. A quotation
//! mark is only allowed where all programs read it alike.

use super::json::flaw::{Flaw, Malformed};

/// Counts the records of one body.
#[derive(Clone, Debug)]
pub(super) struct Csv {
    /// The first record names the columns and is not a row.
    header: bool,
    place: Place,
    records: u64,
    /// The current record is not empty.
    begun: bool,
    /// Only white space was read, after which JSON may begin.
    blank: bool,
    /// The last two bytes.
    last: [u8; 2],
    offset: u64,
    failed: Option<Malformed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the begin of a field, in every reading.
    Start,
    /// In a field without quotation marks, or at the begin of a field in some readings only.
    Plain,
    /// Inside quotation marks.
    Quoted,
    /// After a quotation mark inside of them: the closing one, or the first of an escaped pair.
    Closed,
}

impl Csv {
    /// `header`: the first record names the columns.
    pub(super) fn new(header: bool) -> Self {
        Self {
            header,
            place: Place::Start,
            records: 0,
            begun: false,
            blank: true,
            last: [0; 2],
            offset: 0,
            failed: None,
        }
    }

    /// Reads the next piece, cut anywhere.
    ///
    /// # Errors
    /// The first flaw, in this call and every later one.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<(), Malformed> {
        for byte in piece {
            if self.failed.is_some() {
                break;
            }
            if let Err(flaw) = self.step(*byte) {
                self.failed = Some(Malformed { offset: self.offset, flaw });
            }
            self.offset = self.offset.saturating_add(1);
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// The body is complete: its rows.
    ///
    /// # Errors
    /// The first flaw, also quotation marks that are not closed.
    pub(super) fn finish(&mut self) -> Result<u64, Malformed> {
        if self.failed.is_none() && self.place == Place::Quoted {
            self.failed = Some(Malformed { offset: self.offset, flaw: Flaw::End });
        }
        let records = self.records.saturating_add(u64::from(self.begun));
        let rows = records.saturating_sub(u64::from(self.header));
        self.failed.map_or(Ok(rows), Err)
    }

    fn step(&mut self, byte: u8) -> Result<(), Flaw> {
        let [before, last] = self.last;
        self.last = [last, byte];
        if self.blank {
            match byte {
                b'{' | b'[' => return Err(Flaw::Bracket),
                // The white space of JSON, and a byte order mark.
                b' ' | b'\t' | b'\r' | b'\n' | 0xef | 0xbb | 0xbf => {}
                _ => self.blank = false,
            }
        }
        let ends = match byte {
            // A sign of UTF-16, in which the body would be another text.
            0 => return Err(Flaw::Control),
            b'\n' | b'\r' | 0x0b | 0x0c | 0x1c..=0x1e => true,
            // U+0085, U+2028 and U+2029.
            0x85 => last == 0xc2,
            0xa8 | 0xa9 => (before, last) == (0xe2, 0x80),
            _ => false,
        };
        self.place = match (self.place, byte) {
            (Place::Quoted, b'"') => Place::Closed,
            (Place::Start | Place::Closed, b'"') => {
                self.begun = true;
                Place::Quoted
            }
            (Place::Plain, b'"') => return Err(Flaw::Quote),
            (Place::Quoted, _) => Place::Quoted,
            // The second half of a CRLF.
            (_, b'\n') if last == b'\r' => Place::Start,
            _ if ends => {
                self.records = self.records.saturating_add(1);
                self.begun = false;
                if byte == b'\n' { Place::Start } else { Place::Plain }
            }
            (_, b',') => {
                self.begun = true;
                Place::Start
            }
            (Place::Closed, _) => return Err(Flaw::Quote),
            (Place::Start | Place::Plain, _) => {
                self.begun = true;
                Place::Plain
            }
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(body: &[u8], header: bool) -> Result<u64, Flaw> {
        let read = |size: usize| {
            let mut csv = Csv::new(header);
            body.chunks(size).try_for_each(|piece| csv.feed(piece))?;
            csv.finish()
        };
        let whole = read(body.len().max(1));
        for size in 1..=body.len().min(9) {
            assert_eq!(read(size), whole, "{size}: {}", body.escape_ascii());
        }
        whole.map_err(|malformed| malformed.flaw)
    }

    #[test]
    fn each_record_but_the_header_is_a_row() {
        for (body, want) in [
            ("a,b", 0),
            ("a,b\r\n", 0),
            ("a,b\r\n1,2\r\n3,4\r\n", 2),
            ("a,b\n1,2\n3,4", 2),
            ("a,b\r1,2\r3,4", 2),
            ("a,b\r\n\"1\r\n2\n3\r4\",\"say \"\"hi\"\"\"\r\n5,6", 2),
            ("\"a\nb\",c\n1,2\n", 1),
            ("\"\"\n\"\"\n", 1),
            ("a\n,\n", 1),
            // An empty line is a record of one empty field.
            ("a\n1\n\n2\n", 3),
            ("a\n1\n\n", 2),
            ("\n\n\n", 2),
            ("\u{feff}a\n1\n", 1),
            // Characters that only some programs end lines at.
            ("a\n1\u{b}2\u{c}3\u{1c}4\u{85}5\u{2028}6\u{2029}7", 7),
            ("a\n\"1\u{b}2\u{2028}3\"\n", 1),
            // Characters of which only the last byte is that of a line separator.
            ("a\n\u{28}\u{a8}\u{1028}\n", 1),
            ("a\n\n\r\n\r", 3),
            ("", 0),
        ] {
            assert_eq!(rows(body.as_bytes(), true), Ok(want), "{body:?}");
            let all = if body.is_empty() { 0 } else { want + 1 };
            assert_eq!(rows(body.as_bytes(), false), Ok(all), "{body:?}");
        }
    }

    #[test]
    fn csv_that_programs_read_in_several_ways_is_malformed() {
        for (body, flaw) in [
            // Quotation marks inside a field, or at the begin of a field in some readings only.
            ("a\nx\"1\n2\n\"\n", Flaw::Quote),
            ("a\n \"1\n2\"\n", Flaw::Quote),
            ("a\n\"1\"2\n", Flaw::Quote),
            ("a\n\"1\" ,2\n", Flaw::Quote),
            ("\"a\";\"b\"\n", Flaw::Quote),
            ("a\r\"1\n2\n\"", Flaw::Quote),
            ("a\u{c}\"1\n2\n\"", Flaw::Quote),
            ("a\u{2028}\"1\n2\n\"", Flaw::Quote),
            ("\u{feff}\"a\"\n1\n", Flaw::Quote),
            ("a\n\"1\n", Flaw::End),
            ("a\n\"1\"\"\n", Flaw::End),
            // JSON, which a program may read whatever the media type.
            ("[[1],[2]]", Flaw::Bracket),
            (" \r\n\t{\"data\":[1,2]}", Flaw::Bracket),
            ("\u{feff}[1,2]", Flaw::Bracket),
            ("\0[\0]", Flaw::Control),
            ("[\0]\0", Flaw::Bracket),
        ] {
            assert_eq!(rows(body.as_bytes(), true), Err(flaw), "{body:?}");
        }
    }
}
