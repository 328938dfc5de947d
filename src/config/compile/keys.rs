//! `providers[].keys`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{hints, read};
use crate::config::Environment;
use crate::config::report::{At, Report};
use crate::config::schema::{RawPreset, RawProvider, RawRemote};
use crate::uri::HttpUri;
use crate::verify::algorithm::{Algorithm, Family};
use crate::verify::keyset::{KeySet, SecretKeys};
use crate::verify::provider::{KeysFrom, Remote, RemoteSource};

/// The key set of all tenants of Entra ID.
const ENTRA_KEYS: &str = "https://login.microsoftonline.com/common/discovery/v2.0/keys";

/// `timeout`: a request can wait this long for a fetch.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);

/// `refresh_interval`: a withdrawn key is trusted that long.
const REFRESH: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(168 * 3_600);

/// `unknown_kid_interval`: below a second, random `kid`s would flood the provider.
const UNKNOWN_KID: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);

/// `max_stale`.
const MAX_STALE: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(720 * 3_600);

/// Compiles `keys`: exactly one of `inline`, `env` and `remote`.
pub(super) fn keys(
    raw: &RawProvider,
    algorithms: Option<&[Algorithm]>,
    env: &dyn Environment,
    at: &At,
    report: &mut Report,
) -> Option<KeysFrom> {
    const ALLOWED: &str = "exactly one of inline, env, remote";
    let Some(keys) = &raw.keys else {
        report.required(at, ALLOWED);
        return None;
    };
    let hmac = algorithms.unwrap_or_default().iter().any(|a| a.family() == Family::Secret);
    match (&keys.inline, &keys.env, &keys.remote) {
        (Some(set), None, None) => {
            let at = at.field("inline");
            if hmac {
                report.warning(
                    &at,
                    "HS* keys in the document are known to all who can read it; use env",
                );
            }
            // A value that was parsed from JSON can always be written.
            let json = serde_json::to_vec(&set.0).unwrap_or_default();
            key_set(&json, hmac, &at, report)
        }
        (None, Some(name), None) => {
            let at = at.field("env");
            let json = read::variable(name, env, &at, report)?;
            key_set(json.as_bytes(), hmac, &at, report)
        }
        (None, None, Some(remote)) => {
            if hmac {
                report.problem(
                    at,
                    "algorithms contains HS*, but HS* keys of a remote set are never accepted; allowed with HS*: inline, env",
                );
            }
            let entra = raw.preset == Some(RawPreset::Entra);
            self::remote(remote, entra, &at.field("remote"), report).map(KeysFrom::Remote)
        }
        (None, None, None) => {
            report.required(at, ALLOWED);
            None
        }
        _ => {
            report.problem(at, format_args!("has more than one member; allowed: {ALLOWED}"));
            None
        }
    }
}

/// Parses a key set. Without an HS* algorithm, `oct` keys cannot be used and are therefore reported.
fn key_set(json: &[u8], hmac: bool, at: &At, report: &mut Report) -> Option<KeysFrom> {
    let secrets = if hmac { SecretKeys::Admit } else { SecretKeys::Refuse };
    match KeySet::parse(json, secrets) {
        Ok((set, skipped)) => {
            for key in skipped {
                let at = at.field("keys").index(key.index);
                report.warning(&at, format_args!("the key is skipped: {}", key.why));
            }
            Some(KeysFrom::Static(set))
        }
        Err(error) => {
            report.problem(at, format_args!("is not a usable key set: {error}"));
            None
        }
    }
}

/// The address of a key set or of a discovery document.
fn fetched(text: &str, at: &At, report: &mut Report) -> Option<HttpUri> {
    let uri = read::uri(text, at, report)?;
    hints::fetched(&uri, at, report);
    Some(uri)
}

fn remote(raw: &RawRemote, entra: bool, at: &At, report: &mut Report) -> Option<Remote> {
    let source = match (&raw.uri, &raw.discovery) {
        (Some(text), None) => {
            let at = at.field("uri");
            if text.ends_with("/.well-known/openid-configuration") {
                report
                    .warning(&at, "is the address of a discovery document; write it as discovery");
            }
            fetched(text, &at, report).map(RemoteSource::Uri)
        }
        (None, Some(text)) => {
            fetched(text, &at.field("discovery"), report).map(RemoteSource::Discovery)
        }
        (None, None) if entra => {
            read::uri(ENTRA_KEYS, &at.field("uri"), report).map(RemoteSource::Uri)
        }
        (None, None) => {
            report.required(at, "exactly one of uri, discovery");
            None
        }
        (Some(_), Some(_)) => {
            report.problem(at, "has both uri and discovery; allowed: exactly one of them");
            None
        }
    };
    let cluster_at = at.field("cluster");
    if raw.cluster.is_none() {
        report.required(&cluster_at, "the name of the Envoy cluster for the address");
    }
    let cluster = raw.cluster.as_ref().and_then(|name| self::cluster(name, &cluster_at, report));
    let keys_at = at.field("keys_cluster");
    let keys_cluster =
        raw.keys_cluster.as_ref().and_then(|name| self::cluster(name, &keys_at, report));
    if raw.keys_cluster.is_some() && raw.discovery.is_none() {
        report.problem(
            &keys_at,
            "is given without discovery: it is the cluster for the jwks_uri of a discovery document",
        );
    }
    let mut time = |member, given: &Option<_>, default, bounds| {
        read::duration(given.as_ref(), default, bounds, &at.field(member), report)
    };
    let secs = Duration::from_secs;
    let timeout = time("timeout", &raw.timeout, secs(5), TIMEOUT);
    let refresh_interval = time("refresh_interval", &raw.refresh_interval, secs(3_600), REFRESH);
    let unknown_kid_interval =
        time("unknown_kid_interval", &raw.unknown_kid_interval, secs(30), UNKNOWN_KID);
    let longest = secs(24 * 3_600).max(refresh_interval);
    let max_stale = time("max_stale", &raw.max_stale, longest, MAX_STALE);
    if max_stale < refresh_interval {
        report.problem(
            &at.field("max_stale"),
            "is shorter than refresh_interval: keys would expire before the next fetch",
        );
    }
    Some(Remote {
        source: source?,
        cluster: cluster?,
        keys_cluster,
        timeout,
        refresh_interval,
        unknown_kid_interval,
        max_stale,
    })
}

fn cluster(name: &str, at: &At, report: &mut Report) -> Option<String> {
    let fits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    if !fits {
        report.problem(at, "is empty or contains spaces; allowed: the name of an Envoy cluster");
    }
    fits.then(|| name.to_owned())
}
