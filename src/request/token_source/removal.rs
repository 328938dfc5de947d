//! Removes tokens from a request before the upstream receives it.

use std::borrow::Cow;

use super::find::{Found, find};
use super::parts::{after_prefix, cookie, parameter, parameters, parts, split_query};
use super::rules::{COOKIE, PATH, Place, TokenRules};
use super::websocket::{After, protocol};
use crate::request::headers::{Headers, same_name};
use crate::request::path;

/// A request header without its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// The name as received.
    pub name: Vec<u8>,
    /// The lines in their order; none if the header is to be removed.
    pub values: Vec<Vec<u8>>,
}

/// The lines of one header in all its spellings, in the order of the request.
struct Field<'a> {
    name: &'a str,
    lines: Vec<Line<'a>>,
}

struct Line<'a> {
    name: &'a [u8],
    /// The rest of the line, owned if it has changed; `None` if nothing is left.
    left: Option<Cow<'a, [u8]>>,
}

/// Headers of the connection and of the body: a copy of the token in them is none that a client sets.
const KEPT: [&str; 9] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The headers that change if every token that [`find`](super::find) sees is removed. With `copies`, every
/// other part of a header, cookie or query parameter that contains it goes as well: some clients send the same
/// token twice. Only a verified token has copies: any other text could be that of a header which a proxy wrote.
/// The rest of the headers stays byte for byte, except for one separator beside the token.
pub fn removal(headers: &Headers, rules: &TokenRules, copies: bool) -> Vec<Rewrite> {
    let mut fields: Vec<Field<'_>> = Vec::new();
    for place in &rules.from {
        let name = place.field().unwrap_or(PATH);
        // Two places may be in one header: the second starts from the rest of the first.
        if !fields.iter().any(|field| field.name == name) {
            fields.push(Field::of(headers, name));
        }
        if let Some(field) = fields.iter_mut().find(|field| field.name == name) {
            field.remove(place);
        }
    }
    if let (true, Found::One(token)) = (copies, find(headers, rules)) {
        for (name, _) in headers.iter().filter(|(_, value)| contains(value, &token)) {
            // A name that is no text is none that a client sets.
            let Ok(name) = std::str::from_utf8(name) else { continue };
            if KEPT.iter().any(|kept| same_name(kept.as_bytes(), name.as_bytes())) {
                continue;
            }
            if !fields.iter().any(|field| same_name(field.name.as_bytes(), name.as_bytes())) {
                fields.push(Field::of(headers, name));
            }
        }
        fields.iter_mut().for_each(|field| field.remove_copies(&token));
    }
    fields.iter().flat_map(Field::rewrites).collect()
}

/// Whether a value contains a token, plain or percent-encoded.
#[inline(never)]
fn contains(value: &[u8], token: &[u8]) -> bool {
    // Almost every value is shorter.
    if token.is_empty() || value.len() < token.len() {
        return false;
    }
    let holds = |value: &[u8]| value.windows(token.len()).any(|part| part == token);
    holds(value) || (value.contains(&b'%') && holds(path::decoded(value).as_ref()))
}

impl<'a> Field<'a> {
    #[inline(never)]
    fn of(headers: &'a Headers, name: &'a str) -> Self {
        let lines = headers.spellings(name);
        let lines = lines.map(|(name, value)| Line { name, left: Some(Cow::Borrowed(value)) });
        Self { name, lines: lines.collect() }
    }
}

