//! `rules[].payload`, and the pointers of `cost.json_rows`, which share a scanner.

use std::ops::RangeInclusive;

use super::read;
use crate::body::json::pointers::MAX_POINTERS;
use crate::body::{Guard, UNTYPED, pointers_to_follow};
use crate::config::report::{At, Report, quoted};
use crate::config::schema::{RawCost, RawPayload, RawRule};
use crate::template::{ClaimRef, is_token};

/// `payload.max_bytes`: Envoy holds the body until the verdict.
const BYTES: RangeInclusive<usize> = 1..=64 << 20;

/// The default of `payload.max_bytes`.
const DEFAULT_BYTES: usize = 1 << 20;

/// `payload.max_depth`: one byte of state for each level.
const DEPTH: RangeInclusive<usize> = 1..=1_024;

/// The default of `payload.max_depth`: the limit of serde_json and other parsers.
const DEFAULT_DEPTH: usize = 128;

/// Compiles the guard of a rule. A cost in rows needs a guard as well, because a body whose rows cannot be
/// counted must not pass.
pub(super) fn guard(raw: &RawRule, at: &At, report: &mut Report) -> Option<Guard> {
    let methods = raw.matcher.as_ref().and_then(|matcher| matcher.methods.as_deref());
    let carries = |method: &&String| matches!(method.as_str(), "POST" | "PUT" | "PATCH");
    let carrying = methods.unwrap_or_default().iter().filter(carries).cloned();
    let rows = match &raw.cost {
        Some(RawCost::From(from)) => from.json_rows.as_deref(),
        _ => None,
    };
    if raw.payload.is_none() && rows.is_none() {
        return None;
    }
    let cost_at = at.field("cost").field("json_rows");
    let json_rows = rows.map(|list| pointer_list(list, &cost_at, report)).unwrap_or_default();
    let at = at.field("payload");
    let none = RawPayload::default();
    let raw = raw.payload.as_ref().unwrap_or(&none);
    let required = raw.require_any.as_deref();
    let require_any = required
        .map(|list| pointer_list(list, &at.field("require_any"), report))
        .unwrap_or_default();
    let followed = pointers_to_follow(&json_rows, &require_any, raw.max_rows.is_some());
    if followed.is_none() {
        report.problem(
            &at,
            format_args!(
                "has too many pointers; allowed: {MAX_POINTERS}; a pointer whose rows are counted takes two places, or three if it ends in `data`"
            ),
        );
    }
    let (pointers, required) = followed.unwrap_or_default();
    let types = raw.content_types.as_deref();
    let content_types = types.map(|list| media_types(list, &at.field("content_types"), report));
    let bytes = at.field("max_bytes");
    let max_bytes = read::size(raw.max_bytes.as_ref(), DEFAULT_BYTES, BYTES, &bytes, report);
    let rows = at.field("max_rows");
    let max_rows = raw.max_rows.map(|_| read::count(raw.max_rows, 1, 1..=u64::MAX, &rows, report));
    if max_rows.is_some() && pointers.is_empty() {
        report
            .warning(&rows, "admits only bodies that are arrays, because no pointer leads to rows");
    }
    let depth = at.field("max_depth");
    let max_depth = read::count(raw.max_depth, DEFAULT_DEPTH, DEPTH, &depth, report);
    Some(Guard {
        content_types,
        reads: !pointers.is_empty() || max_rows.is_some() || raw.max_depth.is_some(),
        needs_body: if required.is_empty() { Vec::new() } else { carrying.collect() },
        max_bytes: max_bytes as u64,
        max_depth,
        max_rows,
        pointers,
        required,
        include_usage: raw.include_usage.unwrap_or_default(),
    })
}

/// Media types in lower case.
fn media_types(list: &[String], at: &At, report: &mut Report) -> Vec<String> {
    read::texts(list, at, report);
    for (index, text) in list.iter().enumerate() {
        let valid = text.split_once('/').is_some_and(|(kind, sub)| is_token(kind) && is_token(sub));
        if !valid && !text.eq_ignore_ascii_case(UNTYPED) {
            report.problem(
                &at.index(index),
                format_args!(
                    "{} is not a content type; allowed: type/subtype, as in application/json, or none for a body without one",
                    quoted(text)
                ),
            );
        }
    }
    list.iter().map(|text| text.to_ascii_lowercase()).collect()
}

/// The reference tokens of each pointer.
pub(super) fn pointer_list(list: &[String], at: &At, report: &mut Report) -> Vec<Vec<String>> {
    if list.is_empty() {
        read::texts(list, at, report);
    }
    let mut tokens = Vec::new();
    for (index, text) in list.iter().enumerate() {
        if let Some(ClaimRef::Pointer(found)) = read::pointer(text, &at.index(index), report) {
            tokens.push(found);
        }
    }
    tokens
}
