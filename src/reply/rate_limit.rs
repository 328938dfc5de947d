//! The header fields that show a caller the state of its limits.

use std::cmp::Reverse;

use crate::gate::verdict::LimitReport;
use crate::policy::Policy;
use crate::time::seconds_up;

/// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10) with one item per
/// limit, and `X-RateLimit-*` for the limit with the least left. Dry runs are not shown.
pub fn rate_limit_fields(
    reports: &[LimitReport],
    policy: &Policy,
    write: &mut dyn FnMut(&'static str, &str),
) {
    let shown = || reports.iter().filter(|report| !report.limit.dry_run);
    if shown().next().is_none() {
        return;
    }
    if policy.responses.ratelimit_ietf {
        let mut list = String::with_capacity(reports.len().saturating_mul(64));
        if let [report] = reports {
            write("ratelimit-policy", &report.limit.policy_item(&report.quota));
        } else {
            for report in shown() {
                separate(&mut list);
                list.push_str(&report.limit.policy_item(&report.quota));
            }
            write("ratelimit-policy", &list);
            list.clear();
        }
        for report in shown() {
            separate(&mut list);
            push_left(&mut list, report);
        }
        write("ratelimit", &list);
    }
    // Of two limits with equally little left, the one that takes longer to refill.
    let scarcest = shown().min_by_key(|report| (report.remaining, Reverse(report.reset)));
    if let Some(least) = scarcest.filter(|_| policy.responses.ratelimit_x) {
        for (name, number) in [
            ("x-ratelimit-limit", least.quota.burst()),
            ("x-ratelimit-remaining", least.remaining),
            ("x-ratelimit-reset", seconds_up(least.reset)),
        ] {
            write(name, itoa::Buffer::new().format(number));
        }
    }
}

/// Prepares a structured list (RFC 9651 §3.1) for its next item.
fn separate(list: &mut String) {
    if !list.is_empty() {
        list.push_str(", ");
    }
}

/// Appends an item of `RateLimit`. It does without `format!`, which would cost every limited request more than the
/// limit itself.
fn push_left(list: &mut String, report: &LimitReport) {
    list.push('"');
    list.push_str(&report.limit.name);
    list.push_str("\";r=");
    list.push_str(itoa::Buffer::new().format(report.remaining));
    list.push_str(";t=");
    list.push_str(itoa::Buffer::new().format(seconds_up(report.reset)));
}
