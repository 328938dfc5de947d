//! Where the token of a request is found, and how it is removed from there.

mod removal;

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::request::headers::Headers;
use crate::request::path;

pub use removal::{Rewrite, removal};

/// `token`.
#[derive(Clone, Debug)]
pub struct TokenRules {
    /// The places that are looked at, in their order; never empty.
    pub from: Vec<Place>,
    /// Whether the upstream may see the token.
    pub forward: bool,
    /// The longest token that is looked at, bytes.
    pub max_bytes: usize,
}

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
    /// The entry of `sec-websocket-protocol` that follows this one: `bearer, <token>`.
    WebsocketProtocolAfter(String),
}

impl Place {
    /// The header that it is in, lower case; none for a query, which is in the path.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Header { name, .. } => Some(name),
            Self::Cookie(_) => Some(COOKIE),
            Self::Query(_) => None,
            Self::WebsocketProtocol(_) | Self::WebsocketProtocolAfter(_) => {
                Some(WEBSOCKET_PROTOCOL)
            }
        }
    }
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

const COOKIE: &str = "cookie";
const PATH: &str = ":path";
const WEBSOCKET_PROTOCOL: &str = "sec-websocket-protocol";

/// How a prefix says that the token is encoded once more.
const ENCODED: &[u8] = b"base64url.";

/// What no token is: what stands for one that could not be read.
const MALFORMED: &[u8] = b".";

/// Looks for the token in every place that the configuration names. The same token in two places
/// is one token; two different ones are several. An empty value is none.
///
/// Credentials of another scheme (`Basic …`) are no token. A header that comes twice, in another
/// spelling that a server may take for it ([`crate::request::headers::same_name`]), or that a proxy on the way
/// joined with a comma (RFC 9110 §5.3), is several tokens even if they are equal.
pub fn find<'a>(headers: &'a Headers, rules: &TokenRules) -> Found<'a> {
    let mut found = Found::None;
    for place in &rules.from {
        let here = match place {
            Place::Header { name, prefix } => in_header(headers, name, prefix.as_bytes()),
            Place::Cookie(name) => {
                let pairs = lines(headers, COOKIE).flat_map(cookies);
                one_of(pairs.filter_map(|pair| cookie(pair, name)).map(Cow::Borrowed))
            }
            Place::Query(name) => {
                let pairs = query(headers).into_iter().flat_map(parameters);
                one_of(pairs.filter_map(|pair| parameter(pair, name)))
            }
            Place::WebsocketProtocol(prefix) => {
                let entries = lines(headers, WEBSOCKET_PROTOCOL).flat_map(entries);
                one_of(entries.filter_map(|entry| protocol(entry, prefix)))
            }
            Place::WebsocketProtocolAfter(word) => {
                let entries = lines(headers, WEBSOCKET_PROTOCOL).flat_map(entries);
                let mut after = After::new(word);
                let tokens = entries.filter(|entry| after.sees(entry) == Entry::Token);
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

/// Every line of a header, in any of its spellings.
fn lines<'a, 'n>(
    headers: &'a Headers,
    name: &'n str,
) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
    headers.spellings(name).map(|(_, value)| value)
}

/// The only one of several candidates, equal ones taken together.
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
        let mut parts = value.split(|byte| *byte == b',');
        let first = parts.next().and_then(|part| after_prefix(part, prefix));
        let joined = match first {
            Some(_) => parts.next().is_some(),
            None => parts.any(|part| after_prefix(part, prefix).is_some()),
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

/// What follows the prefix. A prefix that ends in a space is an authentication scheme: `Bearer` alone,
/// its space lost to trimming, is an empty token, and further spaces are allowed (RFC 9110 §11.4:
/// `1*SP`). Any other byte that cannot go on the scheme's name, behind it or before it, makes it
/// malformed: a server that splits at tabs or at every kind of space would read a token there.
fn after_prefix<'a>(value: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let value = value.trim_ascii();
    let word = prefix.trim_ascii();
    if word.len() == prefix.len() {
        let (head, rest) = value.split_at_checked(word.len())?;
        return head.eq_ignore_ascii_case(word).then_some(rest);
    }
    let start = value.iter().position(|byte| continues_name(*byte))?;
    let (before, value) = value.split_at_checked(start)?;
    let (head, rest) = value.split_at_checked(word.len())?;
    if !head.eq_ignore_ascii_case(word) || rest.first().is_some_and(|byte| continues_name(*byte)) {
        return None;
    }
    let token = rest.trim_ascii_start();
    let spaces = rest.len().saturating_sub(token.len());
    let spaced = rest.iter().take(spaces).all(|byte| *byte == b' ');
    match before.is_empty() && spaced && (spaces > 0 || rest.is_empty()) {
        true => Some(token),
        false => Some(MALFORMED),
    }
}

/// Whether a byte can go on the name of an authentication scheme (RFC 9110 §5.6.2).
fn continues_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
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
    Some(URL_SAFE_NO_PAD.decode(token).map_or(Cow::Borrowed(MALFORMED), Cow::Owned))
}

/// What an entry of `sec-websocket-protocol` is to [`Place::WebsocketProtocolAfter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// The word that a token follows.
    Word,
    /// The token.
    Token,
    /// Neither.
    Other,
}

/// Goes through the entries of `sec-websocket-protocol` in their order, over all lines (RFC 9110
/// §5.3). A word that follows itself is a token, too: which of the two a server takes for the word is
/// not known.
struct After<'w> {
    word: &'w [u8],
    pending: bool,
}

impl<'w> After<'w> {
    fn new(word: &'w str) -> Self {
        Self { word: word.as_bytes(), pending: false }
    }

    fn sees(&mut self, entry: &[u8]) -> Entry {
        let entry = entry.trim_ascii();
        if entry.is_empty() {
            return Entry::Other;
        }
        let is_word = entry == self.word;
        match std::mem::replace(&mut self.pending, is_word) {
            true => Entry::Token,
            false if is_word => Entry::Word,
            false => Entry::Other,
        }
    }
}

#[cfg(test)]
mod tests;
