//! What is likely wrong with a token, and what cures it here.

use std::path::Path;

use tollgate::policy::Policy;
use tollgate::policy::rule::Rule;
use tollgate::verify::algorithm::AlgorithmSet;
use tollgate::verify::provider::{KeysFrom, Provider};

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
        _ if token.contains(&b'.') => None,
        _ if is_file() => Some((
            "the value has no dots, so it is no JWT, and a file has this name",
            "to read the token from the file, write --token - < FILE.",
        )),
        _ => Some((
            "the value has no dots, so it is no JWT",
            "give the token itself; to read it from a file, write --token - < FILE.",
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

/// The cure if a key set that is not fetched lacks the key of a token.
pub fn of_keys(keys: &KeysFrom) -> Option<&'static str> {
    matches!(keys, KeysFrom::Static(_)).then_some(
        "compare the kid of the token with those of the key set, which is not fetched: the variable, the \
         configuration or --keys must hold the keys of the issuer that signed the token. (tollgate mint signs \
         with the keys in --dir, by default a folder of the current one.)",
    )
}
