//! The parts of headers and queries that can contain a token.

use std::borrow::Cow;
use std::iter;

use crate::bytes;
use crate::request::path;

/// A value that is never a token. It stands for one that cannot be read.
pub(super) const MALFORMED: &[u8] = b".";

/// The parts of a list. A token is long and has no separator.
pub(super) fn parts(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    iter::from_fn(move || {
        let text = rest?;
        let at = bytes::find(text, separator);
        let (part, after) = at.and_then(|at| text.split_at_checked(at)).unzip();
        rest = after.and_then(|after| after.get(1..));
        Some(part.unwrap_or(text))
    })
}

/// The text after a prefix.
///
/// A prefix that ends in a space is an authentication scheme (RFC 9110 §11.4: `1*SP`): more spaces may
/// follow, and `Bearer` alone, with its space trimmed, is an empty token. Any other byte beside the
/// scheme that cannot belong to its name makes the token malformed, because a server that splits at
/// tabs or at any whitespace would read a token there.
pub(super) fn after_prefix<'a>(value: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let value = value.trim_ascii();
    let word = prefix.trim_ascii();
    // The usual spelling: the scheme as configured, one space and the token.
    if prefix.strip_suffix(b" ").is_some_and(|before| before.len() == word.len())
        && prefix.first().is_some_and(|byte| continues_name(*byte))
        && let Some((head, token @ [first, ..])) = value.split_at_checked(prefix.len())
        && bytes::equal(head, prefix)
        && !first.is_ascii_whitespace()
    {
        return Some(token);
    }
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

/// Whether a byte can belong to the name of an authentication scheme (RFC 9110 §5.6.2).
pub(super) fn continues_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// The value of a cookie without its optional quotes (RFC 6265 §4.1.1).
pub(super) fn cookie<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
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

/// The path, the query and the fragment of a `:path`; the fragment keeps its `#`. `None` without a
/// query.
pub(super) fn split_query(whole: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let end = whole.iter().position(|byte| *byte == b'#').unwrap_or(whole.len());
    let (before, fragment) = whole.split_at_checked(end)?;
    let at = before.iter().position(|byte| *byte == b'?')?;
    let (path, query) = before.split_at_checked(at)?;
    Some((path, query.get(1..)?, fragment))
}

/// The `name=value` pairs of a query.
pub(super) fn parameters(query: &[u8]) -> impl Iterator<Item = &[u8]> {
    parts(query, b'&')
}

/// The value of a query parameter. Name and value are decoded, because a backend that decodes names
/// would find a token that a literal comparison leaves in.
pub(super) fn parameter<'a>(pair: &'a [u8], name: &str) -> Option<Cow<'a, [u8]>> {
    let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
    let (given, value) = pair.split_at_checked(at)?;
    if path::decoded(given).as_ref() != name.as_bytes() {
        return None;
    }
    Some(path::decoded(value.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::parts;

    proptest! {
        #[test]
        fn a_list_has_the_parts_of_the_standard_library(text in "[ab,\u{80}-\u{ff}]{0,40}", at in 0..4_usize) {
            let text = text.as_bytes().get(at..).unwrap_or_default();
            let expected: Vec<&[u8]> = text.split(|byte| *byte == b',').collect();
            prop_assert_eq!(parts(text, b',').collect::<Vec<_>>(), expected);
        }
    }
}
