//! `http` and `https` URIs, taken apart for a fetch.

use crate::config::report::{At, Report, quoted};
use crate::uri::HttpUri;

/// A URI of the two schemes, without user information and fragment (RFC 3986 §3, RFC 9110 §4.2).
pub(super) fn http(text: &str, at: &At, report: &mut Report) -> Option<HttpUri> {
    let uri = HttpUri::parse(text);
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
    HttpUri::parse(text).is_some() && text.splitn(4, '/').count() == 3 && !text.contains('?')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_nothing_after_its_authority() {
        assert!(is_origin("https://app.example.com"));
        assert!(is_origin("http://localhost:3000"));
        for text in ["https://a/", "https://a/b", "https://a?b", "*", "null", "a.example"] {
            assert!(!is_origin(text), "{text}");
        }
    }
}
