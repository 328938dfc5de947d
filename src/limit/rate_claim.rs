//! The rate in a claim of the token.

use std::time::Duration;

use super::cost::digits;
use super::quota::Quota;
use crate::template::ClaimRef;
use crate::verify::claims::Claims;
use crate::verify::json::Json;

/// `rate_claim`: the rate in a claim of the token.
#[derive(Clone, Debug)]
pub struct RateClaim {
    /// The claim that contains the number.
    pub claim: ClaimRef,
    /// The maximum number; larger ones count as this.
    pub most: u64,
    /// The period of the rate, which `max` names.
    pub period: Duration,
    /// The burst; `None`: the number itself.
    pub burst: Option<u64>,
    /// Whether the bucket may have a debt, see [`Quota::with_debt`].
    pub debt: bool,
}

impl RateClaim {
    /// The number in the token and its quota.
    ///
    /// `None` if the claim is absent or not a number. A fraction is rounded down, and a number below 1
    /// counts as 1: zero means the lowest rate, because no number may mean "no limit". A string of
    /// digits is a number, because many identity providers emit custom attributes only as strings.
    pub(super) fn of(&self, claims: &Claims) -> Option<(u64, Quota)> {
        let number = number(claims.get(&self.claim)?)?.clamp(1, self.most);
        let quota = self.quota(number)?;
        Some((number, quota))
    }

    /// The quota of a number. The compiler of the configuration excludes `None`.
    pub fn quota(&self, number: u64) -> Option<Quota> {
        let quota = Quota::new(number, self.period, self.burst.unwrap_or(number)).ok()?;
        Some(if self.debt { quota.with_debt() } else { quota })
    }
}

/// The whole part of a JSON number or of a string of digits; 0 for a negative number.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn number(value: Json<'_>) -> Option<u64> {
    if let Some(text) = value.as_str() {
        return digits(text.as_bytes());
    }
    let number = value.as_number()?;
    // The conversion of a float saturates, and `most` bounds the result.
    number.as_u64().or_else(|| number.as_f64().map(|n| n as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::json::read_object;
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
            let claims = read_object(json!({ "n": value }).to_string().into_bytes()).unwrap();
            assert_eq!(number(claims.get("n").unwrap()), want, "{value}");
        }
    }
}
