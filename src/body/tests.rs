//! Tests of the guard; `tests/json_suite.rs` runs JSONTestSuite.

mod ahead;
mod captures;
mod ordered;
mod properties;
mod refusals;
mod rows;
mod usage;

use super::json::flaw::{Flaw, Malformed};
use super::json::pointers::Pointers;
use super::*;
use crate::reason::Reason;
use crate::request::headers::Headers;

fn pointers(list: &[&str]) -> Pointers {
    let split =
        |pointer: &&str| -> Vec<String> { pointer.split('/').skip(1).map(str::to_owned).collect() };
    let lists: Vec<Vec<String>> = list.iter().map(split).collect();
    Pointers::new(lists.iter().map(Vec::as_slice))
}

fn guard(json_rows: &[&str], require_any: &[&str]) -> Guard {
    let lists = [json_rows, require_any].map(|list| {
        let split = |pointer: &&str| pointer.split('/').skip(1).map(str::to_owned).collect();
        list.iter().map(split).collect::<Vec<Vec<String>>>()
    });
    let (pointers, required) = pointers_to_follow(&lists[0], &lists[1], true).unwrap();
    Guard {
        content_types: Some(vec!["application/json".into()]),
        reads: true,
        needs_body: vec!["POST".into()],
        max_bytes: 1 << 20,
        max_depth: 32,
        max_rows: Some(100),
        pointers,
        required,
        include_usage: IncludeUsage::Off,
    }
}

fn judge(guard: &Guard, body: &[u8], size: usize) -> Result<u64, Refusal> {
    let mut check = guard.check(&Headers::from_pairs(&[(":method", "POST")]));
    body.chunks(size.max(1)).try_for_each(|piece| check.feed(guard, piece))?;
    check.finish(guard)
}

/// The verdict of [`judge`], which must not depend on the pieces.
fn judged(guard: &Guard, body: &str) -> Result<u64, Refusal> {
    let whole = judge(guard, body.as_bytes(), body.len());
    for size in [1, 2, 3, 7] {
        assert_eq!(judge(guard, body.as_bytes(), size), whole, "{size}: {body}");
    }
    whole
}

/// Whether the rows cannot be counted, at any offset.
fn no_rows(verdict: Result<u64, Refusal>) -> bool {
    matches!(verdict, Err(Refusal::Malformed(Malformed { flaw: Flaw::Rows, .. })))
}
