//! Where the token of a request is found, and how it is removed from there.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memchr;

use crate::headers::Headers;
use crate::path;
use crate::policy::TokenRules;

/// A place that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A request header.
    Header {
        /// Lower case.
        name: String,
        /// What stands before the token, compared without regard to ASCII case.
        prefix: String,
    },
    /// A cookie; its name is case-sensitive (RFC 6265 §4.1.1).
    Cookie(String),
    /// A query parameter.
    Query(String),
    /// An entry of `sec-websocket-protocol` that begins with this text. A prefix that begins with
    /// `base64url.` says that the token behind it is base64url-encoded once more, as Kubernetes has
    /// it: browsers can send no other header with a WebSocket. The upstream's choice of a protocol is
    /// not touched, so a client offers a second one that the upstream can choose (RFC 6455 §4.2.2).
    WebsocketProtocol(String),
}

/// What a look for tokens brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// No credentials of ours.
    None,
    /// One candidate, not judged yet; it may be empty.
    One(Cow<'a, [u8]>),
    /// More than one: which of them a backend would believe is anybody's guess.
    Several,
}

/// A request header as it has to be after the tokens are gone; no values: it goes altogether.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// Lower case.
    pub name: String,
    /// Its lines in their order.
    pub values: Vec<Vec<u8>>,
}

const COOKIE: &str = "cookie";
const PATH: &str = ":path";
const WEBSOCKET_PROTOCOL: &str = "sec-websocket-protocol";

/// How a prefix says that the token is encoded once more.
const ENCODED: &[u8] = b"base64url.";

