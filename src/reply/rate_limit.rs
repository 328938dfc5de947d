//! The header fields that show a caller the state of its limits.

use std::cmp::Reverse;
use std::time::Duration;

use crate::gate::verdict::LimitReport;
use crate::limit::plan::Limit;
use crate::policy::Policy;

/// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10) with one item per
/// limit, and `X-RateLimit-*` for the limit with the least left. Dry runs are not shown.
pub fn rate_limit_fields(
    reports: &[LimitReport],
    policy: &Policy,
    write: &mut dyn FnMut(&'static str, &str),
) {
    let shown = || reports.iter().filter(|report| !report.limit.dry_run);
    // Of two limits with equally little left, the one that takes longer to refill.
    let scarcest = shown().min_by_key(|report| (report.remaining, Reverse(report.reset)));
    let Some(least) = scarcest else { return };
    if policy.responses.ratelimit_ietf {
        let mut list = String::with_capacity(64);
        for LimitReport { limit, quota, .. } in shown() {
            push_item(&mut list, limit, [("q", quota.burst()), ("w", seconds_up(quota.refill()))]);
        }
        write("ratelimit-policy", &list);
        list.clear();
        for LimitReport { limit, remaining, reset, .. } in shown() {
            push_item(&mut list, limit, [("r", *remaining), ("t", seconds_up(*reset))]);
        }
        write("ratelimit", &list);
    }
    if policy.responses.ratelimit_x {
        for (name, number) in [
            ("x-ratelimit-limit", least.quota.burst()),
            ("x-ratelimit-remaining", least.remaining),
            ("x-ratelimit-reset", seconds_up(least.reset)),
        ] {
            write(name, itoa::Buffer::new().format(number));
        }
    }
}

/// Appends an item of a structured list (RFC 9651 §3.1): `"name";a=1;b=2`. It does without
/// `format!`, which would cost every limited request more than the limit itself.
fn push_item(list: &mut String, limit: &Limit, parameters: [(&str, u64); 2]) {
    if !list.is_empty() {
        list.push_str(", ");
    }
    list.push('"');
    list.push_str(&limit.name);
    list.push('"');
    for (name, value) in parameters {
        list.push(';');
        list.push_str(name);
        list.push('=');
        list.push_str(itoa::Buffer::new().format(value));
    }
}

/// Whole seconds, rounded up: a caller that waits so long is never early.
pub(super) fn seconds_up(span: Duration) -> u64 {
    span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0))
}
