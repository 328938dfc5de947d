//! One body on its way through a guard.

use super::csv::Csv;
use super::json::flaw::{Flaw, Malformed};
use super::json::scanner::Scanner;
use super::json::value::Found;
use super::{Guard, Refusal, UNKNOWN_ROWS, media_type, parameters};
use crate::request::headers::Headers;

impl Guard {
    /// The check of the body that follows these headers.
    pub fn check(&self, headers: &Headers) -> Check {
        let field = headers.value("content-type").unwrap_or_default();
        let counts = self.max_rows.is_some() || self.required.start > 0;
        let reader = if counts && media_type(field).eq_ignore_ascii_case(b"text/csv") {
            // RFC 4180 §3.
            let mut header = parameters(field, b"header");
            Reader::Csv(Csv::new(!header.any(|value| value.eq_ignore_ascii_case(b"absent"))))
        } else {
            Reader::Json(Scanner::new(&self.pointers, self.max_depth))
        };
        Check { reader, bytes: 0 }
    }
}

/// One body on its way. It holds nothing of the body.
#[derive(Clone, Debug)]
pub struct Check {
    reader: Reader,
    bytes: u64,
}

#[derive(Clone, Debug)]
enum Reader {
    Json(Scanner),
    Csv(Csv),
}

impl Check {
    /// How many bytes were looked at.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the next piece; `guard` is the one that made this check.
    ///
    /// # Errors
    /// What no further piece could cure.
    pub fn feed(&mut self, guard: &Guard, piece: &[u8]) -> Result<(), Refusal> {
        let left = guard.max_bytes.saturating_sub(self.bytes);
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        let within = usize::try_from(left).map_or(piece, |left| piece.get(..left).unwrap_or(piece));
        let read = match &mut self.reader {
            Reader::Json(scanner) => scanner.feed(&guard.pointers, within),
            Reader::Csv(csv) => csv.feed(within),
        };
        read.map_err(Refusal::Malformed)?;
        if self.bytes > guard.max_bytes {
            return Err(Refusal::TooLarge { announced: false });
        }
        Ok(())
    }

    /// The body is complete; returns the rows that it costs, [`UNKNOWN_ROWS`] where it has none.
    ///
    /// # Errors
    /// Why the whole is refused.
    pub fn finish(&mut self, guard: &Guard) -> Result<u64, Refusal> {
        if self.bytes == 0 {
            return Err(Refusal::NoBody);
        }
        let (cost, all) = match &mut self.reader {
            Reader::Json(scanner) => {
                scanner.finish().map_err(Refusal::Malformed)?;
                rows_of_json(guard, scanner, self.bytes)?
            }
            Reader::Csv(csv) => {
                // There are no members in it: those who name the type know.
                if !guard.required.is_empty() && guard.content_types.is_none() {
                    return Err(Refusal::Lacking);
                }
                let rows = csv.finish().map_err(Refusal::Malformed)?;
                (Some(rows), Some(rows))
            }
        };
        match (guard.max_rows, all.unwrap_or(UNKNOWN_ROWS)) {
            (Some(max), rows) if rows > max => Err(Refusal::Rows(rows)),
            _ => Ok(cost.unwrap_or(UNKNOWN_ROWS)),
        }
    }
}

/// The rows that a document costs, and those that are bounded.
fn rows_of_json(
    guard: &Guard,
    scanner: &Scanner,
    bytes: u64,
) -> Result<(Option<u64>, Option<u64>), Refusal> {
    let found = scanner.found();
    let cost = found.get(..guard.required.start).unwrap_or_default();
    let required = found.get(guard.required.clone()).unwrap_or_default();
    if !required.is_empty() && required.iter().all(|found| *found == Found::Absent) {
        return Err(Refusal::Lacking);
    }
    let most = |found| largest(found, scanner.elements());
    let all = most(found);
    let value = |found: &Found| matches!(found, Found::Number(_) | Found::Other);
    if guard.max_rows.is_some() && all.is_none() && found.iter().any(value) {
        return Err(Refusal::Malformed(Malformed { offset: bytes, flaw: Flaw::Rows }));
    }
    Ok((most(cost), all))
}

/// The most rows that one of these pointers leads to, or that a document has which is an array.
fn largest(found: &[Found], elements: Option<u64>) -> Option<u64> {
    let rows = |found: &Found| match found {
        Found::Rows(rows) => Some(*rows),
        _ => None,
    };
    found.iter().filter_map(rows).chain(elements).max()
}
