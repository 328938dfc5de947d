//! The tokens that a request costs.

use crate::request::headers::Headers;

/// `cost`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cost {
    /// A fixed cost, at least 1.
    Fixed(u64),
    /// The number in a request header, see [`Cost::of_headers`].
    Header {
        /// The name of the header in lower case.
        name: String,
        /// The maximum cost.
        max: u64,
    },
    /// One for each row of the body, at least 1. Such a rule has a body guard.
    Rows {
        /// The maximum cost.
        max: u64,
    },
}

impl Cost {
    /// The minimum cost of a request.
    pub fn least(&self) -> u64 {
        match self {
            Self::Fixed(cost) => *cost,
            Self::Header { .. } | Self::Rows { .. } => 1,
        }
    }

    /// The cost of a request by its headers, at least 1.
    ///
    /// An absent header costs 1. A header costs `max` if it is not a number, zero or more than `max`,
    /// repeated, or in another spelling that a server may read as this header, so that nonsense is never
    /// cheaper than the truth. The number is a claim of the client; the upstream must check it against
    /// the batch.
    pub fn of_headers(&self, headers: &Headers) -> u64 {
        let (name, max) = match self {
            Self::Fixed(cost) => return *cost,
            Self::Header { name, max } => (name, *max),
            // The rows are counted while the body streams.
            Self::Rows { .. } => return 1,
        };
        let mut lines = headers.spellings(name);
        match (lines.next(), lines.next()) {
            (None, _) => 1,
            (Some((given, value)), None) if given == name.as_bytes() => {
                match digits(value.trim_ascii()) {
                    Some(number) if (1..=max).contains(&number) => number,
                    _ => max,
                }
            }
            (Some(_), _) => max,
        }
    }

    /// The cost of a body with `rows` rows; `None` if the rule does not count them.
    pub fn of_rows(&self, rows: u64) -> Option<u64> {
        match self {
            Self::Rows { max } => Some(rows.min(*max).max(1)),
            Self::Fixed(_) | Self::Header { .. } => None,
        }
    }
}

/// The number in a text of decimal digits alone; `u64::MAX` if it is larger.
pub(super) fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(text.iter().fold(0, add))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_header_costs_its_number_and_nonsense_costs_the_most() {
        let rule = Cost::Header { name: "x-batch".into(), max: 100 };
        for (values, want) in [
            (&[][..], 1),
            (&["1"], 1),
            (&["42"], 42),
            (&[" 7 "], 7),
            (&["007"], 7),
            (&["100"], 100),
            (&["101"], 100),
            (&["99999999999999999999999999"], 100),
            (&["0"], 100),
            (&["-5"], 100),
            (&["+5"], 100),
            (&["1.5"], 100),
            (&["1e1"], 100),
            (&["ten"], 100),
            (&[""], 100),
            (&["5,6"], 100),
            (&["5", "5"], 100),
        ] {
            let headers: Vec<_> = values.iter().map(|value| ("x-batch", value)).collect();
            assert_eq!(rule.of_headers(&Headers::from_pairs(&headers)), want, "{values:?}");
        }
        assert_eq!(Cost::Fixed(3).of_headers(&Headers::default()), 3);
    }

    #[test]
    fn a_batch_header_in_another_spelling_costs_the_most() {
        let rule = Cost::Header { name: "x-batch".into(), max: 100 };
        for (pairs, want) in [
            (&[("x-batch", "5")][..], 5),
            (&[("x_batch", "50")], 100),
            (&[("x~batch", "1")], 100),
            (&[("x-batch", "5"), ("x_batch", "50")], 100),
            (&[("X.Batch", "5"), ("x-batch", "5")], 100),
            (&[("xbatch", "50"), ("x-batches", "50")], 1),
        ] {
            assert_eq!(rule.of_headers(&Headers::from_pairs(pairs)), want, "{pairs:?}");
        }
    }

    #[test]
    fn a_header_and_rows_cost_at_least_one_token() {
        for (cost, least) in [
            (Cost::Fixed(1), 1),
            (Cost::Fixed(7), 7),
            (Cost::Header { name: "x-batch".into(), max: 100 }, 1),
            (Cost::Rows { max: 100 }, 1),
        ] {
            assert_eq!(cost.least(), least, "{cost:?}");
        }
    }
}
