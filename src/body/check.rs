//! The check of one body while it streams by.

use super::csv::Csv;
use super::guard::Guard;
use super::guard::{media_type, parameter};
use super::json::flaw::{Flaw, Malformed};
use super::json::scanner::{Place, Scanner};
use super::json::value::Found;
use super::refusal::{Refusal, UNKNOWN_ROWS};
use super::usage::{Edit, IncludeUsage, Need};
use crate::request::headers::Headers;

impl Guard {
    /// The check of the body that follows these headers.
    pub fn check(&self, headers: &Headers) -> Check {
        let field = headers.value("content-type").unwrap_or_default();
        let counts = self.max_rows.is_some() || self.required.start > 0;
        let reader = if !self.reads {
            Reader::None
        } else if counts && media_type(field).eq_ignore_ascii_case(b"text/csv") {
            // RFC 4180 §3.
            let mut header = parameter(field, b"header");
            Reader::Csv(Csv::new(!header.any(|value| value.eq_ignore_ascii_case(b"absent"))))
        } else {
            Reader::Json(Box::new(Scanner::new(&self.pointers, self.max_depth)))
        };
        Check { reader, bytes: 0, needs_body: self.needs_body(headers) }
    }
}

/// The check of one body. It keeps none of its bytes but the captured values and, for a moment, a name cut in
/// two.
#[derive(Clone, Debug)]
pub struct Check {
    reader: Reader,
    bytes: u64,
    /// Whether an empty body is refused.
    needs_body: bool,
}

#[derive(Clone, Debug)]
enum Reader {
    Json(Box<Scanner>),
    Csv(Csv),
    /// The body is not read, only measured.
    None,
}

impl Check {
    /// The bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The JSON of the value at a captured pointer: a string, number or boolean that was read to its end.
    pub fn captured(&self, guard: &Guard, pointer: &[String]) -> Option<&[u8]> {
        match &self.reader {
            Reader::Json(scanner) => scanner.captured(&guard.pointers, pointer),
            Reader::Csv(_) | Reader::None => None,
        }
    }

    /// The place of the value at a captured pointer, whatever it is.
    pub fn place(&self, guard: &Guard, pointer: &[String]) -> Option<Place> {
        match &self.reader {
            Reader::Json(scanner) => scanner.place(&guard.pointers, pointer),
            Reader::Csv(_) | Reader::None => None,
        }
    }

    /// The change that makes a streamed response tell its usage; `None` if there is nothing to change. The body must
    /// be complete and admitted.
    pub fn edit(&self, guard: &Guard) -> Option<Edit> {
        match (&self.reader, guard.include_usage) {
            (Reader::Json(scanner), IncludeUsage::Add) => {
                let need = Need::of(&guard.pointers, scanner);
                Some(Edit { size: self.bytes, ..need.edit()? })
            }
            _ => None,
        }
    }

    /// The value at a pointer that is followed for its kind alone. It is certain only after [`Check::finish`];
    /// in a body that is not JSON it can be anything.
    pub fn found(&self, guard: &Guard, pointer: &[String]) -> Found {
        match &self.reader {
            _ if self.bytes == 0 => Found::Absent,
            Reader::Json(scanner) => scanner.found_at(&guard.pointers, pointer),
            Reader::Csv(_) | Reader::None => Found::Other,
        }
    }

    /// Reads the next piece. `guard` must be the one that started this check.
    ///
    /// # Errors
    /// The refusal, as soon as no further piece can change it.
    pub fn feed(&mut self, guard: &Guard, piece: &[u8]) -> Result<(), Refusal> {
        let left = guard.max_bytes.saturating_sub(self.bytes);
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        let within = usize::try_from(left).map_or(piece, |left| piece.get(..left).unwrap_or(piece));
        let read = match &mut self.reader {
            Reader::Json(scanner) => scanner.feed(&guard.pointers, within),
            Reader::Csv(csv) => csv.feed(within),
            Reader::None => Ok(()),
        };
        read.map_err(Refusal::Malformed)?;
        if self.bytes > guard.max_bytes {
            return Err(Refusal::TooLarge { announced: false });
        }
        Ok(())
    }

    /// The body is complete: the rows that count for the cost, [`UNKNOWN_ROWS`] if it names none. An empty body has
    /// no rows.
    ///
    /// # Errors
    /// The refusal of the whole body.
    pub fn finish(&mut self, guard: &Guard) -> Result<u64, Refusal> {
        if self.bytes == 0 {
            return if self.needs_body { Err(Refusal::NoBody) } else { Ok(0) };
        }
        let (cost, all) = match &mut self.reader {
            Reader::Json(scanner) => {
                scanner.finish().map_err(Refusal::Malformed)?;
                let rows = rows_of_json(guard, scanner, self.bytes)?;
                if guard.include_usage != IncludeUsage::Off {
                    Need::of(&guard.pointers, scanner).judge(guard.include_usage)?;
                }
                rows
            }
            Reader::Csv(csv) => {
                // CSV has no members. A rule that lists `text/csv` accepts that.
                if !guard.required.is_empty() && guard.content_types.is_none() {
                    return Err(Refusal::Lacking);
                }
                let rows = csv.finish().map_err(Refusal::Malformed)?;
                (Some(rows), Some(rows))
            }
            Reader::None => return Ok(0),
        };
        match (guard.max_rows, all.unwrap_or(UNKNOWN_ROWS)) {
            (Some(max), rows) if rows > max => Err(Refusal::Rows(rows)),
            _ => Ok(cost.unwrap_or(UNKNOWN_ROWS)),
        }
    }
}

/// The rows that count for the cost, and those that count for `max_rows`.
fn rows_of_json(
    guard: &Guard,
    scanner: &Scanner,
    bytes: u64,
) -> Result<(Option<u64>, Option<u64>), Refusal> {
    let found = scanner.found().get(..guard.pointers.judged()).unwrap_or_default();
    let cost = found.get(..guard.required.start).unwrap_or_default();
    let required = found.get(guard.required.clone()).unwrap_or_default();
    if !required.is_empty() && required.iter().all(|found| *found == Found::Absent) {
        return Err(Refusal::Lacking);
    }
    let most = |found| most_rows(found, scanner.elements());
    let all = most(found);
    let without_rows = |found: &Found| matches!(found, Found::Number(_) | Found::Other);
    if guard.max_rows.is_some() && all.is_none() && found.iter().any(without_rows) {
        return Err(Refusal::Malformed(Malformed { offset: bytes, flaw: Flaw::Rows }));
    }
    Ok((most(cost), all))
}

/// The most rows at any of these pointers, or the elements of a document that is an array, if more.
fn most_rows(found: &[Found], elements: Option<u64>) -> Option<u64> {
    let rows = |found: &Found| match found {
        Found::Rows(rows) => Some(*rows),
        _ => None,
    };
    found.iter().filter_map(rows).chain(elements).max()
}
