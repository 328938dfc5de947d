//! Readers of single values: each notes its problem and gives a stand-in, so that the rest of the
//! document is still looked at.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::hints;
use crate::config::Environment;
use crate::config::report::{At, Report, quoted};
use crate::config::schema::{Count, DurationText, Size};
use crate::config::units;
use crate::template::{ClaimRef, Part, Template, is_token};

/// A duration inside its bounds.
#[inline(never)]
pub(super) fn duration(
    raw: Option<&DurationText>,
    default: Duration,
    bounds: RangeInclusive<Duration>,
    at: &At,
    report: &mut Report,
) -> Duration {
    let Some(DurationText(text)) = raw else { return default };
    match units::duration(text) {
        Ok(value) if bounds.contains(&value) => return value,
        Ok(_) => report.problem(
            at,
            format_args!(
                "{} is out of bounds; allowed: {} to {}",
                quoted(text),
                shown(*bounds.start()),
                shown(*bounds.end())
            ),
        ),
        Err(error) => report.problem(at, format_args!("{} {error}", quoted(text))),
    }
    default
}

/// A duration of whole seconds inside its bounds: token times have no fractions to compare with.
#[inline(never)]
pub(super) fn seconds(
    raw: Option<&DurationText>,
    default: u64,
    bounds: RangeInclusive<u64>,
    at: &At,
    report: &mut Report,
) -> u64 {
    let bounds = Duration::from_secs(*bounds.start())..=Duration::from_secs(*bounds.end());
    let value = duration(raw, Duration::from_secs(default), bounds, at, report);
    if value.subsec_nanos() != 0 {
        report.problem(at, "is not a whole number of seconds");
    }
    value.as_secs()
}

/// A duration as the contract writes it.
fn shown(value: Duration) -> String {
    let millis = value.as_millis();
    for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis >= size && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis.checked_div(size).unwrap_or_default());
        }
    }
    format!("{millis}ms")
}

/// A whole number inside its bounds.
pub(super) fn count<N>(
    raw: Option<Count>,
    default: N,
    bounds: RangeInclusive<N>,
    at: &At,
    report: &mut Report,
) -> N
where
    N: Copy + TryFrom<u64>,
    u64: TryFrom<N>,
{
    let Some(Count(found)) = raw else { return default };
    let (low, high) = (u64::try_from(*bounds.start()), u64::try_from(*bounds.end()));
    let fits = bounded(found, low.unwrap_or(0)..=high.unwrap_or(u64::MAX), at, report);
    N::try_from(found).ok().filter(|_| fits).unwrap_or(default)
}

/// Whether a number is inside its bounds; one function for all types of numbers.
#[inline(never)]
fn bounded(found: u64, bounds: RangeInclusive<u64>, at: &At, report: &mut Report) -> bool {
    let fits = bounds.contains(&found);
    if !fits {
        let (low, high) = (bounds.start(), bounds.end());
        report.problem(at, format_args!("{found} is out of bounds; allowed: {low} to {high}"));
    }
    fits
}

/// A size inside its bounds, bytes.
#[inline(never)]
pub(super) fn size(
    raw: Option<&Size>,
    default: usize,
    bounds: RangeInclusive<usize>,
    at: &At,
    report: &mut Report,
) -> usize {
    let bytes = match raw {
        None => return default,
        Some(Size::Bytes(bytes)) => *bytes,
        Some(Size::Text(text)) => match units::size(text) {
            Ok(bytes) => bytes,
            Err(error) => {
                report.problem(at, format_args!("{} {error}", quoted(text)));
                return default;
            }
        },
    };
    count(Some(Count(bytes)), default, bounds, at, report)
}

/// A name that becomes a label: `[a-z0-9_-]{1,32}`, given once among its kind.
#[inline(never)]
pub(super) fn name<'a>(
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
        report.problem(&at, format_args!("{} is given twice; names are unique", quoted(name)));
        return None;
    }
    Some(name.clone())
}

/// The position of a name in a list, or a problem that tells the names there are.
#[inline(never)]
pub(super) fn position(
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

/// Notes a list that is empty or holds an empty text.
#[inline(never)]
pub(super) fn texts(list: &[String], at: &At, report: &mut Report) {
    if list.is_empty() {
        report.problem(at, "is an empty list; give at least one entry or leave it out");
    }
    for (index, text) in list.iter().enumerate() {
        if text.is_empty() {
            report.problem(&at.index(index), "is empty");
        }
    }
}

/// A header name in lower case (RFC 9110 §5.1).
#[inline(never)]
pub(super) fn header_name(name: &str, at: &At, report: &mut Report) -> Option<String> {
    if is_token(name) {
        return Some(name.to_ascii_lowercase());
    }
    report.problem(
        at,
        format_args!("{} is not a header name; allowed: letters, digits, -", quoted(name)),
    );
    None
}

/// Notes a text that cannot stand in a header value (RFC 9110 §5.5).
#[inline(never)]
pub(super) fn header_text(text: &str, at: &At, report: &mut Report) {
    if !text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        report
            .problem(at, "holds a character that a header cannot carry; allowed: printable ASCII");
    }
}

/// A template.
#[inline(never)]
pub(super) fn template(text: &str, at: &At, report: &mut Report) -> Option<Template> {
    match Template::parse(text) {
        Ok(template) => {
            hints::template(text, at, report);
            for part in template.parts() {
                if let Part::Claim(claim) = part {
                    hints::claim(claim, at, report);
                }
            }
            Some(template)
        }
        Err(error) => {
            report.problem(at, format_args!("{} {error}", quoted(text)));
            None
        }
    }
}

/// A claim reference, required.
#[inline(never)]
pub(super) fn claim(text: Option<&String>, at: &At, report: &mut Report) -> Option<ClaimRef> {
    let Some(text) = text else {
        report.required(at, "a claim name, or a JSON Pointer that begins with /");
        return None;
    };
    match ClaimRef::parse(text) {
        Ok(claim) => {
            hints::claim(&claim, at, report);
            Some(claim)
        }
        Err(error) => {
            report.problem(at, format_args!("{} {error}", quoted(text)));
            None
        }
    }
}

/// A JSON Pointer (RFC 6901) to something inside a document.
#[inline(never)]
pub(super) fn pointer(text: &str, at: &At, report: &mut Report) -> Option<ClaimRef> {
    if text.starts_with('/') {
        return claim(Some(&text.to_owned()), at, report);
    }
    report.problem(
        at,
        format_args!("{} is not a JSON Pointer; allowed: it begins with /", quoted(text)),
    );
    None
}

/// Whether a text is the name of an environment variable. One that is not may be a secret that was
/// put in the wrong place, so it is not shown.
#[inline(never)]
pub(super) fn variable_name(name: &str, at: &At, report: &mut Report) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let valid = (1..=128).contains(&name.len())
        && name.bytes().all(fits)
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if !valid {
        report
            .problem(at, "is not the name of an environment variable; allowed: letters, digits, _");
    }
    valid
}

/// The value of an environment variable, not empty.
#[inline(never)]
pub(super) fn variable(
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
