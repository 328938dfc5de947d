//! How long a refused caller is asked to wait.

use std::time::Duration;

use super::recipient::Rpc;
use crate::gate::verdict::Denial;
use crate::reason::Reason;
use crate::time::seconds_up;

/// The advice to a refused caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing is known about a later request.
    Unknown,
    /// The same request would pass after these seconds.
    Seconds(u64),
    /// The caller should not repeat the request: waiting does not help, or takes longer than
    /// `retry_after_max`.
    Never,
}

impl Wait {
    /// The advice of a denial. `random` spreads the wait upward by up to a quarter, and by one second at
    /// least, so that callers that were refused together do not come back together.
    pub(super) fn of(denial: &Denial, most: Duration, random: u32) -> Self {
        match denial.retry_after {
            None if denial.reason == Reason::CostExceedsBurst => Self::Never,
            None => Self::Unknown,
            Some(wait) if wait > most => Self::Never,
            Some(wait) => {
                let seconds = seconds_up(wait).max(1);
                let choices = seconds.div_ceil(4).saturating_add(1);
                let spread = u64::from(random).checked_rem(choices).unwrap_or(0);
                Self::Seconds(seconds.saturating_add(spread))
            }
        }
    }

    /// The header fields that say so.
    pub(super) fn fields(self, rpc: Rpc) -> impl Iterator<Item = (&'static str, String)> {
        let own = match self {
            Self::Unknown => None,
            Self::Seconds(seconds) => Some(("retry-after", seconds.to_string())),
            // The SDKs of OpenAI and Anthropic obey it.
            Self::Never => Some(("x-should-retry", "false".to_owned())),
        };
        // The pushback of gRPC's retry policy (proposal A6): milliseconds, or a negative number for never.
        let pushback = match self {
            _ if rpc == Rpc::No => None,
            Self::Unknown => None,
            Self::Seconds(seconds) => Some(seconds.saturating_mul(1_000).to_string()),
            Self::Never => Some("-1".to_owned()),
        };
        own.into_iter().chain(pushback.map(|pushback| ("grpc-retry-pushback-ms", pushback)))
    }

    /// The seconds to wait.
    pub(super) fn seconds(self) -> Option<u64> {
        match self {
            Self::Seconds(seconds) => Some(seconds),
            Self::Unknown | Self::Never => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_wait_is_rounded_up_and_spread_upward_by_at_most_a_quarter_or_a_second() {
        for (wait, least, most) in [
            (Duration::from_nanos(1), 1, 2),
            (Duration::from_millis(1_001), 2, 3),
            (Duration::from_secs(5), 5, 7),
            (Duration::from_secs(40), 40, 50),
            (MINUTE, 60, 75),
        ] {
            let denial = Denial::for_now(Reason::RateLimited, wait);
            let seen: std::collections::BTreeSet<u64> = (0..1_000)
                .filter_map(|random| Wait::of(&denial, MINUTE, random).seconds())
                .collect();
            assert_eq!(seen, (least..=most).collect(), "{wait:?}");
        }
    }

    #[test]
    fn a_caller_is_told_not_to_repeat_what_waiting_does_not_cure() {
        let long = Denial::for_now(Reason::RateLimited, MINUTE + Duration::from_nanos(1));
        for (denial, want, fields) in [
            (long, Wait::Never, vec![("x-should-retry", "false")]),
            (Reason::CostExceedsBurst.into(), Wait::Never, vec![("x-should-retry", "false")]),
            (Reason::Expired.into(), Wait::Unknown, vec![]),
            (Reason::KeysUnavailable.into(), Wait::Seconds(1), vec![("retry-after", "1")]),
        ] {
            let wait = Wait::of(&denial, MINUTE, 0);
            assert_eq!(wait, want, "{denial:?}");
            let own: Vec<_> = wait.fields(Rpc::No).collect();
            let own: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(own, fields, "{denial:?}");
            let pushback = wait.fields(Rpc::Native).last();
            let pushback = pushback.filter(|(name, _)| *name == "grpc-retry-pushback-ms");
            let text = match want {
                Wait::Unknown => None,
                Wait::Seconds(_) => Some("1000"),
                Wait::Never => Some("-1"),
            };
            assert_eq!(pushback.as_ref().map(|(_, value)| value.as_str()), text, "{denial:?}");
        }
    }
}
