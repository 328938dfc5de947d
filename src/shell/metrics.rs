//! The counters of the telemetry contract: each is defined once and then used by its number.

use std::cell::RefCell;
use std::mem::Discriminant;
use std::rc::Rc;

use proxy_wasm::types::MetricType;

use super::host;
use crate::caller::cache::Look;
use crate::gate::verdict::Verdict;
use crate::limit::plan::{Limit, Settlement};
use crate::policy::Policy;
use crate::policy::rule::Rule;
use crate::reason::Reason;
use crate::verify::provider::KeysFrom;

/// The labels of one `tollgate_requests` counter: rule, provider, kind of verdict, reason. Each comes
/// from the configuration or from a closed list, so the number of counters is bounded.
///
/// The address of a rule or limit stands for it: a policy does not move them.
type Labels = (Option<*const Rule>, Option<usize>, Discriminant<Verdict>, Reason);

/// The labels of one `tollgate_limit` counter: limit, result.
type LimitLabels = (*const Limit, LimitResult);

/// The result of a limit for a request or a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitResult {
    /// It gave the tokens.
    Allowed,
    /// It refused the request.
    Denied,
    /// It would have refused the request.
    WouldDeny,
    /// It was charged for the response.
    Charged(Settlement),
}

impl LimitResult {
    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::WouldDeny => "would_deny",
            Self::Charged(settlement) => settlement.as_str(),
        }
    }
}

/// The labels of one `tollgate_usage_tokens` counter: limit, and the model by its index in the prices.
type ModelLabels = (*const Limit, Option<usize>);

/// Counters by their labels, in lists by a number of the labels: each list is short.
type Known<L> = RefCell<Vec<Vec<(L, Option<u32>)>>>;

/// The most lists of counters.
const MOST_LISTS: usize = 1024;

/// The counters of one VM.
#[derive(Debug, Default)]
pub struct Metrics {
    requests: Known<Labels>,
    looks: Known<Look>,
    limits: Known<LimitLabels>,
    tokens: Known<ModelLabels>,
    named: RefCell<Vec<(String, Option<u32>)>>,
}

impl Metrics {
    /// Counts a decided request. `rule`: the position of its rule. `name`: the whole name of the counter, for
    /// its first use.
    pub fn request(&self, rule: u32, labels: Labels, name: impl FnOnce() -> String) {
        // Those of one rule are beside each other, so that a rule with many providers takes many lists, too.
        let list = place(rule).wrapping_add(labels.1.unwrap_or(0));
        count(&self.requests, list, labels, 1, || host_name(&name()));
    }

    /// Counts a lookup in the token cache.
    pub fn look(&self, look: Look) {
        count(&self.looks, 0, look, 1, || host_name(look_counter(look)));
    }

    /// Counts the result of a limit for a request or a response. `name`: as above.
    pub fn limit(&self, limit: &Rc<Limit>, result: LimitResult, name: impl FnOnce() -> String) {
        let labels = (Rc::as_ptr(limit), result);
        count(&self.limits, place(limit.position), labels, 1, || host_name(&name()));
    }

    /// Counts the tokens that a response has cost.
    pub fn tokens(&self, limit: &Rc<Limit>, model: Option<usize>, cost: u64) {
        if cost > 0 {
            let by = i64::try_from(cost).unwrap_or(i64::MAX);
            count(&self.tokens, model.unwrap_or(0), (Rc::as_ptr(limit), model), by, || {
                tokens_name(limit, model)
            });
        }
    }

    /// Defines the counters that a dashboard shows while they are 0. Those of requests appear with the first
    /// request of their labels: all combinations of rule, provider and reason would be thousands of series.
    pub fn prepare(&self, policy: &Policy) {
        if !policy.metrics {
            return;
        }
        self.build_info();
        for name in
            ["tollgate_config.result.refused", "tollgate_store_retries", "tollgate_store_evictions"]
        {
            self.named(MetricType::Counter, name);
        }
        for provider in policy.providers.iter() {
            if matches!(provider.keys, KeysFrom::Remote(_)) {
                let name = format!("tollgate_jwks_fetch.provider.{}.result.ok", provider.name);
                self.named(MetricType::Counter, &name);
            }
        }
    }

