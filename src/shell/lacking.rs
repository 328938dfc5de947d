//! Requests that are refused for keys which a fetch may bring.

use std::time::Duration;

use super::held::keys::KeyWait;
use super::host;
use super::keys::RemoteKeys;
use crate::gate::facts::TokenReport;
use crate::gate::judged::Decision;
use crate::keys::local::{Lack, Missing, Wait};
use crate::policy::Policy;
use crate::time::Moment;
use crate::verify::VerifyError;
use crate::verify::provider::KeysFrom;

/// The next step of a request that may lack a key.
pub enum Lacking {
    /// Newer keys have been adopted: judge it again.
    Judge,
    /// Hold it until a fetch has ended.
    Keys(KeyWait),
    /// Carry the decision out. The time until the next fetch of keys that the request lacks, if any.
    Nothing(Option<Duration>),
}

/// Finds the next step. `waited`: the wait of a request that has waited before.
pub fn lacking(
    keys: &RemoteKeys,
    policy: &Policy,
    decision: &Decision,
    waited: Option<Wait>,
) -> Lacking {
    // A request that passes lacks no key. One that is refused can lack the keys of another provider of its
    // issuer than the one of the denial.
    let token = &decision.facts.token;
    if token.error.is_none() || decision.verdict.denial().is_none() {
        return Lacking::Nothing(None);
    }
    // A request whose signature no key has verified does not wait: its keys are tried once. The fetch is
    // requested all the same.
    let in_vain = token.tried_in_vain();
    let now = host::now();
    let since = waited.map_or(now, |waited| waited.since);
    let mut providers = Vec::new();
    let mut last = Moment::EPOCH;
    let mut next = None;
    for (provider, lack, timeout) in lacks(policy, token) {
        let until = waited.map_or_else(|| now + timeout, |waited| waited.until);
        match keys.on_missing(provider, lack, now, Wait { since, until }) {
            Missing::Judge if !in_vain => return Lacking::Judge,
            Missing::Judge | Missing::Final => next = next.or(keys.next_fetch(provider, now)),
            Missing::Wait => {
                providers.push((provider, keys.attempts(provider)));
                last = until.max(last);
            }
        }
    }
    match in_vain || providers.is_empty() {
        true => Lacking::Nothing(next),
        false => Lacking::Keys(KeyWait { providers, wait: Wait { since, until: last } }),
    }
}

/// The providers whose keys can change the verdict, the keys that each lacks, and the longest time of one of
/// its fetches.
fn lacks(policy: &Policy, token: &TokenReport) -> impl Iterator<Item = (usize, Lack, Duration)> {
    token.attempts.iter().filter_map(|attempt| {
        let lack = match attempt.error {
            VerifyError::KeyUnknown => Lack::Kid,
            VerifyError::KeysUnavailable => Lack::AllKeys,
            _ => return None,
        };
        let keys = &policy.providers.get(attempt.provider)?.keys;
        let KeysFrom::Remote(remote) = keys else { return None };
        Some((attempt.provider, lack, remote.timeout))
    })
}
