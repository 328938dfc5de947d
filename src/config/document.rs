//! The first stage: JSON text becomes a tree of values.

use serde_json::Value;

use super::report::{At, Report};
use crate::verify::json::reader::{self, Observer, Place};

/// The maximum nesting depth, which is that of `serde_json`.
const MAX_DEPTH: u8 = 127;

/// Parses the text. A duplicate member is a problem because parsers disagree on which of the two counts.
/// `None`, with one problem, if the text is not JSON.
pub(super) fn read(text: &[u8], report: &mut Report) -> Option<Value> {
    let mut notes = Notes { broken: None, report };
    match reader::read(text, MAX_DEPTH, &mut notes) {
        Ok(value) => Some(value),
        Err(error) => {
            let at = notes.broken.unwrap_or_else(At::root);
            report.problem(&at, format_args!("is not valid JSON: {error}"));
            None
        }
    }
}

struct Notes<'r> {
    /// The innermost value that could not be read.
    broken: Option<At>,
    report: &'r mut Report,
}

impl Observer for Notes<'_> {
    fn duplicate(&mut self, place: &Place<'_>, name: &str) -> bool {
        self.report.problem(&at(place).field(name), "is given twice; remove one of the two");
        true
    }

    fn failed(&mut self, place: &Place<'_>) {
        self.broken.get_or_insert_with(|| at(place));
    }
}

fn at(place: &Place<'_>) -> At {
    match place {
        Place::Root => At::root(),
        Place::Member(object, name) => at(object).field(name),
        Place::Item(array, index) => at(array).index(*index),
    }
}
