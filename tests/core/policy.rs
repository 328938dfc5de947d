//! A configuration in native tests: compiled without variables, with its own keys.

#![allow(dead_code, missing_docs, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use tollgate::caller::cache::TokenCache;
use tollgate::caller::principal::Principal;
use tollgate::config::{self, NoVariables};
use tollgate::gate::judged::Judged;
use tollgate::gate::{Gate, Request};
use tollgate::policy::Policy;
use tollgate::request::headers::Headers;
use tollgate::store::memory::Memory;
use tollgate::time::Moment;
use tollgate::verify::engine::Engine;
use tollgate::verify::keyset::KeySet;
use tollgate::verify::provider::KeysFrom;
use tollgate::verify::{Claims, Failure, Keys, Verifier};

/// The keys that stand in the configuration.
pub struct PolicyKeys<'a>(pub &'a Policy);

impl Keys for PolicyKeys<'_> {
    fn keys(&self, provider: usize) -> Option<&KeySet> {
        match &self.0.providers.get(provider)?.keys {
            KeysFrom::Static(keys) => Some(keys),
            KeysFrom::Remote(_) => None,
        }
    }
}

/// The policy of a document that loads.
pub fn compiled(document: &Value) -> Policy {
    match config::compile(document.to_string().as_bytes(), &NoVariables) {
        Ok((policy, _)) => policy,
        Err(problems) => panic!("{problems:?}"),
    }
}

/// The decision of the whole gate on a request without a body, at a moment. There is no store: limits of
/// the rule would refuse it.
pub fn judge(
    policy: &Policy,
    engine: &dyn Engine,
    cache: &TokenCache,
    headers: &[(&str, &str)],
    now: Moment,
) -> Judged {
    let gate = Gate {
        policy,
        keys: &PolicyKeys(policy),
        engine,
        cache,
        table: None,
        concurrency: None,
        store: &Memory::default(),
    };
    gate.judge(&Request {
        headers: &Headers::from_pairs(headers),
        bodyless: true,
        client_address: &|| None,
        now,
        peer_certificate: &|| None,
        clock: &|| now,
    })
}

/// The verdict on a token at a moment, in nanoseconds since the Unix epoch; all providers count.
pub fn verify(
    policy: &Policy,
    engine: &dyn Engine,
    token: &[u8],
    now: Moment,
) -> Result<Claims, Failure> {
    let max_bytes = policy.token.max_bytes;
    let keys = &PolicyKeys(policy);
    Verifier { providers: &policy.providers, keys, engine, max_bytes }.verify(token, None, now)
}

/// The reason for which a token is refused; `ok` if it is accepted and names an identity.
pub fn reason(policy: &Policy, engine: &dyn Engine, token: &[u8], now: Moment) -> &'static str {
    match verify(policy, engine, token, now) {
        Err(failure) => failure.error.reason().as_str(),
        Ok(claims) => {
            let provider = &policy.providers[claims.provider()];
            Principal::of(claims, provider)
                .map_or_else(|refused| refused.0.reason().as_str(), |_| "ok")
        }
    }
}
