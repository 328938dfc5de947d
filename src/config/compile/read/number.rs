//! Numbers, sizes and durations within their bounds.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::report::{At, Report, quoted};
use crate::config::schema::{Count, DurationText, Size};
use crate::config::units;

/// A duration within its bounds.
#[inline(never)]
pub(in crate::config::compile) fn duration(
    raw: Option<&DurationText>,
    default: Duration,
    bounds: RangeInclusive<Duration>,
    at: &At,
    report: &mut Report,
) -> Duration {
    let Some(DurationText(text)) = raw else { return default };
    match units::duration(text) {
        Ok(value) if bounds.contains(&value) => return value,
        Ok(_) => report.problem(
            at,
            format_args!(
                "{} is out of bounds; allowed: {} to {}",
                quoted(text),
                shown(*bounds.start()),
                shown(*bounds.end())
            ),
        ),
        Err(error) => report.problem(at, format_args!("{} {error}", quoted(text))),
    }
    default
}

/// A duration within its bounds, in whole seconds.
#[inline(never)]
pub(in crate::config::compile) fn seconds(
    raw: Option<&DurationText>,
    default: u64,
    bounds: RangeInclusive<u64>,
    at: &At,
    report: &mut Report,
) -> u64 {
    let bounds = Duration::from_secs(*bounds.start())..=Duration::from_secs(*bounds.end());
    let value = duration(raw, Duration::from_secs(default), bounds, at, report);
    if value.subsec_nanos() != 0 {
        report.problem(at, "is not a whole number of seconds");
    }
    value.as_secs()
}

/// A duration in the largest unit without a fraction.
fn shown(value: Duration) -> String {
    let millis = value.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis >= size && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis.checked_div(size).unwrap_or_default());
        }
    }
    format!("{millis}ms")
}

/// A whole number within its bounds.
pub(in crate::config::compile) fn count<N>(
    raw: Option<Count>,
    default: N,
    bounds: RangeInclusive<N>,
    at: &At,
    report: &mut Report,
) -> N
where
    N: Copy + TryFrom<u64>,
    u64: TryFrom<N>,
{
    let Some(Count(found)) = raw else { return default };
    let (low, high) = (u64::try_from(*bounds.start()), u64::try_from(*bounds.end()));
    let fits = bounded(found, low.unwrap_or(0)..=high.unwrap_or(u64::MAX), at, report);
    N::try_from(found).ok().filter(|_| fits).unwrap_or(default)
}

/// Whether a number is within its bounds: one function for all types of numbers.
#[inline(never)]
fn bounded(found: u64, bounds: RangeInclusive<u64>, at: &At, report: &mut Report) -> bool {
    let fits = bounds.contains(&found);
    if !fits {
        let (low, high) = (bounds.start(), bounds.end());
        match *high {
            u64::MAX => {
                report.problem(at, format_args!("{found} is too small; allowed: from {low}"))
            }
            _ => report
                .problem(at, format_args!("{found} is out of bounds; allowed: {low} to {high}")),
        }
    }
    fits
}

/// A size within its bounds, in bytes.
#[inline(never)]
pub(in crate::config::compile) fn size(
    raw: Option<&Size>,
    default: usize,
    bounds: RangeInclusive<usize>,
    at: &At,
    report: &mut Report,
) -> usize {
    let bytes = match raw {
        None => return default,
        Some(Size::Bytes(bytes)) => *bytes,
        Some(Size::Text(text)) => match units::size(text) {
            Ok(bytes) => bytes,
            Err(error) => {
                report.problem(at, format_args!("{} {error}", quoted(text)));
                return default;
            }
        },
    };
    count(Some(Count(bytes)), default, bounds, at, report)
}
