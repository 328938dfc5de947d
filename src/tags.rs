//! Tags: what a verified request carries for telemetry, and how it is kept unforgeable.

use crate::headers::Headers;
use crate::policy::Tag;

/// Headers of this prefix are ours, whatever follows.
const RESERVED_PREFIX: &[u8] = b"x-tollgate-";

/// The longest value of a tag, bytes (CONFIG "Telemetry contract").
pub const MAX_VALUE: usize = 1024;

/// How a value that was cut says so: a cut role or subject never equals a shorter one.
const CUT: &str = "...";

/// The request headers that only the filter may write.
///
/// A backend may fold `X_Auth_Subject`, `x.auth.subject` and `x-auth-subject` into one variable
/// (CGI, WSGI and some gateways do), so all spellings are ours.
#[derive(Debug, Default)]
pub struct OwnedHeaders {
    /// Folded names.
    names: Vec<Vec<u8>>,
}

impl OwnedHeaders {
    /// The headers that the tags name, and `x-tollgate-*`.
    pub fn of(tags: &[Tag]) -> Self {
        let mut names: Vec<Vec<u8>> =
            tags.iter().filter_map(|tag| tag.header.as_ref()).map(|name| fold(name)).collect();
        names.sort();
        names.dedup();
        Self { names }
    }

    /// Whether a header of the request has one of our names in any spelling.
    pub fn owns(&self, name: &[u8]) -> bool {
        name.get(..RESERVED_PREFIX.len()).is_some_and(|prefix| same(prefix, RESERVED_PREFIX))
            || self.names.iter().any(|owned| same(name, owned))
    }

    /// The names, as received, of the headers that must go before anything else is written.
    pub fn to_strip<'a>(&'a self, headers: &'a Headers) -> impl Iterator<Item = &'a [u8]> {
        headers.iter().map(|(name, _)| name).filter(|name| self.owns(name))
    }
}

fn fold(name: &str) -> Vec<u8> {
    name.bytes().map(fold_byte).collect()
}

const fn fold_byte(byte: u8) -> u8 {
    match byte {
        b'_' | b'.' => b'-',
        other => other.to_ascii_lowercase(),
    }
}

fn same(name: &[u8], folded: &[u8]) -> bool {
    name.len() == folded.len() && name.iter().zip(folded).all(|(a, b)| fold_byte(*a) == *b)
}

/// Makes a value safe for headers, filter state and logs: printable ASCII as it is, everything
/// else percent-encoded byte by byte, and `%` itself too, so that two values never become one.
/// A longer value than [`MAX_VALUE`] is cut and ends in `...`.
pub fn sanitise(value: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut safe = String::with_capacity(value.len().min(MAX_VALUE));
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).map_or('0', |hex| char::from(*hex));
    for byte in value.bytes() {
        match byte {
            b' '..=b'$' | b'&'..=b'~' => safe.push(char::from(byte)),
            other => safe.extend(['%', digit(other >> 4), digit(other & 15)]),
        }
        if safe.len() > MAX_VALUE {
            safe.truncate(MAX_VALUE.saturating_sub(CUT.len()));
            safe.push_str(CUT);
            break;
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Template;

    fn tag(header: &str) -> Tag {
        Tag {
            name: "subject".into(),
            value: Template::parse("{sub}").unwrap(),
            header: Some(header.into()),
            filter_state: true,
        }
    }

    #[test]
    fn every_spelling_of_an_owned_header_is_ours() {
        let owned = OwnedHeaders::of(&[tag("x-auth-subject")]);
        for name in [
            "x-auth-subject",
            "X-Auth-Subject",
            "x_auth_subject",
            "x.auth.subject",
            "X_auth.subJECT",
            "x-tollgate-",
            "X_Tollgate.anything",
        ] {
            assert!(owned.owns(name.as_bytes()), "{name}");
        }
        for name in ["x-auth-subject2", "x-auth-subjec", "xauth-subject", "x-tollgat", ""] {
            assert!(!owned.owns(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn stripping_names_each_spelling_as_it_was_received() {
        let owned = OwnedHeaders::of(&[tag("x-auth-subject")]);
        let headers = Headers::from_pairs(&[
            ("x_auth_subject", "a"),
            ("accept", "b"),
            ("x-auth-subject", "c"),
            ("x-tollgate-reason", "d"),
        ]);
        let strip: Vec<_> = owned.to_strip(&headers).collect();
        assert_eq!(strip, [&b"x_auth_subject"[..], b"x-auth-subject", b"x-tollgate-reason"]);
    }

    #[test]
    fn a_safe_value_is_printable_ascii_injective_and_bounded() {
        for (value, safe) in [
            ("alice@example.com", "alice@example.com"),
            ("a b", "a b"),
            ("a\r\nx: y", "a%0D%0Ax: y"),
            ("a\0\x7f\x1b\t", "a%00%7F%1B%09"),
            ("é\u{2028}", "%C3%A9%E2%80%A8"),
            ("100%", "100%25"),
            ("", ""),
        ] {
            assert_eq!(sanitise(value), safe);
        }
        let long = sanitise(&"x".repeat(5000));
        assert_eq!((long.len(), long.ends_with("x...")), (MAX_VALUE, true));
        assert_eq!(sanitise(&"x".repeat(MAX_VALUE)).len(), MAX_VALUE);
        assert!(sanitise(&"é".repeat(5000)).len() <= MAX_VALUE);
    }
}