/// Looks for the token in every place that the configuration names. The same token in two places
/// is one token; two different ones are several.
///
/// Credentials of another scheme (`Basic …`) are no token. A header that comes twice, or that a
/// proxy on the way joined with a comma (RFC 9110 §5.3), is several tokens even if they are equal.
pub fn find<'a>(headers: &'a Headers, rules: &TokenRules) -> Found<'a> {
    let mut found = Found::None;
    for place in &rules.from {
        let here = match place {
            Place::Header { name, prefix } => in_header(headers, name, prefix.as_bytes()),
            Place::Cookie(name) => {
                let pairs = headers.all(COOKIE).flat_map(cookies);
                one_of(pairs.filter_map(|pair| cookie(pair, name)).map(Cow::Borrowed))
            }
            Place::Query(name) => {
                let pairs = query(headers).into_iter().flat_map(parameters);
                one_of(pairs.filter_map(|pair| parameter(pair, name)))
            }
            Place::WebsocketProtocol(prefix) => {
                let entries = headers.all(WEBSOCKET_PROTOCOL).flat_map(entries);
                one_of(entries.filter_map(|entry| protocol(entry, prefix)))
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

/// The headers that change when every token goes from where [`find`] sees one. Everything else in
/// them stays byte for byte, but for the one separator beside the token.
pub fn removal(headers: &Headers, rules: &TokenRules) -> Vec<Rewrite> {
    let mut rewrites: Vec<Rewrite> = Vec::new();
    for place in &rules.from {
        let name = match place {
            Place::Header { name, .. } => name.as_str(),
            Place::Cookie(_) => COOKIE,
            Place::Query(_) => PATH,
            Place::WebsocketProtocol(_) => WEBSOCKET_PROTOCOL,
        };
        // Two places may share a header: the second starts from what the first has left.
        let earlier = rewrites.iter().position(|rewrite| rewrite.name == name);
        let before: Vec<Vec<u8>> = match earlier.and_then(|at| rewrites.get(at)) {
            Some(rewrite) => rewrite.values.clone(),
            None => headers.all(name).map(<[u8]>::to_vec).collect(),
        };
        let after: Vec<Vec<u8>> = before.iter().filter_map(|v| without_token(v, place)).collect();
        match earlier.and_then(|at| rewrites.get_mut(at)) {
            Some(rewrite) => rewrite.values = after,
            None if after != before => {
                rewrites.push(Rewrite { name: name.to_owned(), values: after });
            }
            None => {}
        }
    }
    rewrites
}

/// One line of a header without its token; `None` when nothing is left of it.
fn without_token(value: &[u8], place: &Place) -> Option<Vec<u8>> {
    let (kept, separator) = match place {
        Place::Header { prefix, .. } => {
            let holds = value
                .split(|byte| *byte == b',')
                .any(|part| after_prefix(part, prefix.as_bytes()).is_some());
            return (!holds).then(|| value.to_vec());
        }
        Place::Query(name) => {
            let Some((path, query, fragment)) = split_query(value) else {
                return Some(value.to_vec());
            };
            let holds = |pair: &&[u8]| parameter(pair, name).is_some();
            if !parameters(query).any(|pair| holds(&pair)) {
                return Some(value.to_vec());
            }
            let kept: Vec<&[u8]> = parameters(query).filter(|pair| !holds(pair)).collect();
            let mark: &[u8] = if kept.is_empty() { b"" } else { b"?" };
            return Some([path, mark, &kept.join(&b'&'), fragment].concat());
        }
        Place::Cookie(name) => {
            (cookies(value).filter(|pair| cookie(pair, name).is_none()).collect::<Vec<_>>(), b';')
        }
        Place::WebsocketProtocol(prefix) => {
            (entries(value).filter(|entry| protocol(entry, prefix).is_none()).collect(), b',')
        }
    };
    if value.split(|byte| *byte == separator).count() == kept.len() {
        return Some(value.to_vec());
    }
    // The space behind a separator goes with the token that stood before it.
    let rest = kept.join(&separator).trim_ascii_start().to_vec();
    (!rest.is_empty()).then_some(rest)
}

/// The only one of several candidates, equal ones taken together.
fn one_of<'a>(candidates: impl Iterator<Item = Cow<'a, [u8]>>) -> Found<'a> {
    let mut found = Found::None;
    for candidate in candidates {
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
    for value in headers.all(name) {
        let comma = memchr(b',', value);
        let (head, rest) = match comma.and_then(|at| value.split_at_checked(at)) {
            Some((head, rest)) => (head, rest.get(1..).unwrap_or_default()),
            None => (value, &[][..]),
        };
        let first = after_prefix(head, prefix);
        let joined = match first {
            Some(_) => comma.is_some(),
            None => {
                rest.split(|byte| *byte == b',').any(|part| after_prefix(part, prefix).is_some())
            }
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

/// What follows the prefix. `Bearer` alone, its space lost to trimming, is an empty token; spaces
/// beyond the one of the prefix are allowed (RFC 9110 §11.4: `1*SP`).
fn after_prefix<'a>(value: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let value = value.trim_ascii();
    let word = prefix.trim_ascii();
    let (head, rest) = value.split_at_checked(word.len())?;
    if !head.eq_ignore_ascii_case(word) {
        return None;
    }
    let spaced = word.len() < prefix.len();
    match rest.first() {
        Some(b' ') if spaced => Some(rest.trim_ascii_start()),
        None => Some(rest),
        Some(_) if spaced => None,
        Some(_) => Some(rest),
    }
}

fn cookies(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b';')
}

/// The value of a `name=value` pair of a cookie header, without the quotes that it may stand in
/// (RFC 6265 §4.1.1).
fn cookie<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let pair = pair.trim_ascii();
    let at = pair.iter().position(|byte| *byte == b'=')?;
    let (given, value) = pair.split_at_checked(at)?;
    if given.trim_ascii_end() != name.as_bytes() {
        return None;
    }
    let value = value.get(1..)?.trim_ascii_start();
    let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    Some(unquoted.unwrap_or(value))
}

/// Path, query and fragment of a `:path`; the fragment keeps its `#`. `None` without a query.
fn split_query(whole: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let end = whole.iter().position(|byte| *byte == b'#').unwrap_or(whole.len());
    let (before, fragment) = whole.split_at_checked(end)?;
    let at = before.iter().position(|byte| *byte == b'?')?;
    let (path, query) = before.split_at_checked(at)?;
    Some((path, query.get(1..)?, fragment))
}

fn query(headers: &Headers) -> Option<&[u8]> {
    split_query(headers.value(PATH)?).map(|(_, query, _)| query)
}

fn parameters(query: &[u8]) -> impl Iterator<Item = &[u8]> {
    query.split(|byte| *byte == b'&')
}

/// The value of a `name=value` pair of a query, percent-encoding undone on both sides: a backend
/// that decodes names would find the token that a literal comparison leaves in.
fn parameter<'a>(pair: &'a [u8], name: &str) -> Option<Cow<'a, [u8]>> {
    let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
    let (given, value) = pair.split_at_checked(at)?;
    if path::decoded(given).as_ref() != name.as_bytes() {
        return None;
    }
    Some(path::decoded(value.get(1..).unwrap_or_default()))
}

fn entries(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',')
}

/// The token in an entry of `sec-websocket-protocol`. An encoded one that does not decode is a
/// token all the same, and a malformed one.
fn protocol<'a>(entry: &'a [u8], prefix: &str) -> Option<Cow<'a, [u8]>> {
    let token = entry.trim_ascii().strip_prefix(prefix.as_bytes())?;
    if !prefix.as_bytes().starts_with(ENCODED) {
        return Some(Cow::Borrowed(token));
    }
    Some(URL_SAFE_NO_PAD.decode(token).map_or(Cow::Borrowed(b"".as_slice()), Cow::Owned))
}

#[cfg(test)]
mod tests;
