//! NumericDate (RFC 7519 §2): seconds since the Unix epoch, with or without a fraction.

use serde_json::{Map, Value};

use super::VerifyError;

/// 9999-12-31T23:59:59Z. What lies beyond is milliseconds or an attempt at overflow, not a date.
const LAST_SECOND: u64 = 253_402_300_799;

const NANOS: u128 = 1_000_000_000;

/// A moment, in nanoseconds since the Unix epoch. Wider than the clock's 64 bits, since a claim
/// may lie far ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumericDate(u128);

impl NumericDate {
    /// The claim `name`, if it is there. A string is malformed, not absent (CVE-2026-25537).
    pub fn claim(
        claims: &Map<String, Value>,
        name: &'static str,
    ) -> Result<Option<Self>, VerifyError> {
        match claims.get(name) {
            None => Ok(None),
            Some(value) => Self::parse(value).map(Some).ok_or(VerifyError::ClaimMalformed(name)),
        }
    }

    fn parse(value: &Value) -> Option<Self> {
        let Value::Number(number) = value else { return None };
        if let Some(seconds) = number.as_u64() {
            return (seconds <= LAST_SECOND)
                .then(|| Self(u128::from(seconds).saturating_mul(NANOS)));
        }
        let seconds = number.as_f64()?;
        if !(seconds >= 0.0 && seconds < (LAST_SECOND as f64) + 1.0) {
            return None;
        }
        // In range, so both casts are exact up to the precision of the number itself.
        let whole = (seconds.trunc() as u128).saturating_mul(NANOS);
        Some(Self(whole.saturating_add((seconds.fract() * 1e9) as u128)))
    }

    /// Nanoseconds since the Unix epoch.
    pub fn nanos(self) -> u128 {
        self.0
    }
}

/// Whole seconds as nanoseconds.
pub(super) fn seconds(seconds: u64) -> u128 {
    u128::from(seconds).saturating_mul(NANOS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn integers_and_fractions_are_dates_and_nothing_else_is() {
        for (value, nanos) in [
            (json!(0), Some(0)),
            (json!(1), Some(1_000_000_000)),
            (json!(1.5), Some(1_500_000_000)),
            (json!(1e3), Some(1_000_000_000_000)),
            (json!(-0.0), Some(0)),
            (json!(253_402_300_799u64), Some(253_402_300_799_000_000_000)),
            (json!(253_402_300_799.5), Some(253_402_300_799_500_000_000)),
            (json!(253_402_300_800u64), None),
            (json!(253_402_300_800.0), None),
            (json!(u64::MAX), None),
            (json!(1e308), None),
            (json!(-1), None),
            (json!(-0.5), None),
            (json!("1"), None),
            (json!(""), None),
            (json!(true), None),
            (json!([1]), None),
            (json!({}), None),
            (json!(null), None),
        ] {
            assert_eq!(NumericDate::parse(&value).map(NumericDate::nanos), nanos, "{value}");
        }
    }

    #[test]
    fn absent_and_malformed_are_told_apart() {
        let Value::Object(claims) = json!({"exp": "1", "nbf": null}) else { panic!() };
        assert_eq!(NumericDate::claim(&claims, "iat"), Ok(None));
        for name in ["exp", "nbf"] {
            let malformed = Err(VerifyError::ClaimMalformed(name));
            assert_eq!(NumericDate::claim(&claims, name), malformed);
        }
    }
}
