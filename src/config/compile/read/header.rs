//! Header names and values.

use crate::config::report::{At, Report, quoted};
use crate::request::headers::fold;
use crate::template::is_token;

/// A header name in lower case (RFC 9110 §5.1).
#[inline(never)]
pub(in crate::config::compile) fn header_name(
    name: &str,
    at: &At,
    report: &mut Report,
) -> Option<String> {
    if is_token(name) {
        return Some(name.to_ascii_lowercase());
    }
    report.problem(
        at,
        format_args!("{} is not a header name; allowed: letters, digits, -", quoted(name)),
    );
    None
}

/// Notes a text that is not allowed in a header value (RFC 9110 §5.5).
#[inline(never)]
pub(in crate::config::compile) fn header_text(text: &str, at: &At, report: &mut Report) {
    if !text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        report.problem(
            at,
            "contains a character that is not allowed in a header; allowed: printable ASCII",
        );
    }
}

/// A header name as some servers fold it: characters other than letters and digits become `-`.
pub(in crate::config::compile) fn folded(name: &str) -> String {
    name.bytes().map(|byte| char::from(fold(byte))).collect()
}
