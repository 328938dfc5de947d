//! Counters of the telemetry contract, defined once and found again by number.

use std::cell::RefCell;

use crate::abi::{self, Metric};
use crate::reason::Reason;

/// The labels of one `tollgate_requests` counter: rule, provider, decision, reason. Each comes
/// from the configuration or from a closed list, so the number of counters is bounded.
type Labels = (Option<usize>, Option<usize>, &'static str, Reason);

/// The labels of one `tollgate_limit` counter: limit, result.
type LimitLabels = (usize, &'static str);

/// The counters of one VM. There are few, and the busiest were met first: a walk finds them sooner
/// than a hash.
#[derive(Debug, Default)]
pub struct Metrics {
    requests: RefCell<Vec<(Labels, Option<u32>)>>,
    limits: RefCell<Vec<(LimitLabels, Option<u32>)>>,
    named: RefCell<Vec<(String, Option<u32>)>>,
}

impl Metrics {
    /// Counts a judged request; `name` spells the counter's whole name the first time.
    pub fn request(&self, labels: Labels, name: impl FnOnce() -> String) {
        count(&self.requests, labels, name);
    }

    /// Counts what a limit, by its index, said of a request; `name` as above.
    pub fn limit(&self, labels: LimitLabels, name: impl FnOnce() -> String) {
        count(&self.limits, labels, name);
    }

    /// Adds to a counter by its whole name, labels included.
    pub fn add(&self, name: &str, by: u64) {
        let Ok(by) = i64::try_from(by) else { return };
        if by == 0 {
            return;
        }
        if let Some(id) = self.named(Metric::Counter, name) {
            abi::increment_metric(id, by);
        }
    }

    /// Sets a gauge by its whole name, labels included.
    pub fn set(&self, name: &str, value: u64) {
        if let Some(id) = self.named(Metric::Gauge, name) {
            abi::record_metric(id, value);
        }
    }

    fn named(&self, kind: Metric, name: &str) -> Option<u32> {
        let mut named = self.named.borrow_mut();
        let known = named.iter().find(|(other, _)| other == name).map(|(_, id)| *id);
        known.unwrap_or_else(|| {
            let id = define(kind, name);
            named.push((name.to_owned(), id));
            id
        })
    }
}

/// Adds one to the counter of these labels; `name` spells its whole name the first time.
fn count<L: Copy + PartialEq>(
    known: &RefCell<Vec<(L, Option<u32>)>>,
    labels: L,
    name: impl FnOnce() -> String,
) {
    let mut known = known.borrow_mut();
    let found = known.iter().find(|(other, _)| *other == labels).map(|(_, id)| *id);
    let id = found.unwrap_or_else(|| {
        let id = define(Metric::Counter, &name());
        known.push((labels, id));
        id
    });
    if let Some(id) = id {
        abi::increment_metric(id, 1);
    }
}

fn define(kind: Metric, name: &str) -> Option<u32> {
    abi::define_metric(kind, name).ok()
}
