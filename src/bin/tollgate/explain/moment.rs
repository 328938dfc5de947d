//! Parses and prints times and durations.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tollgate::time::Moment;

/// The current time.
pub fn now() -> Moment {
    moment(OffsetDateTime::now_utc()).unwrap_or_default()
}

/// Reads RFC 3339, or whole seconds since the Unix epoch.
pub fn parse(text: &str) -> Result<Moment, String> {
    const ALLOWED: &str = "allowed: RFC 3339 (2026-01-31T12:00:00Z) or seconds since 1970";
    let date = match text.parse() {
        Ok(seconds) => OffsetDateTime::from_unix_timestamp(seconds).ok(),
        Err(_) => OffsetDateTime::parse(text, &Rfc3339).ok(),
    };
    date.and_then(moment).ok_or_else(|| ALLOWED.to_owned())
}

fn moment(date: OffsetDateTime) -> Option<Moment> {
    u64::try_from(date.unix_timestamp_nanos()).ok().map(Moment::from_nanos)
}

/// RFC 3339 in UTC.
pub fn rfc3339(nanos: i128) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos);
    let text = moment.ok().and_then(|moment| moment.format(&Rfc3339).ok());
    text.unwrap_or_else(|| match nanos < 0 {
        true => "before the year 0".to_owned(),
        false => format!("{} s after 1970", nanos / 1_000_000_000),
    })
}

/// The distance of `nanos` from `now`: `in 5m 3s`, `2h ago`.
pub fn distance(nanos: i128, now: Moment) -> String {
    let now = i128::from(now.as_nanos());
    match nanos >= now {
        true => format!("in {}", span(nanos.abs_diff(now))),
        false => format!("{} ago", span(now.abs_diff(nanos))),
    }
}

/// A duration in its two largest units, rounded down.
pub fn span(nanos: u128) -> String {
    let seconds = nanos / 1_000_000_000;
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
