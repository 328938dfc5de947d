//! `limits[].response_cost`.

use std::ops::RangeInclusive;

use super::{payload, read};
use crate::body::json::pointers::MAX_POINTERS;
use crate::body::meter::{Measure, Part};
use crate::config::report::{At, Report};
use crate::config::schema::{OneOrMore, RawCharge, RawLimit, RawPart, RawResponseCost};
use crate::limit::plan::ResponseCost;
use crate::template::ClaimRef;

/// `missing`.
const MISSING: RangeInclusive<u64> = 0..=1_000_000_000;

/// `weight`.
const WEIGHT: RangeInclusive<u64> = 1..=1_000_000;

/// Compiles `response_cost`, which is required with `charge: response` and not allowed otherwise.
pub(super) fn response_cost(raw: &RawLimit, at: &At, report: &mut Report) -> Option<ResponseCost> {
    let at = at.field("response_cost");
    match (raw.charge, &raw.response_cost) {
        (Some(RawCharge::Response), None) => {
            let allowed = "{json: /pointer} or {preset: any}, because charge is response";
            report.required(&at, allowed);
            None
        }
        (None | Some(RawCharge::Request), Some(_)) => {
            report.problem(&at, "is only allowed with charge: response; add that, or remove this");
            None
        }
        (Some(RawCharge::Response), Some(cost)) => {
            let missing = cost.missing;
            let missing = missing
                .map(|cost| read::count(Some(cost), 1, MISSING, &at.field("missing"), report));
            Some(ResponseCost { measure: measure(cost, &at, report)?, missing })
        }
        (None | Some(RawCharge::Request), None) => None,
    }
}

/// Exactly one of `json`, `sum` and `preset`.
fn measure(raw: &RawResponseCost, at: &At, report: &mut Report) -> Option<Measure> {
    const ALLOWED: &str = "exactly one of json, sum, preset";
    let sum = match (&raw.json, &raw.sum, raw.preset) {
        (Some(json), None, None) => {
            vec![Part { pointers: pointers(json, &at.field("json"), report)?, weight: 1 }]
        }
        (None, Some(parts), None) => {
            let at = at.field("sum");
            if parts.is_empty() {
                report.problem(&at, "is an empty list; allowed: parts such as {json: /pointer}");
                return None;
            }
            read::all(parts, &at, report, part)?
        }
        (None, None, Some(preset)) => return preset.measure(),
        (None, None, None) => {
            report.required(at, ALLOWED);
            return None;
        }
        _ => {
            report.problem(at, format_args!("has more than one member; allowed: {ALLOWED}"));
            return None;
        }
    };
    let measure = Measure::new(vec![sum], false);
    if measure.is_none() {
        report.problem(at, format_args!("has too many pointers; allowed: {MAX_POINTERS}"));
    }
    measure
}

/// One entry of `sum`.
fn part(raw: &RawPart, at: &At, report: &mut Report) -> Option<Part> {
    let weight = read::count(raw.weight, 1, WEIGHT, &at.field("weight"), report);
    let at = at.field("json");
    let Some(json) = &raw.json else {
        report.required(&at, "a JSON Pointer, or a list of them");
        return None;
    };
    Some(Part { pointers: pointers(json, &at, report)?, weight })
}

/// The reference tokens of one pointer or several.
fn pointers(json: &OneOrMore, at: &At, report: &mut Report) -> Option<Vec<Vec<String>>> {
    match json {
        OneOrMore::One(text) => match read::pointer(text, at, report)? {
            ClaimRef::Pointer(tokens) => Some(vec![tokens]),
            ClaimRef::Name(_) => None,
        },
        OneOrMore::More(list) => Some(payload::pointer_list(list, at, report)),
    }
}
