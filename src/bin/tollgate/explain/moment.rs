//! Parses and prints times and durations.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const SECOND: u64 = 1_000_000_000;

/// The current time, nanoseconds since the Unix epoch.
pub fn now() -> u64 {
    u64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos()).unwrap_or(0)
}

/// Reads RFC 3339, or whole seconds since the Unix epoch.
pub fn parse(text: &str) -> Result<u64, String> {
    const ALLOWED: &str = "allowed: RFC 3339 (2026-01-31T12:00:00Z) or seconds since 1970";
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.checked_mul(SECOND).ok_or_else(|| ALLOWED.to_owned());
    }
    let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| ALLOWED.to_owned())?;
    u64::try_from(moment.unix_timestamp_nanos()).map_err(|_| ALLOWED.to_owned())
}

/// RFC 3339 in UTC.
pub fn rfc3339(nanos: i128) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos);
    let text = moment.ok().and_then(|moment| moment.format(&Rfc3339).ok());
    text.unwrap_or_else(|| match nanos < 0 {
        true => "before the year 0".to_owned(),
        false => format!("{} s after 1970", nanos / i128::from(SECOND)),
    })
}

/// The distance of `nanos` from `now`: `in 5m 3s`, `2h ago`.
pub fn distance(nanos: i128, now: u64) -> String {
    let now = i128::from(now);
    match nanos >= now {
        true => format!("in {}", span(nanos.abs_diff(now))),
        false => format!("{} ago", span(now.abs_diff(nanos))),
    }
}

/// A duration in its two largest units, rounded down.
pub fn span(nanos: u128) -> String {
    let seconds = nanos / u128::from(SECOND);
    if seconds == 0 {
        return match nanos / 1_000_000 {
            0 => "0s".to_owned(),
            millis => format!("{millis}ms"),
        };
    }
    let units = [(86_400 * 365, "y"), (86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut left = seconds;
    let mut parts = Vec::new();
    for (size, unit) in units {
        if left >= size && parts.len() < 2 {
            parts.push(format!("{}{unit}", left / size));
        }
        left %= size;
    }
    parts.join(" ")
}
