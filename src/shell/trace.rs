//! The trace of a decision: filter state, counters, the log.

use std::rc::Rc;

use super::host;
use super::logging::Cause;
use super::state::State;
use crate::caller::cache::Look;
use crate::decimal;
use crate::gate::verdict::{Judgement, LimitReport, Verdict};
use crate::limit::{Counters, Ruling};
use crate::policy::FilterState;
use crate::reason::Reason;

impl State {
    /// Leaves the trace of a decision: filter state and counters.
    pub fn report(&self, judgement: &Judgement) {
        let rule = judgement.rule.as_deref();
        let of_provider = judgement.provider.and_then(|index| self.policy.providers.get(index));
        let rule = rule.map_or("none", |rule| rule.name.as_str());
        let provider = of_provider.map_or("none", |provider| provider.name.as_str());
        let (decision, reason) = (judgement.verdict.decision(), judgement.verdict.reason());
        let denied = judgement.verdict.denial().is_some();
        let detail = judgement.error.and_then(|error| error.detail(of_provider));
        if denied {
            let cause = Cause {
                decision,
                reason,
                error: judgement.error,
                body: judgement.refusal.as_ref(),
            };
            self.refusals.note(cause, rule, provider, detail.as_deref(), host::now());
        }
        let write = match self.policy.filter_state {
            FilterState::All => true,
            FilterState::Denied => denied,
            FilterState::Off => false,
        };
        if write {
            write_state(b"tollgate.decision", decision);
            write_state(b"tollgate.reason", reason.as_str());
            write_state(b"tollgate.rule", rule);
            write_state(b"tollgate.provider", provider);
            if let Some(limit) = judgement.limited_by() {
                write_state(b"tollgate.limit", &limit.name);
            }
            if let Some(cost) = judgement.cost.filter(|_| self.tells_cost) {
                let mut digits = String::new();
                decimal::push(&mut digits, cost);
                write_state(b"tollgate.cost", &digits);
            }
            if let Some(percent) = judgement.remaining_percent() {
                let mut digits = String::new();
                decimal::push(&mut digits, percent);
                write_state(b"tollgate.remaining", &digits);
            }
            if let Some(detail) = detail.filter(|_| reason == Reason::ClaimMissing) {
                write_state(b"tollgate.detail", &detail);
            }
            for (index, value) in judgement.tags().chain(&judgement.denied_tags) {
                if let Some(Some(path)) = self.tag_paths.get(*index) {
                    write_state(path, value);
                }
            }
        }
        if self.policy.metrics {
            if let Some(look) = judgement.look {
                self.metrics.add(look_counter(look), 1);
            }
            self.count_store(&judgement.store);
            self.count_limits(judgement);
            let labels =
                (judgement.rule.as_ref().map(Rc::as_ptr), judgement.provider, decision, reason);
            self.metrics.request(labels, || {
                let reason = reason.as_str();
                format!(
                    "tollgate_requests.rule.{rule}.provider.{provider}.decision.{decision}\
                     .reason.{reason}"
                )
            });
        }
    }

    /// Counts what the store went through.
    pub fn count_store(&self, counters: &Counters) {
        if self.policy.metrics {
            self.metrics.add("tollgate_store_retries", counters.retries);
            self.metrics.add("tollgate_store_evictions", counters.live_evictions);
        }
    }

    fn count_limits(&self, judgement: &Judgement) {
        let refuses = |report: &LimitReport| report.ruling != Ruling::Pass;
        // What had tokens was taken only if no other limit refused.
        let taken = !judgement.limits.iter().any(|report| refuses(report) && !report.limit.dry_run);
        let carried_out = matches!(judgement.verdict, Verdict::Deny(_));
        for report in &judgement.limits {
            let result = match refuses(report) {
                false if taken => "allowed",
                false => continue,
                true if carried_out && !report.limit.dry_run => "denied",
                true => "would_deny",
            };
            self.metrics.limit((Rc::as_ptr(&report.limit), result), || {
                format!("tollgate_limit.limit.{}.result.{result}", report.limit.name)
            });
        }
    }
}

const fn look_counter(look: Look) -> &'static str {
    match look {
        Look::Hit => "tollgate_token_cache.result.hit",
        Look::NegativeHit => "tollgate_token_cache.result.negative_hit",
        Look::Miss => "tollgate_token_cache.result.miss",
    }
}

pub(super) fn write_state(path: &[u8], value: &str) {
    let _ = host::set_property(path, value.as_bytes());
}
