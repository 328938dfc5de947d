//! `providers`.

use std::collections::BTreeSet;

use super::{hints, identity, keys, read};
use crate::config::Environment;
use crate::config::report::{At, Report, quoted};
use crate::config::schema::{AnyOr, RawConfig, RawPreset, RawProvider};
use crate::verify::algorithm::{Algorithm, AlgorithmSet};
use crate::verify::issuer::is_guid;
use crate::verify::provider::{Audiences, Bind, Issuer, Provider, Tenants, TokenUse};

/// `clock_skew` in seconds: clocks with NTP differ by far less than ten minutes.
const CLOCK_SKEW: std::ops::RangeInclusive<u64> = 0..=600;

/// `max_lifetime` in seconds: up to a leap year.
const MAX_LIFETIME: std::ops::RangeInclusive<u64> = 1..=366 * 86_400;

/// `issuers` of `preset: entra`: the v2.0 and the v1.0 form (entra-docs, access-token-claims).
const ENTRA_ISSUERS: [&str; 2] =
    ["https://login.microsoftonline.com/{tenantid}/v2.0", "https://sts.windows.net/{tenantid}/"];

/// The names in `algorithms`.
const ALGORITHMS: &str = "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, ES256K, \
                          EdDSA (or Ed25519), HS256, HS384, HS512";

/// The end of a problem with an algorithm that needs a verifier in the module.
const NO_VERIFIER: &str = "this module, tollgate-host.wasm, has no verifier; allowed: RS256, RS384, RS512, \
                           ES256, ES384, ES512, or the full module, tollgate.wasm";

/// Compiles all providers; at least one is required.
pub(super) fn providers(
    raw: &RawConfig,
    env: &dyn Environment,
    report: &mut Report,
) -> Option<Vec<Provider>> {
    let at = At::root().field("providers");
    let list = raw.providers.as_deref().unwrap_or_default();
    if list.is_empty() {
        report.problem(
            &at,
            "is required, with at least one entry; a filter with no provider protects nothing",
        );
    }
    let mut taken = BTreeSet::new();
    read::all(list, &at, report, |raw, at, report| provider(raw, &mut taken, env, at, report))
}

fn provider<'a>(
    raw: &'a RawProvider,
    taken: &mut BTreeSet<&'a str>,
    env: &dyn Environment,
    at: &At,
    report: &mut Report,
) -> Option<Provider> {
    let entra = raw.preset == Some(RawPreset::Entra);
    let name = read::name(raw.name.as_ref(), taken, at, report);
    let issuers = issuers(raw, entra, &at.field("issuers"), report);
    let tenants = tenants(raw, &issuers, entra, &at.field("tenants"), report);
    let audiences = audiences(raw, &at.field("audiences"), report);
    let algorithms = algorithms(raw, entra, &at.field("algorithms"), report);
    let keys = keys::keys(raw, algorithms.as_deref(), env, &at.field("keys"), report);
    let skew = at.field("clock_skew");
    let clock_skew = read::seconds(raw.clock_skew.as_ref(), 60, CLOCK_SKEW, &skew, report);
    let max_lifetime = raw
        .max_lifetime
        .as_ref()
        .map(|text| read::seconds(Some(text), 1, MAX_LIFETIME, &at.field("max_lifetime"), report));
    if let Some(typ) = &raw.typ {
        read::texts(typ, &at.field("typ"), report);
    }
    let identity = identity::templates(raw, entra, &at.field("identity"), report);
    let default_use = if entra { TokenUse::Access } else { TokenUse::Any };
    Some(Provider {
        name: name?,
        issuers,
        tenants,
        audiences: audiences?,
        algorithms: algorithms.map(AlgorithmSet::from_iter),
        keys: keys?,
        clock_skew,
        require_exp: raw.require_exp.unwrap_or(true),
        max_lifetime,
        typ: raw.typ.clone(),
        token_use: raw.token_use.unwrap_or(default_use),
        bind: raw.bind.unwrap_or(Bind::None),
        identity,
        entra,
    })
}

fn issuers(raw: &RawProvider, entra: bool, at: &At, report: &mut Report) -> Vec<Issuer> {
    let Some(list) = &raw.issuers else {
        if entra {
            return ENTRA_ISSUERS.map(Issuer::of).to_vec();
        }
        report.required(at, "a list of the iss values of the provider's tokens");
        return Vec::new();
    };
    read::not_empty(list, "at least one iss value", at, report);
    hints::compared(list, false, at, report);
    for (index, text) in list.iter().enumerate() {
        hints::issuer(text, &at.index(index), report);
        // Any other brace is a misspelt {tenantid}, which no `iss` equals.
        if text.replacen(Issuer::TENANT, "", 1).contains(['{', '}']) {
            let text = quoted(text);
            report.problem(
                &at.index(index),
                format_args!("{text} has a brace; allowed: {}, once", Issuer::TENANT),
            );
        }
    }
    list.iter().map(|text| Issuer::of(text)).collect()
}

fn tenants(
    raw: &RawProvider,
    issuers: &[Issuer],
    entra: bool,
    at: &At,
    report: &mut Report,
) -> Tenants {
    let tenanted = issuers.iter().any(|issuer| matches!(issuer, Issuer::Tenanted { .. }));
    match &raw.tenants {
        None => {
            if tenanted {
                report.required(at, "a list of tenants, or the word any: an issuer has {tenantid}");
            }
            Tenants::None
        }
        Some(_) if !tenanted => {
            report.problem(at, "has no effect: no issuer has {tenantid}; remove it");
            Tenants::None
        }
        Some(AnyOr::Any) => Tenants::Any,
        Some(AnyOr::Only(list)) => {
            read::not_empty(list, "at least one tenant, or the word any", at, report);
            hints::compared(list, true, at, report);
            for (index, tenant) in list.iter().enumerate() {
                if entra && !tenant.is_empty() && !is_guid(tenant) {
                    report.problem(
                        &at.index(index),
                        format_args!(
                            "{} is not a GUID; write the tenant ID that Entra ID shows",
                            quoted(tenant)
                        ),
                    );
                }
            }
            Tenants::Only(list.clone().into())
        }
    }
}

fn audiences(raw: &RawProvider, at: &At, report: &mut Report) -> Option<Audiences> {
    match &raw.audiences {
        None => {
            report.required(at, "a list of audiences, or the word any");
            None
        }
        Some(AnyOr::Any) => Some(Audiences::Any),
        Some(AnyOr::Only(list)) => {
            read::not_empty(list, "at least one audience, or the word any", at, report);
            hints::compared(list, true, at, report);
            hints::audiences(list, at, report);
            Some(Audiences::Only(list.clone().into()))
        }
    }
}

fn algorithms(
    raw: &RawProvider,
    entra: bool,
    at: &At,
    report: &mut Report,
) -> Option<Vec<Algorithm>> {
    let Some(list) = &raw.algorithms else {
        return entra.then(|| vec![Algorithm::Rs256]);
    };
    if list.is_empty() {
        read::texts(list, at, report);
    }
    let mut algorithms = Vec::new();
    for (index, text) in list.iter().enumerate() {
        match Algorithm::from_name(text.as_bytes()) {
            Some(algorithm) if algorithm.is_verified() => algorithms.push(algorithm),
            Some(algorithm) => report.problem(
                &at.index(index),
                format_args!("{algorithm} is verified by no proxy, and {NO_VERIFIER}"),
            ),
            None => report.problem(
                &at.index(index),
                format_args!("{} is not an algorithm; allowed: {ALGORITHMS}", quoted(text)),
            ),
        }
    }
    Some(algorithms)
}
