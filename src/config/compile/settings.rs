//! The sections of one or two members.

use std::time::Duration;

use super::read;
use crate::caller::address::ClientAddress;
use crate::caller::cache::CacheSettings;
use crate::caller::tags::HashKey;
use crate::config::Environment;
use crate::config::report::{At, Report};
use crate::config::schema::{
    Count, RawAmbiguousPaths, RawClientAddress, RawPrivacy, RawStore, RawTelemetry, RawTokenCache,
};
use crate::policy::Crypto;
use crate::verify::algorithm::HAS_VERIFIER;

/// `store.max_identities`: from one slot of the table to some hundred MiB.
const MAX_IDENTITIES: std::ops::RangeInclusive<u32> = 8..=16_777_216;

/// `token_cache.entries`: a million tokens of 1 KiB fill the memory of a VM.
const CACHE_ENTRIES: std::ops::RangeInclusive<u32> = 0..=1_000_000;

/// `token_cache.max_age`.
const CACHE_AGE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(24 * 3_600);

/// `ambiguous_paths`, `reject` by default.
pub(super) fn reject_ambiguous_paths(raw: Option<RawAmbiguousPaths>) -> bool {
    raw != Some(RawAmbiguousPaths::Allow)
}

/// `telemetry.histograms`, off by default. They are metrics, so there are none without metrics.
pub(super) fn histograms(raw: Option<&RawTelemetry>, report: &mut Report) -> bool {
    let Some(RawTelemetry { metrics, histograms: Some(true), .. }) = raw else { return false };
    if *metrics == Some(false) {
        let at = At::root().field("telemetry").field("histograms");
        report.warning(&at, "has no effect without metrics");
        return false;
    }
    true
}

/// `crypto`, `auto` by default.
pub(super) fn crypto(raw: Option<Crypto>, report: &mut Report) -> Crypto {
    if raw == Some(Crypto::Module) && !HAS_VERIFIER {
        report.problem(
            &At::root().field("crypto"),
            "is module, but this module, tollgate-host.wasm, has no verifier; allowed: auto, or the full \
             module, tollgate.wasm",
        );
    }
    raw.unwrap_or(Crypto::Auto)
}

/// `token_cache`, 10,000 entries for 5 minutes by default.
pub(super) fn token_cache(raw: Option<&RawTokenCache>, report: &mut Report) -> CacheSettings {
    let at = At::root().field("token_cache");
    let entries = raw.and_then(|cache| cache.entries);
    let max_age = raw.and_then(|cache| cache.max_age.as_ref());
    CacheSettings {
        entries: read::count(entries, 10_000, CACHE_ENTRIES, &at.field("entries"), report),
        max_age: read::duration(
            max_age,
            Duration::from_secs(300),
            CACHE_AGE,
            &at.field("max_age"),
            report,
        ),
    }
}

/// `store.max_identities`, 131,072 by default.
pub(super) fn max_identities(raw: Option<&RawStore>, root: &At, report: &mut Report) -> u32 {
    let at = root.field("store").field("max_identities");
    read::count(raw.and_then(|s| s.max_identities), 131_072, MAX_IDENTITIES, &at, report)
}

/// `client_address`, a whole IPv4 address and a /64 of IPv6 by default.
pub(super) fn client_address(raw: Option<&RawClientAddress>, report: &mut Report) -> ClientAddress {
    let at = At::root().field("client_address");
    let default = ClientAddress::default();
    let mut bits = |member: &str, given: Option<Count>, default, most| {
        read::count(given, default, 1..=most, &at.field(member), report)
    };
    ClientAddress {
        ipv4_prefix: bits("ipv4_prefix", raw.and_then(|r| r.ipv4_prefix), default.ipv4_prefix, 32),
        ipv6_prefix: bits("ipv6_prefix", raw.and_then(|r| r.ipv6_prefix), default.ipv6_prefix, 128),
    }
}

/// The key of hashed tags; read, and therefore required, only if a tag is hashed.
pub(super) fn hash_key(
    raw: Option<&RawPrivacy>,
    hashed: bool,
    env: &dyn Environment,
    report: &mut Report,
) -> Option<HashKey> {
    let name = raw.filter(|_| hashed)?.hash_key_env.as_ref()?;
    let at = At::root().field("privacy").field("hash_key_env");
    let key = HashKey::new(&read::variable(name, env, &at, report)?);
    if key.is_none() {
        let least = HashKey::MIN_BYTES;
        report.problem(
            &at,
            format_args!("the value of {name} is too short; allowed: at least {least} bytes"),
        );
    }
    key
}

/// `privacy`: the name of a variable, which is read only if a tag is hashed.
pub(super) fn privacy(raw: Option<&RawPrivacy>, report: &mut Report) {
    let Some(raw) = raw else { return };
    let at = At::root().field("privacy").field("hash_key_env");
    match &raw.hash_key_env {
        Some(name) => {
            read::variable_name(name, &at, report);
        }
        None => report.required(&at, "the name of an environment variable"),
    }
}
