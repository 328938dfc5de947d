//! Names, lists of texts, URIs and environment variables.

use std::collections::BTreeSet;

use crate::config::Environment;
use crate::config::report::{At, Report, quoted};
use crate::request::headers::fold;
use crate::template::is_token;
use crate::uri::HttpUri;

/// A name that becomes a label: `[a-z0-9_-]{1,32}`, unique among its kind.
#[inline(never)]
pub(in crate::config::compile) fn name<'a>(
    raw: Option<&'a String>,
    taken: &mut BTreeSet<&'a str>,
    at: &At,
    report: &mut Report,
) -> Option<String> {
    const ALLOWED: &str = "[a-z0-9_-]{1,32}";
    let at = at.field("name");
    let Some(name) = raw else {
        report.required(&at, ALLOWED);
        return None;
    };
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    if !(1..=32).contains(&name.len()) || !name.bytes().all(fits) {
        report.problem(&at, format_args!("{} is not a name; allowed: {ALLOWED}", quoted(name)));
        return None;
    }
    if !taken.insert(name) {
        report.problem(
            &at,
            format_args!("{} is given twice; give each a name of its own", quoted(name)),
        );
        return None;
    }
    Some(name.clone())
}

/// The position of a name in a list; the problem of an unknown name lists the known ones.
#[inline(never)]
pub(in crate::config::compile) fn position(
    wanted: &str,
    known: &[Option<&str>],
    kind: &str,
    at: &At,
    report: &mut Report,
) -> Option<usize> {
    let found = known.iter().position(|name| *name == Some(wanted));
    if found.is_none() {
        let names: Vec<&str> = known.iter().flatten().copied().collect();
        let allowed = if names.is_empty() { "none is defined".into() } else { names.join(", ") };
        report.problem(at, format_args!("{} is not a {kind}; allowed: {allowed}", quoted(wanted)));
    }
    found
}

/// Compiles each entry of a list; `None` if one of them cannot be compiled.
pub(in crate::config::compile) fn all<'r, Raw, T>(
    list: &'r [Raw],
    at: &At,
    report: &mut Report,
    mut compile: impl FnMut(&'r Raw, &At, &mut Report) -> Option<T>,
) -> Option<Vec<T>> {
    let each = list.iter().enumerate();
    // All entries are compiled even after a problem.
    let compiled: Vec<_> = each.map(|(i, raw)| compile(raw, &at.index(i), report)).collect();
    compiled.into_iter().collect()
}

/// Notes a list that is empty or contains an empty text.
#[inline(never)]
pub(in crate::config::compile) fn texts(list: &[String], at: &At, report: &mut Report) {
    if list.is_empty() {
        report.problem(at, "is an empty list; give at least one entry or leave it out");
    }
    for (index, text) in list.iter().enumerate() {
        if text.is_empty() {
            report.problem(&at.index(index), "is empty; write a text, or remove it");
        }
    }
}

/// Notes a required list that is empty or contains an empty text.
#[inline(never)]
pub(in crate::config::compile) fn not_empty(
    list: &[String],
    allowed: &str,
    at: &At,
    report: &mut Report,
) {
    match list.is_empty() {
        true => report.problem(
            at,
            format_args!("is an empty list, which admits no token; allowed: {allowed}"),
        ),
        false => texts(list, at, report),
    }
}

/// A URI without user information and fragment (RFC 3986 §3, RFC 9110 §4.2).
pub(in crate::config::compile) fn uri(text: &str, at: &At, report: &mut Report) -> Option<HttpUri> {
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

/// Whether a text is the name of an environment variable. Any other text may be a misplaced secret and is
/// not shown.
#[inline(never)]
pub(in crate::config::compile) fn variable_name(name: &str, at: &At, report: &mut Report) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let valid = (1..=128).contains(&name.len())
        && name.bytes().all(fits)
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if !valid {
        report
            .problem(at, "is not the name of an environment variable; write its name (letters, digits, _), not its value");
    }
    valid
}

/// The value of an environment variable; an empty one counts as absent.
#[inline(never)]
pub(in crate::config::compile) fn variable(
    name: &str,
    env: &dyn Environment,
    at: &At,
    report: &mut Report,
) -> Option<String> {
    if !variable_name(name, at, report) {
        return None;
    }
    let value = env.variable(name).filter(|value| !value.is_empty());
    if value.is_none() {
        report.problem(
            at,
            format_args!(
                "the environment variable {name} is not set; set it for the VM \
                 (environment_variables, vmConfig.env)"
            ),
        );
    }
    value
}

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
