//! The rate that a token itself carries.

use std::time::Duration;

use super::cost::digits;
use super::quota::Quota;
use crate::template::ClaimRef;
use crate::verify::claims::Claims;

/// `rate_claim`: the rate that a token itself carries.
#[derive(Clone, Debug)]
pub struct RateClaim {
    /// Where the number stands.
    pub claim: ClaimRef,
    /// The largest number that counts; larger ones count as this.
    pub most: u64,
    /// The period that the number is for, that of `max`.
    pub period: Duration,
    /// The bucket's size; `None`: the number itself.
    pub burst: Option<u64>,
    /// Whether the bucket may owe, see [`Quota::with_debt`].
    pub debt: bool,
}

impl RateClaim {
    /// The number that counts, and the quota that it makes.
    ///
    /// `None` when the token has none: the claim is absent or is no number. A fraction is rounded
    /// down, and what is below 1 counts as 1: an issuer that says zero means the least there is, and
    /// no number may come to mean "no limit". Digits in a text are a number, as many identity
    /// providers emit custom attributes as texts alone.
    pub(super) fn of(&self, claims: &Claims) -> Option<(u64, Quota)> {
        let number = number(claims.get(&self.claim)?)?.clamp(1, self.most);
        let quota = self.quota(number)?;
        Some((number, quota))
    }

    /// The quota of a number; `None` when it makes none, which the configuration rules out.
    pub fn quota(&self, number: u64) -> Option<Quota> {
        let quota = Quota::new(number, self.period, self.burst.unwrap_or(number)).ok()?;
        Some(if self.debt { quota.with_debt() } else { quota })
    }
}

/// The whole part of a JSON number, 0 where it is negative; also of a text of digits alone.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn number(value: &serde_json::Value) -> Option<u64> {
    match value {
        // A float that is out of range saturates, which is what `max` is for.
        serde_json::Value::Number(n) => n.as_u64().or_else(|| n.as_f64().map(|n| n as u64)),
        serde_json::Value::String(text) => digits(text.as_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_claimed_rate_is_a_number_of_whole_tokens() {
        for (value, want) in [
            (json!(5), Some(5)),
            (json!(5.9), Some(5)),
            (json!(0.5), Some(0)),
            (json!(0), Some(0)),
            (json!(-3), Some(0)),
            (json!(-3.5), Some(0)),
            (json!(1e300), Some(u64::MAX)),
            (json!("50"), Some(50)),
            (json!(""), None),
            (json!("-1"), None),
            (json!("5/s"), None),
            (json!(true), None),
            (json!(null), None),
            (json!([5]), None),
            (json!({}), None),
        ] {
            assert_eq!(number(&value), want, "{value}");
        }
    }
}
