//! Parses durations, rates and sizes.

use std::fmt;
use std::time::Duration;

/// A rate as written: `tokens` per `period`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// N, at least 1.
    pub tokens: u64,
    /// More than zero.
    pub period: Duration,
}

/// Why a text cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitError {
    /// Not a duration.
    Duration,
    /// Not a rate.
    Rate,
    /// Not a size.
    Size,
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Duration => {
                "is not a duration; allowed: a whole number with ms, s, m or h, as in 500ms, 5s, \
                 10m, 24h"
            }
            Self::Rate => {
                "is not a rate; allowed: N/s, N/m, N/h, N/d or N/<duration> with N at least 1, as \
                 in 10/s or 100/15m"
            }
            Self::Size => "is not a size; allowed: bytes, or a whole number with KiB or MiB",
        })
    }
}

/// Parses `500ms`, `5s`, `10m`, `24h`; zero is allowed.
pub fn duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split_number(text).ok_or(UnitError::Duration)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(UnitError::Duration),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or(UnitError::Duration)
}

/// Parses `10/s`, `7/m`, `100/h`, `1000/d`, `100/15m`.
pub fn rate(text: &str) -> Result<Rate, UnitError> {
    let (tokens, period) = text.split_once('/').ok_or(UnitError::Rate)?;
    let period = match period {
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(3_600),
        "d" => Duration::from_secs(86_400),
        other => duration(other).map_err(|_| UnitError::Rate)?,
    };
    match split_number(tokens) {
        Some((tokens, "")) if tokens > 0 && !period.is_zero() => Ok(Rate { tokens, period }),
        _ => Err(UnitError::Rate),
    }
}

/// Parses `1048576`, `64KiB`, `1MiB` into bytes.
pub fn size(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split_number(text).ok_or(UnitError::Size)?;
    let bytes = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return Err(UnitError::Size),
    };
    number.checked_mul(bytes).ok_or(UnitError::Size)
}

/// Splits a text into its leading digits and the rest; no sign, no space, no fraction.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_a_unit() {
        for (text, millis) in [
            ("500ms", Some(500)),
            ("5s", Some(5_000)),
            ("10m", Some(600_000)),
            ("1h", Some(3_600_000)),
            ("24h", Some(86_400_000)),
            ("0s", Some(0)),
            ("007s", Some(7_000)),
            ("", None),
            ("5", None),
            ("s", None),
            ("5x", None),
            ("1d", None),
            ("5 s", None),
            (" 5s", None),
            ("5S", None),
            ("-5s", None),
            ("+5s", None),
            ("1.5s", None),
            ("1h30m", None),
            ("٥s", None),
            ("18446744073709551615h", None),
            ("18446744073709551616ms", None),
        ] {
            assert_eq!(duration(text).ok(), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn rates_have_a_positive_number_and_a_period() {
        for (text, want) in [
            ("10/s", Some((10, 1_000))),
            ("7/m", Some((7, 60_000))),
            ("1/h", Some((1, 3_600_000))),
            ("1000/d", Some((1000, 86_400_000))),
            ("3/500ms", Some((3, 500))),
            ("100/15m", Some((100, 900_000))),
            ("0/s", None),
            ("1/0s", None),
            ("/s", None),
            ("1/", None),
            ("1", None),
            ("1/2/s", None),
            ("1.5/s", None),
            ("-1/s", None),
            ("1 / s", None),
            ("1/2d", None),
        ] {
            let got = rate(text).ok().map(|r| (r.tokens, r.period.as_millis()));
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn sizes_are_bytes_or_binary_multiples() {
        for (text, want) in [
            ("0", Some(0)),
            ("16384", Some(16_384)),
            ("64KiB", Some(65_536)),
            ("1MiB", Some(1_048_576)),
            ("1KB", None),
            ("1GiB", None),
            ("1 KiB", None),
            ("KiB", None),
            ("", None),
            ("18446744073709551615MiB", None),
        ] {
            assert_eq!(size(text).ok(), want, "{text}");
        }
    }
}
