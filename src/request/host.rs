//! The authority of a request, which `match.hosts` compares.
//!
//! Envoy compares the whole authority, with port and final dot, with the domains of its virtual hosts,
//! unless it is configured otherwise. `match.hosts` names hosts without port and final dot, so both
//! forms are kept.

use std::net::Ipv6Addr;

use crate::bytes::Set;

/// The bytes of a name (RFC 3986 §3.2.2), percent-encoding apart.
static OF_NAME: Set =
    Set::of(b"-._~!$&'()*+;=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

/// The authority of a request: a host with an optional final dot and port (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    whole: &'a [u8],
    host: &'a [u8],
}

impl<'a> Authority<'a> {
    /// Parses an authority; `None` unless it is a host with an optional `:` and digits. User
    /// information, an empty label and an invalid address are refused, as are a `,`, which joins two
    /// `Host` fields, and percent-encoding, which some servers decode.
    pub fn parse(whole: &'a [u8]) -> Option<Self> {
        let end = match whole.first()? {
            b'[' => address_end(whole)?,
            _ => name_end(whole),
        };
        let (host, port) = whole.split_at_checked(end)?;
        let digits = match port.split_first() {
            None => port,
            Some((b':', digits)) => digits,
            Some(_) => return None,
        };
        let host = host.strip_suffix(b".").unwrap_or(host);
        (digits.iter().all(u8::is_ascii_digit) && !host.is_empty()).then_some(Self { whole, host })
    }

    /// The authority as received.
    pub fn whole(&self) -> &'a [u8] {
        self.whole
    }

    /// The host without port and final dot; an IPv6 address keeps its brackets (RFC 3986 §3.2.2).
    pub fn host(&self) -> &'a [u8] {
        self.host
    }
}

/// The end of a name: the first byte that it cannot have, or the end of an empty label.
fn name_end(whole: &[u8]) -> usize {
    let mut before = b'.';
    for (at, byte) in whole.iter().enumerate() {
        if !OF_NAME.has(*byte) || (*byte == b'.' && before == b'.') {
            return at;
        }
        before = *byte;
    }
    whole.len()
}

/// The end of an IPv6 address in brackets.
#[cold]
fn address_end(whole: &[u8]) -> Option<usize> {
    let at = whole.iter().position(|byte| *byte == b']')?;
    let address = str::from_utf8(whole.get(1..at)?).ok()?;
    address.parse::<Ipv6Addr>().ok()?;
    at.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_with_and_without_its_port_and_final_dot() {
        for (text, host) in [
            ("ml.example.com", "ml.example.com"),
            ("ML.example.com:8443", "ML.example.com"),
            ("ml.example.com.", "ml.example.com"),
            ("ml.example.com.:80", "ml.example.com"),
            ("ml.example.com:", "ml.example.com"),
            ("ml.example.com:99999999999", "ml.example.com"),
            ("a~b.internal.example.com", "a~b.internal.example.com"),
            ("a_b!$&'()*+;=", "a_b!$&'()*+;="),
            ("localhost", "localhost"),
            ("10.0.0.1:80", "10.0.0.1"),
            ("[::1]", "[::1]"),
            ("[::ffff:10.0.0.1]:8080", "[::ffff:10.0.0.1]"),
        ] {
            let authority = Authority::parse(text.as_bytes()).unwrap();
            assert_eq!(authority.host(), host.as_bytes(), "{text}");
            assert_eq!(authority.whole(), text.as_bytes(), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_host_with_or_without_a_port_is_no_authority() {
        for text in [
            "",
            ".",
            "..",
            ":",
            ":80",
            ".a",
            "a..",
            "a..b",
            "a..:80",
            "a:x",
            "a:80x",
            "a:-1",
            "a:+80",
            "a: 80",
            "a:80:81",
            "a::80",
            "a:80.",
            "user@a",
            "user:pass@a",
            "a,b",
            "a, a",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "a b",
            "a\t",
            "a%2e",
            "%61",
            "é",
            "a\0",
            "::1",
            "[::1",
            "[::1]x",
            "[::1].",
            "[::1]:x",
            "[::1%25eth0]",
            "[v1.a]",
            "[a]",
            "[]",
            "]",
            "a[b]",
            "<a>",
            "\"a\"",
        ] {
            assert_eq!(Authority::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
