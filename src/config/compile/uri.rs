//! `http` and `https` URIs, taken apart for a fetch.

use crate::config::report::{At, Report, quoted};
use crate::provider::HttpUri;

/// A URI of the two schemes, without user information and fragment (RFC 3986 §3, RFC 9110 §4.2).
pub(super) fn http(text: &str, at: &At, report: &mut Report) -> Option<HttpUri> {
    let uri = parse(text);
    if uri.is_none() {
        report.problem(
            at,
            format_args!(
                "{} is not a URI to fetch; allowed: http:// or https://, a host, a path",
                quoted(text)
            ),
        );
    }
    uri
}

/// An origin as browsers send it: scheme and authority, nothing after it (RFC 6454 §7).
pub(super) fn is_origin(text: &str) -> bool {
    parse(text).is_some() && text.splitn(4, '/').count() == 3 && !text.contains('?')
}

fn parse(text: &str) -> Option<HttpUri> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let legal = |b: u8| b.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&b);
    if !matches!(scheme.as_str(), "http" | "https") || !rest.bytes().all(legal) {
        return None;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    if !is_authority(authority) {
        return None;
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Some(HttpUri { scheme, authority: authority.to_ascii_lowercase(), path })
}

/// Whether a text is a host with an optional port; user information is refused.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(literal) => match literal.split_once(']') {
            Some((host, port)) => (host, port),
            None => return false,
        },
        None => text.split_at_checked(text.find(':').unwrap_or(text.len())).unwrap_or_default(),
    };
    let literal = text.starts_with('[');
    let host_byte = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_') || (literal && b == b':')
    };
    let port_fits = match port.strip_prefix(':') {
        Some(digits) => {
            digits.bytes().all(|b| b.is_ascii_digit())
                && digits.parse::<u16>().is_ok_and(|port| port > 0)
        }
        None => port.is_empty(),
    };
    !host.is_empty() && host.bytes().all(host_byte) && port_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_taken_apart_or_refused() {
        for (text, want) in [
            ("https://a.example/keys", Some(("https", "a.example", "/keys"))),
            ("HTTP://A.example:8080", Some(("http", "a.example:8080", "/"))),
            ("https://a?x=1", Some(("https", "a", "/?x=1"))),
            ("https://[::1]:443/k?a=b", Some(("https", "[::1]:443", "/k?a=b"))),
            ("ftp://a/", None),
            ("https:/a", None),
            ("https://", None),
            ("https:///keys", None),
            ("https://user@a/", None),
            ("https://user:pw@a/", None),
            ("https://a:0/", None),
            ("https://a:65536/", None),
            ("https://a:/", None),
            ("https://a:+1/", None),
            ("https://a b/", None),
            ("https://a/#f", None),
            ("https://a/\r\nx", None),
            ("https://ä/", None),
            ("https://a/{tenantid}", None),
            ("https://[::1/", None),
            ("a/keys", None),
            ("", None),
        ] {
            let got = parse(text);
            let got =
                got.as_ref().map(|u| (u.scheme.as_str(), u.authority.as_str(), u.path.as_str()));
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn an_origin_has_nothing_after_its_authority() {
        assert!(is_origin("https://app.example.com"));
        assert!(is_origin("http://localhost:3000"));
        for text in ["https://a/", "https://a/b", "https://a?b", "*", "null", "a.example"] {
            assert!(!is_origin(text), "{text}");
        }
    }
}
