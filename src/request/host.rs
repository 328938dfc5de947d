//! Request authorities: what is compared with `match.hosts`, and which have no clear reading.
//!
//! Envoy compares the whole authority with the domains of its virtual hosts, with port and final
//! dot, unless its connection manager or route configuration says otherwise. `match.hosts` names
//! hosts without either, so both readings are kept here.

use std::net::Ipv6Addr;

/// The authority of a request: a host, and perhaps a final dot and a port (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    whole: &'a [u8],
    host: &'a [u8],
}

impl<'a> Authority<'a> {
    /// Reads an authority. `None` for what is not a host with or without `:` and digits: user
    /// information, a port that is no number, an empty label, an address that is none, a `,` (two
    /// `Host` fields that were joined) or percent-encoding, which some servers undo.
    pub fn parse(whole: &'a [u8]) -> Option<Self> {
        let end = match whole.first()? {
            b'[' => whole.iter().position(|byte| *byte == b']')?.checked_add(1)?,
            _ => whole.iter().position(|byte| *byte == b':').unwrap_or(whole.len()),
        };
        let (host, port) = whole.split_at_checked(end)?;
        let digits = match port.split_first() {
            None => port,
            Some((b':', digits)) => digits,
            Some(_) => return None,
        };
        let host = host.strip_suffix(b".").unwrap_or(host);
        (digits.iter().all(u8::is_ascii_digit) && is_host(host)).then_some(Self { whole, host })
    }

    /// The authority as it was given.
    pub fn whole(&self) -> &'a [u8] {
        self.whole
    }

    /// The host alone, without port and final dot; an IPv6 address keeps its brackets (RFC 3986
    /// §3.2.2).
    pub fn host(&self) -> &'a [u8] {
        self.host
    }
}

/// A name of labels that are not empty, or an IPv6 address in brackets.
fn is_host(host: &[u8]) -> bool {
    if let Some(inner) = host.strip_prefix(b"[") {
        let address = inner.strip_suffix(b"]").and_then(|inner| std::str::from_utf8(inner).ok());
        return address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    host.split(|byte| *byte == b'.').all(|label| !label.is_empty())
        && host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(byte))
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
