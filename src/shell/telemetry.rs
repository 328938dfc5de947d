//! The trace of a decision: filter state, counters, the log.

use std::rc::Rc;

use super::host;
use super::refusal_log::Cause;
use super::worker::State;
use crate::caller::cache::Look;
use crate::gate::judged::Decision;
use crate::gate::verdict::{LimitReport, Verdict};
use crate::limit::{Counters, Ruling};
use crate::policy::FilterState;
use crate::reason::Reason;

impl State {
    /// Writes filter state and counters of a decision, and logs it if it is a refusal.
    pub fn report(&self, decided: &Decision) {
        let Decision { verdict, facts, denied_tags, .. } = decided;
        let token = &facts.token;
        let of_provider = token.provider.and_then(|index| self.policy.providers.get(index));
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
            if let Some(limit) = decided.limited_by() {
                write_state(b"tollgate.limit", &limit.name);
            }
            if let Some(cost) = facts.cost.filter(|_| self.tells_cost) {
                write_state(b"tollgate.cost", itoa::Buffer::new().format(cost));
            }
            if let Some(percent) = facts.remaining_percent() {
                write_state(b"tollgate.remaining", itoa::Buffer::new().format(percent));
            }
            if let Some(detail) = detail.filter(|_| reason == Reason::ClaimMissing) {
                write_state(b"tollgate.detail", &detail);
            }
            for (index, value) in facts.tags().chain(denied_tags) {
                if let Some(Some(path)) = self.tag_paths.get(*index) {
                    write_state(path, value);
                }
            }
        }
        if self.policy.metrics {
            if let Some(look) = token.look {
                self.metrics.add(look_counter(look), 1);
            }
            self.count_store(&facts.store);
            self.count_limits(verdict, &facts.limits);
            let rule_label = facts.rule.as_ref().map(Rc::as_ptr);
            let labels = (rule_label, token.provider, decision, reason);
            self.metrics.request(labels, || {
                let reason = reason.as_str();
                format!(
                    "tollgate_requests.rule.{rule}.provider.{provider}.decision.{decision}\
                     .reason.{reason}"
                )
            });
        }
    }

    /// Counts retries and evictions of the store.
    pub fn count_store(&self, counters: &Counters) {
        if self.policy.metrics {
            self.metrics.add("tollgate_store_retries", counters.retries);
            self.metrics.add("tollgate_store_evictions", counters.live_evictions);
        }
    }

    fn count_limits(&self, verdict: &Verdict, limits: &[LimitReport]) {
        let refuses = |report: &LimitReport| report.ruling != Ruling::Pass;
        // Tokens were taken only if no limit refused.
        let taken = !limits.iter().any(|report| refuses(report) && !report.limit.dry_run);
        let carried_out = matches!(verdict, Verdict::Deny(_));
        for report in limits {
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
