//! `rules[].match`.

use std::collections::BTreeSet;

use super::{hints, read};
use crate::config::report::{At, Report, quoted};
use crate::config::schema::{RawAmbiguousPaths, RawMatch, RawTrailingSlash};
use crate::request::header_pattern::HeaderPattern;
use crate::request::host_pattern::HostPattern;
use crate::request::matcher::Matcher;
use crate::request::path;
use crate::request::path_pattern::PathPattern;
use crate::template::is_token;

/// Compiles `match`; without it, a rule matches all requests. `strict_paths`: whether ambiguous paths are
/// refused before the rules are applied.
pub(super) fn matcher(
    raw: Option<&RawMatch>,
    strict_paths: bool,
    at: &At,
    report: &mut Report,
) -> Matcher {
    let Some(raw) = raw else { return Matcher::default() };
    let encoded_slash = raw.encoded_slash.map(|word| word == RawAmbiguousPaths::Allow);
    let flawed = match encoded_slash {
        Some(true) => path::ambiguous_but_for_slashes,
        _ => path::ambiguous,
    };
    let ignore_case = raw.ignore_case.unwrap_or(false);
    let ignore_trailing_slash = raw.trailing_slash == Some(RawTrailingSlash::Ignore);
    for (member, given) in [("ignore_case", ignore_case), ("trailing_slash", ignore_trailing_slash)]
    {
        if given && raw.paths.is_none() {
            report.warning(
                &at.field(member),
                "has no effect: the rule names no paths; add paths, or remove it",
            );
        }
    }
    Matcher {
        hosts: list(raw.hosts.as_deref(), &at.field("hosts"), report, host).map(Into::into),
        paths: list(raw.paths.as_deref(), &at.field("paths"), report, |text, at, report| {
            path_pattern(text, |path| strict_paths && flawed(path), at, report)
        })
        .map(Into::into),
        ignore_case,
        ignore_trailing_slash,
        encoded_slash,
        methods: list(raw.methods.as_deref(), &at.field("methods"), report, method),
        headers: headers(raw, &at.field("headers"), report),
    }
}

/// Compiles each entry of a list; an empty list would match nothing.
fn list<T>(
    raw: Option<&[String]>,
    at: &At,
    report: &mut Report,
    compile: impl Fn(&str, &At, &mut Report) -> Option<T>,
) -> Option<Vec<T>> {
    let raw = raw?;
    if raw.is_empty() {
        report.problem(at, "is an empty list, which matches nothing; leave it out to match all");
    }
    let each = raw.iter().enumerate();
    Some(each.filter_map(|(index, text)| compile(text, &at.index(index), report)).collect())
}

fn host(text: &str, at: &At, report: &mut Report) -> Option<HostPattern> {
    let lower = text.to_ascii_lowercase();
    let (name, pattern) = match lower.strip_prefix("*.") {
        Some(name) => (name, HostPattern::Suffix(format!(".{name}"))),
        None => (lower.as_str(), HostPattern::Exact(lower.clone())),
    };
    let literal = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let valid = match literal {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok() && !lower.starts_with('*'),
        None => {
            !name.is_empty()
                && name.bytes().all(fits)
                && !name.starts_with('.')
                && !name.ends_with('.')
        }
    };
    if valid {
        return Some(pattern);
    }
    report.problem(
        at,
        format_args!(
            "{} is not a host; allowed: a name, *.name or an address, without scheme, port and final dot",
            quoted(text)
        ),
    );
    None
}

fn path_pattern(
    text: &str,
    refused: impl Fn(&[u8]) -> bool,
    at: &At,
    report: &mut Report,
) -> Option<PathPattern> {
    match PathPattern::parse(text) {
        Ok(_) if refused(text.as_bytes()) => {
            report.problem(
                at,
                format_args!("{} never matches: ambiguous_paths refuses such paths; write it in its normal form, or encoded_slash: allow for %2F", quoted(text)),
            );
            None
        }
        Ok(pattern) => {
            hints::path(text, at, report);
            Some(pattern)
        }
        Err(error) => {
            report.problem(at, format_args!("{} {error}", quoted(text)));
            None
        }
    }
}

fn method(text: &str, at: &At, report: &mut Report) -> Option<String> {
    // `*` is a valid token, but usually means every method, for which the list is left out.
    if !is_token(text) || text.contains('*') {
        report.problem(
            at,
            format_args!(
                "{} is not a method; write methods such as GET, or leave the list out for all",
                quoted(text)
            ),
        );
        return None;
    }
    let upper = text.to_ascii_uppercase();
    if upper != text {
        report.warning(at, format_args!("methods are case-sensitive; write {upper}"));
    } else {
        hints::method(text, at, report);
    }
    Some(text.to_owned())
}

fn headers(raw: &RawMatch, at: &At, report: &mut Report) -> Vec<HeaderPattern> {
    let Some(raw) = &raw.headers else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let mut patterns = Vec::new();
    for (name, value) in raw {
        let at = at.field(name);
        let Some(name) = read::header_name(name, &at, report) else { continue };
        if name == "host" {
            report.problem(&at, "is not available as a header; use hosts");
        }
        if value.is_empty() {
            report.problem(&at, "is empty; allowed: a value, or * for any value");
        }
        read::header_text(value, &at, report);
        if !seen.insert(read::folded(&name)) {
            report.problem(
                &at,
                "is given twice: some servers treat both spellings as one header; remove one",
            );
        }
        let value = (value != "*").then(|| value.clone());
        patterns.push(HeaderPattern { name, value });
    }
    patterns
}
