//! Tokens are taken out of a request before the upstream sees it.

use super::{
    After, Entry, PATH, Place, TokenRules, after_prefix, cookie, cookies, entries, parameter,
    parameters, protocol, split_query,
};
use crate::request::headers::Headers;

/// A request header as it has to be after the tokens are gone; no values: it goes altogether.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// As received.
    pub name: Vec<u8>,
    /// Its lines in their order.
    pub values: Vec<Vec<u8>>,
}

/// The lines of one header in all its spellings, in the order of the request.
struct Field<'a> {
    name: &'a str,
    lines: Vec<Line<'a>>,
}

struct Line<'a> {
    name: &'a [u8],
    /// What is left of it.
    value: Option<Vec<u8>>,
    changed: bool,
}

/// The headers that change when every token goes from where [`find`](super::find) sees one. Everything
/// else in them stays byte for byte, but for the one separator beside the token.
pub fn removal(headers: &Headers, rules: &TokenRules) -> Vec<Rewrite> {
    let mut fields: Vec<Field<'_>> = Vec::new();
    for place in &rules.from {
        let name = place.field().unwrap_or(PATH);
        // Two places may share a header: the second starts from what the first has left.
        if !fields.iter().any(|field| field.name == name) {
            let line = |(name, value): (_, &[u8])| Line {
                name,
                value: Some(value.to_vec()),
                changed: false,
            };
            fields.push(Field { name, lines: headers.spellings(name).map(line).collect() });
        }
        if let Some(field) = fields.iter_mut().find(|field| field.name == name) {
            field.remove(place);
        }
    }
    fields.iter().flat_map(Field::rewrites).collect()
}

impl Field<'_> {
    fn remove(&mut self, place: &Place) {
        let mut after = match place {
            Place::WebsocketProtocolAfter(word) => Some(After::new(word)),
            _ => None,
        };
        // The entry after the word may stand in another line.
        let tokens = self.lines.iter().filter_map(|line| line.value.as_deref());
        let mut keeps: Vec<bool> = match &mut after {
            None => Vec::new(),
            Some(after) => keep_beside(tokens.flat_map(entries), after),
        };
        let mut rest = keeps.drain(..);
        for line in &mut self.lines {
            let Some(value) = &line.value else { continue };
            let left = match place {
                Place::WebsocketProtocolAfter(_) => {
                    let kept: Vec<&[u8]> =
                        entries(value).filter(|_| rest.next().unwrap_or(true)).collect();
                    joined(value, &kept, b',')
                }
                place => without_token(value, place),
            };
            line.changed |= left.as_ref() != line.value.as_ref();
            line.value = left;
        }
    }

    /// One for each spelling of which a line has changed.
    fn rewrites(&self) -> impl Iterator<Item = Rewrite> {
        let is_first = |index: usize, name: &[u8]| {
            !self.lines.iter().take(index).any(|earlier| earlier.name == name)
        };
        self.lines.iter().enumerate().filter_map(move |(index, line)| {
            let same = || self.lines.iter().filter(|other| other.name == line.name);
            let changed = is_first(index, line.name) && same().any(|line| line.changed);
            changed.then(|| Rewrite {
                name: line.name.to_vec(),
                values: same().filter_map(|line| line.value.clone()).collect(),
            })
        })
    }
}

/// Of each entry, whether it stays: neither a token nor the word before it.
fn keep_beside<'a>(entries: impl Iterator<Item = &'a [u8]>, after: &mut After<'_>) -> Vec<bool> {
    let mut keeps: Vec<bool> = Vec::new();
    let mut word = None;
    for entry in entries {
        let index = keeps.len();
        keeps.push(true);
        let seen = after.sees(entry);
        if seen == Entry::Token {
            for gone in [word, Some(index)].into_iter().flatten() {
                if let Some(keep) = keeps.get_mut(gone) {
                    *keep = false;
                }
            }
        }
        if !entry.trim_ascii().is_empty() {
            word = Some(index);
        }
    }
    keeps
}

/// One line of a header without its token; `None` when nothing is left of it.
fn without_token(value: &[u8], place: &Place) -> Option<Vec<u8>> {
    let (kept, separator): (Vec<&[u8]>, u8) = match place {
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
            (cookies(value).filter(|pair| cookie(pair, name).is_none()).collect(), b';')
        }
        Place::WebsocketProtocol(prefix) => {
            (entries(value).filter(|entry| protocol(entry, prefix).is_none()).collect(), b',')
        }
        // Looked for in all lines at once.
        Place::WebsocketProtocolAfter(_) => return Some(value.to_vec()),
    };
    joined(value, &kept, separator)
}

/// A line with these of its entries; `None` when nothing is left.
fn joined(value: &[u8], kept: &[&[u8]], separator: u8) -> Option<Vec<u8>> {
    if value.split(|byte| *byte == separator).count() == kept.len() {
        return Some(value.to_vec());
    }
    // The space behind a separator goes with the token that stood before it.
    let rest = kept.join(&separator).trim_ascii_start().to_vec();
    (!rest.is_empty()).then_some(rest)
}
