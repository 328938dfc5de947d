//! The telemetry of decisions: filter state, counters, the log of refusals.

use std::mem::discriminant;
use std::rc::Rc;

use super::histograms::Histograms;
use super::host;
use super::metrics::{LimitResult, Metrics};
use super::refusal_log::{Cause, RefusalLog};
use crate::caller::tags::Tag;
use crate::gate::judged::Decision;
use crate::gate::verdict::{LimitReport, Verdict};
use crate::limit::cost::Cost;
use crate::limit::plan::{End, Planned, Settlement};
use crate::limit::quota::DEBT_BURSTS;
use crate::limit::{Counters, Ruling};
use crate::policy::rule::Rule;
use crate::policy::{FilterState, Policy};
use crate::reason::Reason;

/// The telemetry of one worker, as configured.
pub struct Telemetry {
    metrics: Rc<Metrics>,
    /// Whether counters are kept.
    counts: bool,
    filter_state: FilterState,
    refusals: RefusalLog,
    /// The path of each tag in filter state.
    tag_paths: Vec<Option<Vec<u8>>>,
    /// Whether filter state has the cost of requests: a rule has one.
    shows_cost: bool,
    /// The histograms of each rule by its position; empty unless `telemetry.histograms` is set.
    histograms: Vec<Histograms>,
}

impl Telemetry {
    /// Telemetry as the policy asks for it.
    pub fn new(policy: &Policy, metrics: Rc<Metrics>) -> Self {
        let path = |tag: &Tag| tag.filter_state.then(|| format!("tollgate.{}", tag.name).into());
        let rules = policy.rules.iter().filter(|_| policy.histograms);
        Self {
            histograms: rules.map(|rule| Histograms::of(rule)).collect(),
            metrics,
            counts: policy.metrics,
            filter_state: policy.filter_state,
            refusals: RefusalLog::default(),
            tag_paths: policy.tags.iter().map(path).collect(),
            shows_cost: policy.rules.iter().any(|rule| rule.cost != Cost::Fixed(1)),
        }
    }

    /// Writes filter state and counters of a decision, and logs it if it is a refusal.
    pub fn report(&self, policy: &Policy, decided: &Decision) {
        let Decision { verdict, facts, denied_tags, .. } = decided;
        let token = &facts.token;
        let of_provider = token.provider.and_then(|index| policy.providers.get(index));
        let rule = facts.rule.as_ref().map_or("none", |rule| rule.name.as_str());
        let provider = of_provider.map_or("none", |provider| provider.name.as_str());
        let (decision, reason) = (verdict.decision(), verdict.reason());
        let denied = verdict.denial().is_some();
        let detail = token.error.and_then(|error| error.detail(of_provider));
        if denied {
            let body = facts.refusal.as_ref();
            let cause = Cause { decision, reason, error: token.error, body };
            self.refusals.note(cause, rule, provider, detail.as_deref(), host::now());
        }
        let write = match self.filter_state {
            FilterState::All | FilterState::Auto => true,
            FilterState::Denied => denied,
            FilterState::Off => false,
        };
        if write {
            write_state(b"tollgate.decision", decision);
            write_state(b"tollgate.reason", reason.as_str());
            write_state(b"tollgate.rule", rule);
            write_state(b"tollgate.provider", provider);
            if let Some(limit) = decided.limited_by() {
                write_state(b"tollgate.limit", &limit.name);
            }
            if let Some(cost) = facts.cost.filter(|_| self.shows_cost) {
                write_number(b"tollgate.cost", cost);
            }
            if let Some(reserved) = decided.charges.iter().find_map(|charge| charge.reserved) {
                write_number(b"tollgate.reserved", reserved);
            }
            // What a caller that leaves pays. The end of a response replaces it.
            if let Some(charge) = decided.charges.first() {
                write_number(b"tollgate.usage", charge.charge(End::Untold).0.cost);
            }
            if let Some(percent) = facts.remaining_percent() {
                write_number(b"tollgate.remaining", percent);
            }
            if let Some(detail) = detail.filter(|_| reason == Reason::ClaimMissing) {
                write_state(b"tollgate.detail", &detail);
            }
            // The header of a passing request has the same value. `match_tags` are in no header.
            let passes = !matches!(verdict, Verdict::Deny(_));
            let only_header = self.filter_state == FilterState::Auto && passes;
            let in_header =
                |index: usize| policy.tags.get(index).is_some_and(|tag| tag.header.is_some());
            let tags = facts.tags().filter(|(index, _)| !(only_header && in_header(*index)));
            for (index, value) in tags.chain(&facts.match_tags).chain(denied_tags) {
                if let Some(Some(path)) = self.tag_paths.get(*index) {
                    write_state(path, value);
                }
            }
        }
        if self.counts {
            if let Some(look) = token.look {
                self.metrics.look(look);
            }
            self.count_store(&facts.store);
            self.count_limits(verdict, &facts.limits);
            let rule_label = facts.rule.as_ref().map(Rc::as_ptr);
            let labels = (rule_label, token.provider, discriminant(verdict), reason);
            let position = facts.rule.as_ref().map_or(0, |rule| rule.position);
            self.metrics.request(position, labels, || {
                let reason = reason.as_str();
                format!(
                    "tollgate_requests.rule.{rule}.provider.{provider}.decision.{decision}\
                     .reason.{reason}"
                )
            });
        }
    }

