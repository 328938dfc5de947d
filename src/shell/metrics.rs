//! Counters of the telemetry contract, defined once and found again by number.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::abi::{self, Metric};
use crate::reason::Reason;

/// The labels of one `tollgate_requests` counter: rule, provider, decision, reason. Each comes
/// from the configuration or from a closed list, so the number of counters is bounded.
type Labels = (Option<usize>, Option<usize>, &'static str, Reason);

/// The counters of one VM.
#[derive(Debug, Default)]
pub struct Metrics {
    requests: RefCell<HashMap<Labels, Option<u32>>>,
    limits: RefCell<HashMap<(usize, &'static str), Option<u32>>>,
    named: RefCell<HashMap<String, Option<u32>>>,
}

impl Metrics {
    /// Counts a judged request; `name` spells the counter's whole name the first time.
    pub fn request(&self, labels: Labels, name: impl FnOnce() -> String) {
        let id = *self
            .requests
            .borrow_mut()
            .entry(labels)
            .or_insert_with(|| define(Metric::Counter, &name()));
        if let Some(id) = id {
            abi::increment_metric(id, 1);
        }
    }

    /// Counts what a limit, by its index, said of a request; `name` as above.
    pub fn limit(&self, labels: (usize, &'static str), name: impl FnOnce() -> String) {
        let mut limits = self.limits.borrow_mut();
        let id = limits.entry(labels).or_insert_with(|| define(Metric::Counter, &name()));
        if let Some(id) = id {
            abi::increment_metric(*id, 1);
        }
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
        match named.get(name) {
            Some(id) => *id,
            None => *named.entry(name.to_owned()).or_insert_with(|| define(kind, name)),
        }
    }
}

fn define(kind: Metric, name: &str) -> Option<u32> {
    abi::define_metric(kind, name).ok()
}