    /// Adds to a counter by its whole name, labels included.
    pub fn add(&self, name: &str, by: u64) {
        let Ok(by) = i64::try_from(by) else { return };
        if by == 0 {
            return;
        }
        if let Some(id) = self.named(MetricType::Counter, name) {
            host::increment_metric(id, by);
        }
    }

    /// Sets a gauge by its whole name, labels included.
    pub fn set(&self, name: &str, value: u64) {
        if let Some(id) = self.named(MetricType::Gauge, name) {
            host::record_metric(id, value);
        }
    }

    /// The version of the filter. The name is written out here, because the dots of a version separate no labels.
    fn build_info(&self) {
        let name = concat!("version=.=", env!("CARGO_PKG_VERSION"), ";.;tollgate_build_info");
        if let Ok(id) = host::define_metric(MetricType::Gauge, name) {
            host::record_metric(id, 1);
        }
    }

    fn named(&self, kind: MetricType, name: &str) -> Option<u32> {
        let find = |(other, id): &(String, _)| (other == name).then_some(*id);
        let known = self.named.borrow().iter().find_map(find);
        known.unwrap_or_else(|| {
            let id = define(kind, name);
            self.named.borrow_mut().push((name.to_owned(), id));
            id
        })
    }
}

/// The list of counters for a position in the policy.
fn place(position: u32) -> usize {
    usize::try_from(position).unwrap_or(0)
}

const fn look_counter(look: Look) -> &'static str {
    match look {
        Look::Hit => "tollgate_token_cache.result.hit",
        Look::NegativeHit => "tollgate_token_cache.result.negative_hit",
        Look::Miss => "tollgate_token_cache.result.miss",
    }
}

/// Adds to the counter of these labels, which is in the list of this number. `name`: its whole name for the
/// host, for the first use.
fn count<L: Copy + PartialEq>(
    known: &Known<L>,
    list: usize,
    labels: L,
    by: i64,
    name: impl FnOnce() -> String,
) {
    let list = list % MOST_LISTS;
    let find = |(other, id): &(L, _)| (*other == labels).then_some(*id);
    let found = known.borrow().get(list).and_then(|list| list.iter().find_map(find));
    let id = found.unwrap_or_else(|| {
        let id = counter(name());
        let mut known = known.borrow_mut();
        while known.len() <= list {
            known.push(Vec::new());
        }
        if let Some(list) = known.get_mut(list) {
            list.push((labels, id));
        }
        id
    });
    if let Some(id) = id {
        host::increment_metric(id, by);
    }
}

#[cold]
fn counter(name: String) -> Option<u32> {
    host::define_metric(MetricType::Counter, &name).ok()
}

/// Defines a metric by its whole name; `None` where the host refuses it.
pub fn define(kind: MetricType, name: &str) -> Option<u32> {
    host::define_metric(kind, &host_name(name)).ok()
}

/// The counter of the tokens of a model, for the host. The name of a model may have dots, which separate labels
/// elsewhere, so it is written out here.
fn tokens_name(limit: &Limit, model: Option<usize>) -> String {
    let prices = limit.price.as_ref().zip(model);
    let model = prices.and_then(|(price, index)| price.of.get(index));
    let model = model.map_or("other", |(name, _)| name.as_str());
    ["limit=.=", &limit.name, ";.;model=.=", model, ";.;tollgate_usage_tokens"].concat()
}

/// Writes `metric.label.value…` as `label=.=value;.;…metric`, the form from which Istio's `extraStatTags` and the
/// expressions under `envoy/` extract labels. The metric comes last, so that no expression for the labels of
/// another metric matches inside it.
fn host_name(name: &str) -> String {
    let mut parts = name.split('.');
    let metric = parts.next().unwrap_or_default();
    let mut labels = String::with_capacity(name.len().saturating_mul(2));
    while let (Some(label), Some(value)) = (parts.next(), parts.next()) {
        labels.extend([label, "=.=", value, ";.;"]);
    }
    labels + metric
}

#[cfg(test)]
mod tests {
    use super::host_name;

    #[test]
    fn labels_stand_before_the_metric_in_the_form_that_istio_takes_apart() {
        for (name, host) in [
            ("tollgate_store_retries", "tollgate_store_retries"),
            ("tollgate_config.result.accepted", "result=.=accepted;.;tollgate_config"),
            ("a.b.c.d.e", "b=.=c;.;d=.=e;.;a"),
        ] {
            assert_eq!(host_name(name), host);
        }
    }
}
