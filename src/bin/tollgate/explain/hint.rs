//! What is likely wrong with a token, and what cures it here.

use std::path::Path;

use tollgate::policy::Policy;
use tollgate::policy::rule::Rule;
use tollgate::request::headers::Headers;
use tollgate::request::token_source::Place;
use tollgate::verify::algorithm::AlgorithmSet;
use tollgate::verify::provider::{KeysFrom, Provider, Remote, RemoteSource};

/// What a value that is no JWT looks like, and the cure.
pub fn of_shape(token: &[u8]) -> Option<(&'static str, &'static str)> {
    let starts = |text: &str| {
        token.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text.as_bytes()))
    };
    let is_file = || std::str::from_utf8(token).is_ok_and(|name| Path::new(name).is_file());
    match token {
        _ if starts("bearer ") => Some((
            "the value begins with \"Bearer \"",
            "leave out \"Bearer \": the command sends it where the configuration expects it.",
        )),
        [b'"' | b'\'', ..] => {
            Some(("the value begins with a quotation mark", "leave out the quotation marks."))
        }
        _ if token.contains(&b'.') => match token.split(|byte| *byte == b'.').count() {
            3 => None,
            5 => Some((
                "the value has five parts: it is an encrypted token (JWE)",
                "request a signed token; the issuer may encrypt those for which no audience is asked.",
            )),
            _ => Some((
                "a signed JWT has three parts with dots between them, and the value has not",
                "give the whole token; a part of it is probably missing.",
            )),
        },
        _ if is_file() => Some((
            "the value has no dots, so it is no JWT, and a file has this name",
            "to read the token from the file, write --token - < FILE.",
        )),
        _ => Some((
            "the value has no dots, so it is no JWT",
            "give the token itself, which the issuer signs; a client secret or an API key is none. To read it from \
             a file, write --token - < FILE.",
        )),
    }
}

/// The algorithms of the provider, or of each provider of the rule if none is known.
pub fn algorithms(policy: &Policy, rule: &Rule, known: Option<&Provider>) -> Vec<String> {
    let all = policy.providers.iter().enumerate();
    let admitted = all
        .filter(|(index, _)| rule.providers.as_ref().is_none_or(|indexes| indexes.contains(index)));
    let line = |provider: &Provider| {
        let set = provider.algorithms.unwrap_or(AlgorithmSet::ASYMMETRIC);
        let names: Vec<&str> = set.iter().map(|algorithm| algorithm.name()).collect();
        format!("algorithms of {:?}: {}", provider.name, names.join(", "))
    };
    match known {
        Some(provider) => vec![line(provider)],
        None => admitted.map(|(_, provider)| line(provider)).collect(),
    }
}

/// What a request has in the place for tokens if no token is found there, and the cure.
pub fn of_place(headers: &Headers, place: &Place) -> Option<(String, Option<String>)> {
    let Place::Header { name, prefix } = place else { return None };
    let value = headers.value(name).filter(|value| !value.is_empty())?;
    let looks = format!("the request has {name}, but its value does not begin with {prefix:?}");
    let is_jwt = value.starts_with(b"eyJ");
    Some((looks, is_jwt.then(|| format!("send {prefix:?} before the token."))))
}

/// The cure if the issuer of a token differs from a configured one only in a final slash or in letter case.
pub fn of_issuer(iss: &str, configured: &[String], redact: bool) -> Option<String> {
    let trimmed = |text: &str| text.trim_end_matches('/').to_owned();
    let near = |other: &&String| trimmed(other).eq_ignore_ascii_case(&trimmed(iss));
    let near = configured.iter().find(near)?;
    let differs = match trimmed(near) == trimmed(iss) {
        true => "a final slash",
        false => "letter case",
    };
    let written = if redact { "as the token has it".to_owned() } else { format!("{iss:?}") };
    Some(format!("they differ only in {differs}: in issuers, write {written} instead of {near:?}."))
}

/// How to get a key set that the filter would fetch.
pub fn of_remote_keys(remote: &Remote, provider: &str) -> String {
    let from = match &remote.source {
        RemoteSource::Uri(uri) => format!("{uri}"),
        RemoteSource::Discovery(uri) => format!("the address that {uri} has as jwks_uri"),
    };
    format!("download the keys from {from}, and pass them with --keys {provider}=FILE.")
}

/// The cure if a key set that is not fetched lacks the key of a token.
pub fn of_keys(keys: &KeysFrom) -> Option<&'static str> {
    matches!(keys, KeysFrom::Static(_)).then_some(
        "compare the kid of the token with those of the key set, which is not fetched: the variable, the \
         configuration or --keys must hold the keys of the issuer that signed the token. (tollgate mint signs \
         with the keys in --dir, by default a folder of the current one.)",
    )
}