impl Field<'_> {
    #[inline(never)]
    fn remove_copies(&mut self, token: &[u8]) {
        let folded = |name: &str| same_name(self.name.as_bytes(), name.as_bytes());
        let in_path = self.name == PATH;
        if self.name.starts_with(':') && !in_path {
            return;
        }
        let separator = if folded(COOKIE) { b';' } else { b',' };
        for line in &mut self.lines {
            let Some(value) = line.left.as_deref() else { continue };
            let rest = match in_path {
                true => without(value, &|pair| contains(pair, token)),
                false => keep(value, separator, &mut |part| !contains(part, token)),
            };
            if let Some(rest) = rest {
                let gone = rest.is_empty() && !in_path;
                line.left = (!gone).then_some(Cow::Owned(rest));
            }
        }
    }

    #[inline(never)]
    fn remove(&mut self, place: &Place) {
        let kept = match place {
            Place::WebsocketProtocolAfter(word) => self.kept_beside(word),
            _ => Vec::new(),
        };
        let mut kept = kept.into_iter();
        for line in &mut self.lines {
            let Some(value) = line.left.as_deref() else { continue };
            let rest = match place {
                Place::Header { prefix, .. } => {
                    let is_token = |part| after_prefix(part, prefix.as_bytes()).is_some();
                    parts(value, b',').any(is_token).then(Vec::new)
                }
                Place::Cookie(name) => keep(value, b';', &mut |pair| cookie(pair, name).is_none()),
                Place::Query(name) => without(value, &|pair| parameter(pair, name).is_some()),
                Place::WebsocketProtocol(prefix) => {
                    keep(value, b',', &mut |entry| protocol(entry, prefix).is_none())
                }
                Place::WebsocketProtocolAfter(_) => {
                    keep(value, b',', &mut |_| kept.next().unwrap_or(true))
                }
            };
            if let Some(rest) = rest {
                let gone = rest.is_empty() && self.name != PATH;
                line.left = (!gone).then_some(Cow::Owned(rest));
            }
        }
    }

    /// For each entry of all lines, whether it is neither a token nor the word before it; the word may
    /// be in another line.
    fn kept_beside(&self, word: &str) -> Vec<bool> {
        let mut after = After::new(word);
        let mut kept: Vec<bool> = Vec::new();
        let mut previous = None;
        let lines = self.lines.iter().filter_map(|line| line.left.as_deref());
        for entry in lines.flat_map(|line| parts(line, b',')) {
            let is_token = after.is_token(entry);
            if let Some(word) = previous.and_then(|at: usize| kept.get_mut(at)) {
                *word &= !is_token;
            }
            if !entry.trim_ascii().is_empty() {
                previous = Some(kept.len());
            }
            kept.push(!is_token);
        }
        kept
    }

    /// One for each spelling with a changed line.
    fn rewrites(&self) -> impl Iterator<Item = Rewrite> {
        self.lines.iter().enumerate().filter_map(|(index, line)| {
            let same = || self.lines.iter().filter(|other| other.name == line.name);
            let first = !self.lines.iter().take(index).any(|other| other.name == line.name);
            let changed = same().any(|line| !matches!(line.left, Some(Cow::Borrowed(_))));
            (first && changed).then(|| Rewrite {
                name: line.name.to_vec(),
                values: same().filter_map(|line| Some(line.left.as_ref()?.to_vec())).collect(),
            })
        })
    }
}

/// The parts of a line that `wanted` selects, joined; `None` if it selects all.
#[inline(never)]
fn keep(line: &[u8], separator: u8, wanted: &mut dyn FnMut(&[u8]) -> bool) -> Option<Vec<u8>> {
    let kept: Vec<&[u8]> = parts(line, separator).filter(|part| wanted(part)).collect();
    let some_gone = kept.len() < parts(line, separator).count();
    // The space after a separator is removed with the token before it.
    some_gone.then(|| kept.join(&separator).trim_ascii_start().to_vec())
}

/// A `:path` without the query parameters that `gone` selects; `None` if it has none.
#[inline(never)]
fn without(whole: &[u8], gone: &dyn Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let (path, query, fragment) = split_query(whole)?;
    let kept: Vec<&[u8]> = parameters(query).filter(|pair| !gone(pair)).collect();
    let some_gone = kept.len() < parameters(query).count();
    let mark: &[u8] = if kept.is_empty() { b"" } else { b"?" };
    some_gone.then(|| [path, mark, &kept.join(&b'&'), fragment].concat())
}