    /// The histograms of a rule, if they are configured.
    pub fn histograms(&self, rule: &Rule) -> Option<Histograms> {
        self.histograms.get(usize::try_from(rule.position).ok()?).copied()
    }

    /// Counts retries and evictions of the store.
    pub fn count_store(&self, counters: &Counters) {
        if self.counts {
            self.metrics.add("tollgate_store_retries", counters.retries);
            self.metrics.add("tollgate_store_evictions", counters.live_evictions);
        }
    }

    /// Writes the cost of a response while access logs can still read it.
    pub fn usage(&self, cost: u64) {
        if matches!(self.filter_state, FilterState::All | FilterState::Auto) {
            write_number(b"tollgate.usage", cost);
        }
    }

    /// Counts a charged response and its cost.
    pub fn count_charge(&self, charge: &Planned, settlement: Settlement, cost: u64) {
        if self.counts {
            let limit = &charge.limit;
            self.metrics.limit(limit, LimitResult::Charged(settlement), || {
                format!("tollgate_usage.limit.{}.result.{}", limit.name, settlement.as_str())
            });
            // A wrong number of the upstream must not overflow the counter: no more than the bucket can owe.
            let most = charge.quota.burst().saturating_mul(u64::from(DEBT_BURSTS) + 1);
            self.metrics.tokens(limit, charge.price.model, cost.min(most));
        }
    }

    fn count_limits(&self, verdict: &Verdict, limits: &[LimitReport]) {
        let refuses = |report: &LimitReport| report.ruling != Ruling::Pass;
        // Tokens were taken only if no limit refused.
        let taken = !limits.iter().any(|report| refuses(report) && !report.limit.dry_run);
        let carried_out = matches!(verdict, Verdict::Deny(_));
        for report in limits {
            let result = match refuses(report) {
                false if taken => LimitResult::Allowed,
                false => continue,
                true if carried_out && !report.limit.dry_run => LimitResult::Denied,
                true => LimitResult::WouldDeny,
            };
            self.metrics.limit(&report.limit, result, || {
                let (limit, result) = (&report.limit.name, result.as_str());
                format!("tollgate_limit.limit.{limit}.result.{result}")
            });
        }
    }
}

fn write_number(path: &[u8], number: u64) {
    write_state(path, itoa::Buffer::new().format(number));
}

fn write_state(path: &[u8], value: &str) {
    let _ = host::set_property(path, value.as_bytes());
}
