//! The authority of a request, which `match.hosts` compares.
//!
//! Envoy compares the whole authority, with port and final dot, with the domains of its virtual hosts,
//! unless it is configured otherwise. `match.hosts` names hosts without port and final dot, so both
//! forms are kept.

use std::net::Ipv6Addr;

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

    /// The authority as received.
    pub fn whole(&self) -> &'a [u8] {
        self.whole
    }

    /// The host without port and final dot; an IPv6 address keeps its brackets (RFC 3986 §3.2.2).
    pub fn host(&self) -> &'a [u8] {
        self.host
    }
}

/// Whether a text is a name without empty labels, or an IPv6 address in brackets.
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
