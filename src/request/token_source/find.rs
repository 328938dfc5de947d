//! Finds the token of a request.

use std::borrow::Cow;

use super::parts::{after_prefix, cookie, parameter, parameters, parts, split_query};
use super::rules::{COOKIE, PATH, Place, TokenRules, WEBSOCKET_PROTOCOL};
use super::websocket::{After, protocol};
use crate::request::headers::Headers;

/// The result of a search for tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// No token.
    None,
    /// One token, not verified yet; it may be empty.
    One(Cow<'a, [u8]>),
    /// More than one; which of them a backend would use is unknown.
    Several,
}

/// Searches for the token in every configured place. The same token in two places is one token; two
/// different ones are several. An empty value is not a token.
///
/// Credentials of another scheme (`Basic …`) are not a token. A header is several tokens, even equal
/// ones, if it is repeated, has another spelling that a server may read as this header
/// ([`crate::request::headers::same_name`]), or was joined with a comma by a proxy (RFC 9110 §5.3).
pub fn find<'a>(headers: &'a Headers, rules: &TokenRules) -> Found<'a> {
    let mut found = Found::None;
    for place in &rules.from {
        let here = match place {
            Place::Header { name, prefix } => in_header(headers, name, prefix.as_bytes()),
            Place::Cookie(name) => {
                let pairs = lines(headers, COOKIE).flat_map(|line| parts(line, b';'));
                one_of(pairs.filter_map(|pair| cookie(pair, name)).map(Cow::Borrowed))
            }
            Place::Query(name) => {
                let query = headers.value(PATH).and_then(split_query).map(|(_, query, _)| query);
                let pairs = query.into_iter().flat_map(parameters);
                one_of(pairs.filter_map(|pair| parameter(pair, name)))
            }
            Place::WebsocketProtocol(prefix) => {
                let entries = lines(headers, WEBSOCKET_PROTOCOL).flat_map(|line| parts(line, b','));
                one_of(entries.filter_map(|entry| protocol(entry, prefix)))
            }
            Place::WebsocketProtocolAfter(word) => {
                let entries = lines(headers, WEBSOCKET_PROTOCOL).flat_map(|line| parts(line, b','));
                let mut after = After::new(word);
                let tokens = entries.filter(|entry| after.is_token(entry));
                one_of(tokens.map(|entry| Cow::Borrowed(entry.trim_ascii())))
            }
        };
        found = match (found, here) {
            (Found::None, here) => here,
            (found, Found::None) => found,
            (Found::One(a), Found::One(b)) if a == b => Found::One(a),
            _ => return Found::Several,
        };
    }
    found
}

/// Every line of a header in any of its spellings.
fn lines<'a, 'n>(
    headers: &'a Headers,
    name: &'n str,
) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
    headers.spellings(name).map(|(_, value)| value)
}

/// The only candidate; equal ones count as one.
fn one_of<'a>(candidates: impl Iterator<Item = Cow<'a, [u8]>>) -> Found<'a> {
    let mut found = Found::None;
    for candidate in candidates.filter(|candidate| !candidate.is_empty()) {
        match &found {
            Found::None => found = Found::One(candidate),
            Found::One(earlier) if *earlier == candidate => {}
            _ => return Found::Several,
        }
    }
    found
}

fn in_header<'a>(headers: &'a Headers, name: &str, prefix: &[u8]) -> Found<'a> {
    let mut found = Found::None;
    for value in lines(headers, name).filter(|value| !value.trim_ascii().is_empty()) {
        let mut tokens = parts(value, b',').map(|part| after_prefix(part, prefix));
        let first = tokens.next().flatten();
        let joined = match first {
            Some(_) => tokens.next().is_some(),
            None => tokens.any(|token| token.is_some()),
        };
        match first {
            _ if joined => return Found::Several,
            Some(_) if found != Found::None => return Found::Several,
            Some(candidate) => found = Found::One(Cow::Borrowed(candidate)),
            None => {}
        }
    }
    found
}
