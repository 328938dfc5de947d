//! `http` and `https` URIs.

use crate::config::report::{At, Report, quoted};
use crate::uri::HttpUri;

/// A URI without user information and fragment (RFC 3986 §3, RFC 9110 §4.2).
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
