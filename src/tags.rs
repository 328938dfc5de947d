//! Tags: what a verified request carries for telemetry, and how it is kept unforgeable.

use std::fmt;

use crate::headers::Headers;
use crate::policy::Tag;

/// Headers of this prefix are ours, whatever follows.
const RESERVED_PREFIX: &[u8] = b"x-tollgate-";

/// The longest value of a tag, bytes (CONFIG "Telemetry contract").
pub const MAX_VALUE: usize = 1024;

/// How many bytes of the HMAC a hashed tag shows: 128 bits, so that two of any number of callers
/// never share a value.
const HASH_BYTES: usize = 16;

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

/// The key of `hash: true` tags (`privacy.hash_key_env`); it never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct HashKey(Vec<u8>);

impl HashKey {
    /// The shortest key, bytes: that of the hash's output (RFC 2104 §3).
    pub const MIN_BYTES: usize = 32;

    /// Takes a key as it stands in the environment; `None` when it is shorter than
    /// [`HashKey::MIN_BYTES`].
    pub fn new(key: &str) -> Option<Self> {
        (key.len() >= Self::MIN_BYTES).then(|| Self(key.as_bytes().to_vec()))
    }

    /// The first 16 bytes of HMAC-SHA256 over the whole value, as 32 lower-case hex digits.
    pub fn hash(&self, value: &str) -> String {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| HEX.get(usize::from(nibble)).map_or('0', |hex| char::from(*hex));
        let mac = hmac_sha256::HMAC::mac(value.as_bytes(), &self.0);
        mac.iter().take(HASH_BYTES).flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(…)")
    }
}

impl Tag {
    /// What is written of a value: its hash where the tag is hashed, else the [`sanitise`]d text.
    pub fn safe_value(&self, value: &str) -> String {
        match &self.hash {
            Some(key) => key.hash(value),
            None => sanitise(value),
        }
    }
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
            hash: None,
        }
    }

    #[test]
    fn a_hashed_tag_is_the_hmac_that_openssl_computes_and_nothing_else() {
        // printf %s alice | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        let key = HashKey::new("0123456789abcdef0123456789abcdef").unwrap();
        let tag = Tag { hash: Some(key.clone()), ..tag("x") };
        assert_eq!(tag.safe_value("alice"), "433deb45467e4e53dbaba594c88bc3a2");
        let long = "a".repeat(5000);
        assert_eq!(tag.safe_value(&long).len(), 32);
        assert_ne!(tag.safe_value(&long), tag.safe_value(&format!("{long}b")));
        assert_eq!(format!("{key:?}"), "HashKey(…)");
        assert_eq!(HashKey::new("0123456789abcdef0123456789abcde"), None);
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
