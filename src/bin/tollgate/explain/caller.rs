//! The steps from a token to its caller: header, issuer, keys, signature, claims.

use serde_json::{Map, Value};
use tollgate::policy::rule::Rule;
use tollgate::request::token_source::TokenRules;
use tollgate::request::token_source::{self, Found, Place};
use tollgate::verify::header::Header;
use tollgate::verify::provider::{Issuer, KeysFrom};
use tollgate::verify::token::Token;
use tollgate::verify::{Candidates, Keys, Stage, VerifyError, base64url, issuer, json};

use super::admission::admission;
use super::claims::add_claims;
use super::hint;
use super::scene::{Line, Outcome, Scene};
use super::steps::Step;
use super::trace::{Trace, described, shown};

/// The name of a place for tokens.
pub fn place(place: &Place) -> String {
    match place {
        Place::Header { name, prefix } if prefix.is_empty() => format!("header {name}"),
        Place::Header { name, prefix } => format!("header {name}, after {prefix:?}"),
        Place::Cookie(name) => format!("cookie {name}"),
        Place::Query(name) => format!("query parameter {name}"),
        Place::WebsocketProtocol(prefix) => format!("sec-websocket-protocol {prefix}…"),
        Place::WebsocketProtocolAfter(word) => format!("sec-websocket-protocol {word}, …"),
    }
}

/// Adds the steps of a token that was found.
pub fn steps(
    scene: &Scene,
    line: &Line,
    rule: &Rule,
    outcome: &Outcome,
    token: &[u8],
    redact: bool,
) -> Vec<Step> {
    let provider = outcome.facts.token.provider.and_then(|index| scene.policy.providers.get(index));
    let mut trace =
        Trace { failed: outcome.facts.token.error, steps: Vec::new(), redact, provider, line };
    if verification(scene, rule, outcome, token, &mut trace).is_some() {
        admission(rule, outcome, &mut trace);
    }
    trace.steps
}

fn verification(
    scene: &Scene,
    rule: &Rule,
    outcome: &Outcome,
    token: &[u8],
    trace: &mut Trace<'_>,
) -> Option<()> {
    let places = scene.policy.token.from.iter().filter(|place| {
        let alone = TokenRules { from: vec![(*place).clone()], ..scene.policy.token.clone() };
        token_source::find(&outcome.headers, &alone) != Found::None
    });
    let places: Vec<String> = places.map(place).collect();
    let found = format!("{} bytes, in {}", token.len(), places.join(" and "));
    let hint = hint::of_shape(token).filter(|_| trace.fails(Stage::Token));
    let looks = hint.map(|(looks, _)| looks.to_owned()).into_iter().collect();
    if !trace.step(Stage::Token, "token", found, looks) {
        trace.fix(hint.map(|(_, fix)| fix));
        return None;
    }
    let parts = Token::split(token, scene.policy.token.max_bytes).ok()?;
    let header = Header::parse(parts.header());
    let summary = header.as_ref().map_or(String::new(), |header| {
        let optional = |name, value: &Option<String>| {
            value.as_ref().map_or(format!("no {name}"), |value| format!("{name} {value}"))
        };
        let kid = optional("kid", &header.kid);
        format!("alg {}, {kid}, {}", header.algorithm.name(), optional("typ", &header.typ))
    });
    let mut details = if summary.is_empty() { Vec::new() } else { vec![summary.clone()] };
    let failed = trace.fails(Stage::Header);
    if trace.failed == Some(VerifyError::AlgorithmNotAllowed) {
        details.extend(hint::algorithms(&scene.policy, rule, trace.provider));
    }
    if !trace.step(Stage::Header, "header", summary, if failed { details } else { Vec::new() }) {
        return None;
    }
    let bytes = base64url::decode(parts.payload());
    let payload = bytes.as_deref().and_then(json::parse_object);
    if trace.fails(Stage::Payload) {
        trace.step(Stage::Payload, "payload", String::new(), Vec::new());
        return None;
    }
    let (payload, document) = (payload?, json::read_object(bytes?)?);
    let header = header.ok()?;
    if !add_issuer(scene, rule, outcome, &payload, trace) {
        return None;
    }
    let provider = trace.provider?;
    let keys = outcome.facts.token.provider.and_then(|index| scene.keys(index));
    let total = keys.map_or(0, |keys| keys.len());
    let matched = issuer::find(provider, payload.get("iss")?.as_str()?)?;
    let candidates = keys.map(|keys| Candidates::of(keys, provider, &matched, &header));
    let count = candidates.and_then(Result::ok).map_or(0, |candidates| candidates.count());
    let known = keys.into_iter().flat_map(|keys| keys.iter());
    let known: Vec<&str> = known.filter_map(|key| key.kid()).collect();
    let (hint, fix) = match (&provider.keys, keys) {
        (KeysFrom::Remote(remote), None) => (
            "this command fetches no keys, so that it cannot say what the filter would".to_owned(),
            Some(hint::of_remote_keys(remote, &provider.name)),
        ),
        _ => (format!("kids of the key set: {}", known.join(", ")), None),
    };
    let hint = if trace.fails(Stage::Keys) { vec![hint] } else { Vec::new() };
    let good = format!("{count} of {total} in the set match alg and kid");
    if !trace.step(Stage::Keys, "keys", good, hint) {
        let unknown = trace.failed == Some(VerifyError::KeyUnknown);
        trace.fix(fix.as_deref().or(hint::of_keys(&provider.keys).filter(|_| unknown)));
        return None;
    }
    if !trace.step(Stage::Signature, "signature", "valid".to_owned(), Vec::new()) {
        return None;
    }
    add_claims(provider, &payload, &document, trace)
}

fn add_issuer(
    scene: &Scene,
    rule: &Rule,
    outcome: &Outcome,
    payload: &Map<String, Value>,
    trace: &mut Trace<'_>,
) -> bool {
    let iss = payload.get("iss").map_or("no iss".to_owned(), |iss| shown(iss, trace.redact));
    let name = trace.provider.map_or("none", |provider| &provider.name);
    let admitted: Vec<usize> = match &rule.providers {
        Some(indexes) => indexes.clone(),
        None => (0..scene.policy.providers.len()).collect(),
    };
    let failed = trace.fails(Stage::Issuer);
    let (mut details, mut all) = (Vec::new(), Vec::new());
    if failed {
        details.push(format!("iss of the token: {iss}"));
        for provider in admitted.iter().filter_map(|index| scene.policy.providers.get(*index)) {
            let issuers: Vec<String> = provider.issuers.iter().map(Issuer::text).collect();
            details.push(format!("issuers of {:?}: {}", provider.name, issuers.join(", ")));
            all.extend(issuers);
        }
    }
    // Providers that share an issuer are tried in turn. These are the outcomes of the others.
    for attempt in &outcome.facts.token.attempts {
        let other = scene.policy.providers.get(attempt.provider);
        let shown = Some(attempt.provider) != outcome.facts.token.provider;
        details.extend(other.filter(|_| shown).map(|other| {
            format!("provider {:?}: {}", other.name, described(attempt.error, Some(other)))
        }));
    }
    let passes = trace.step(Stage::Issuer, "issuer", format!("{iss}, provider {name:?}"), details);
    if !passes {
        let found = payload.get("iss").and_then(Value::as_str);
        trace.fix(found.and_then(|iss| hint::of_issuer(iss, &all, trace.redact)).as_deref());
    }
    passes
}
