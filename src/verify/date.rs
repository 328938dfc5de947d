//! NumericDate (RFC 7519 §2): seconds since the Unix epoch, with or without a fraction.

use serde_json::Number;

use super::error::VerifyError;
use super::json::Document;

/// 9999-12-31T23:59:59Z. A later value is in milliseconds or an attempt at overflow.
const LAST_SECOND: i64 = 253_402_300_799;

const NANOS: i128 = 1_000_000_000;

/// A time in nanoseconds since the Unix epoch. It is wider than the clock's 64 bits because a claim
/// may be far in the future, and signed because a claim may be before 1970: some libraries write
/// the year 1 for a date that was never set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumericDate(i128);

impl NumericDate {
    /// The claim `name`, if present. A string is malformed, not absent (CVE-2026-25537). Dates have
    /// no lower bound (RFC 7519 §2).
    pub fn claim(claims: &Document, name: &'static str) -> Result<Option<Self>, VerifyError> {
        let Some(value) = claims.get(name) else { return Ok(None) };
        let number = value.as_number().ok_or(VerifyError::ClaimMalformed(name))?;
        Self::parse(&number).map(Some).ok_or(VerifyError::DateTooFar(name))
    }

    /// `None` after the year 9999.
    fn parse(number: &Number) -> Option<Self> {
        if let Some(seconds) = number.as_i64() {
            return (seconds <= LAST_SECOND)
                .then(|| Self(i128::from(seconds).saturating_mul(NANOS)));
        }
        let seconds = number.as_f64()?;
        if seconds >= (LAST_SECOND as f64) + 1.0 {
            return None;
        }
        // As exact as the number itself; very early dates saturate.
        let whole = (seconds.trunc() as i128).saturating_mul(NANOS);
        Some(Self(whole.saturating_add((seconds.fract() * 1e9) as i128)))
    }

    /// Nanoseconds since the Unix epoch, negative before it.
    pub fn nanos(self) -> i128 {
        self.0
    }
}

/// Converts whole seconds to nanoseconds.
pub(super) fn seconds(seconds: u64) -> i128 {
    i128::from(seconds).saturating_mul(NANOS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::json::read_object;
    use serde_json::{Value, json};

    fn document(claims: &Value) -> Document {
        read_object(claims.to_string().into_bytes()).unwrap()
    }

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
            (json!(-1), Some(-1_000_000_000)),
            (json!(-0.5), Some(-500_000_000)),
            // The year 1, which Go and .NET write for a date that was never set.
            (json!(-62_135_596_800_i64), Some(-62_135_596_800_000_000_000)),
            (json!(i64::MIN), Some(i128::from(i64::MIN) * 1_000_000_000)),
            (json!(-1e300), Some(i128::MIN)),
            (json!(253_402_300_800u64), None),
            (json!(253_402_300_800.0), None),
            (json!(1_800_000_000_000u64), None),
            (json!(u64::MAX), None),
            (json!(1e308), None),
        ] {
            let claims = document(&json!({ "exp": value }));
            let want = nanos.map(NumericDate).map(Some).ok_or(VerifyError::DateTooFar("exp"));
            assert_eq!(NumericDate::claim(&claims, "exp"), want, "{value}");
        }
        for value in [json!("1"), json!(""), json!(true), json!([1]), json!({}), json!(null)] {
            let claims = document(&json!({ "exp": value }));
            let malformed = Err(VerifyError::ClaimMalformed("exp"));
            assert_eq!(NumericDate::claim(&claims, "exp"), malformed, "{value}");
        }
    }

    #[test]
    fn absent_and_malformed_are_told_apart() {
        let claims = document(&json!({"exp": "1", "nbf": null}));
        assert_eq!(NumericDate::claim(&claims, "iat"), Ok(None));
        for name in ["exp", "nbf"] {
            let malformed = Err(VerifyError::ClaimMalformed(name));
            assert_eq!(NumericDate::claim(&claims, name), malformed);
        }
    }
}
