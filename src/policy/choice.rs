//! Finds the rule of a request, for every way in which a server may read its request line.
//!
//! Servers disagree about the host, path and method of some requests. Each way to read them is a
//! [`Reading`], and each reading has a first matching rule. If the readings lead to different rules,
//! the strictest of them applies; if none of them requires everything that the others require, the
//! request is ambiguous and refused. A request therefore passes only if it passes in every reading.

use std::borrow::Cow;
use std::rc::Rc;

use super::path_readings::{Paths, Why};
use super::rule::Rule;
use super::rules::Rules;
use crate::reason::Reason;
use crate::request::header_pattern::Fit;
use crate::request::line::{Reading, RequestLine};
use crate::request::method::{METHOD_OVERRIDES, echoes};

/// The index in [`methods`] of `GET` as a reading of `HEAD`.
const AS_GET: usize = 3;

/// The rule of a request.
#[derive(Debug)]
pub enum Choice<'r> {
    /// No rule matches.
    None,
    /// This rule applies.
    One(&'r Rc<Rule>),
    /// The rule depends on how a server reads the request.
    Ambiguous(Ambiguity),
}

/// The part of a request whose readings lead to different rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambiguity {
    /// The port or final dot of its host.
    Host,
    /// Parameters (`/a;x/b`), encoded slashes or other encoded characters of its path.
    Path,
    /// The letter case of its method, or a header that replaces the method.
    Method,
    /// A repeated header, or one in a spelling that some servers treat as another name.
    Header,
}

impl From<Ambiguity> for Reason {
    fn from(part: Ambiguity) -> Self {
        match part {
            Ambiguity::Host => Reason::HostAmbiguous,
            Ambiguity::Path => Reason::PathAmbiguous,
            Ambiguity::Method => Reason::MethodNotAllowed,
            // No rule matches in all readings.
            Ambiguity::Header => Reason::NoRule,
        }
    }
}

/// Finds the first rule that matches, or the strictest of those that the readings lead to.
///
/// A port or final dot never decides between a rule that passes requests without a token and another
/// one. With `strict`, path parameters never decide which rule applies (CVE-2026-73511).
pub fn choose<'r>(rules: &'r Rules, request: &RequestLine<'_>, strict: bool) -> Choice<'r> {
    let paths = Paths::of(request.path);
    let usual = request.reading();
    // Most requests have no other reading.
    if paths.others.is_empty() && !rules.depends_on_method && other_host(rules, request).is_none() {
        return match first(rules, &usual) {
            None => Choice::Ambiguous(Ambiguity::Header),
            Some(found) => found.map_or(Choice::None, Choice::One),
        };
    }
    let Some(methods) = methods(rules, request) else {
        return Choice::Ambiguous(Ambiguity::Method);
    };
    let mut so_far = None;
    for (index, method) in methods.iter().enumerate() {
        let Some(method) = method else { continue };
        // A rule for GET does not admit HEAD; it can only make the rule of a HEAD request stricter.
        if index == AS_GET && so_far.is_some_and(|so_far: Found<'_>| so_far.is_none()) {
            break;
        }
        let mut part = Ambiguity::Method;
        let mut by_host = None;
        for host in hosts(rules, request) {
            let given = Reading { host, method, ..usual };
            let Some(found) = first(rules, &given) else {
                return Choice::Ambiguous(Ambiguity::Header);
            };
            let opens = |rule: Found<'_>| rule.is_some_and(|rule| !rule.closes());
            let before = *by_host.get_or_insert(found);
            if !same(before, found) && (opens(before) || opens(found)) {
                return Choice::Ambiguous(Ambiguity::Host);
            }
            let Some(mut chosen) = so_far.map_or(Some(found), |so_far| stricter(so_far, found))
            else {
                return Choice::Ambiguous(part);
            };
            for other in &paths.others {
                let reading = Reading { path: Some(&other.path), decoded: other.decoded, ..given };
                chosen = match judge(other.why, rules, &reading, found, chosen, strict) {
                    Some(chosen) => chosen,
                    None => return Choice::Ambiguous(Ambiguity::Path),
                };
            }
            so_far = Some(chosen);
            part = Ambiguity::Host;
        }
    }
    let rule = so_far.flatten();
    let admitted = rule.and_then(|rule| rule.matcher.encoded_slash).unwrap_or(!strict);
    match rule {
        _ if paths.encoded_slash && !admitted => Choice::Ambiguous(Ambiguity::Path),
        Some(rule) => Choice::One(rule),
        None => Choice::None,
    }
}

/// The rule of one reading; `None` if no rule matches.
type Found<'r> = Option<&'r Rc<Rule>>;

fn same(a: Found<'_>, b: Found<'_>) -> bool {
    a.map(Rc::as_ptr) == b.map(Rc::as_ptr)
}

/// The first rule that matches. If that depends on how headers are read, the strictest candidate, and
/// `None` if no candidate is the strictest.
fn first<'r>(rules: &'r Rules, reading: &Reading<'_>) -> Option<Found<'r>> {
    match rules.few() {
        Some(rules) => first_of(rules.iter(), reading),
        None => first_of(rules.candidates(reading).map(|(_, rule)| rule), reading),
    }
}

fn first_of<'r>(
    candidates: impl Iterator<Item = &'r Rc<Rule>>,
    reading: &Reading<'_>,
) -> Option<Found<'r>> {
    let mut chosen = None;
    for rule in candidates {
        let fit = rule.fit(reading);
        if fit == Fit::No {
            continue;
        }
        chosen = match chosen {
            None => Some(rule),
            chosen => stricter(chosen, Some(rule))?,
        };
        if fit == Fit::Surely {
            return Some(chosen);
        }
    }
    match chosen {
        None => Some(None),
        chosen => stricter(chosen, None),
    }
}

/// The stricter of two results; `None` if neither requires everything that the other requires. A rule
/// that requires a token and lends no key counts as stricter than no rule.
fn stricter<'r>(a: Found<'r>, b: Found<'r>) -> Option<Found<'r>> {
    let asks = |a: Found<'_>, b: Found<'_>| match (a, b) {
        (Some(a), Some(b)) => a.asks_for_all_of(b),
        (Some(a), None) => a.closes() && a.upstream_authorization.is_none(),
        (None, _) => false,
    };
    match () {
        () if same(a, b) || asks(a, b) => Some(a),
        () if asks(b, a) => Some(b),
        () => None,
    }
}

/// The readings of a host: without port and final dot, or the whole authority.
fn hosts<'a>(rules: &Rules, request: &RequestLine<'a>) -> impl Iterator<Item = Option<&'a [u8]>> {
    let host = request.authority.map(|authority| authority.host());
    std::iter::once(host).chain(other_host(rules, request).map(Some))
}

/// The whole authority, where rules name hosts and it is more than the host.
fn other_host<'a>(rules: &Rules, request: &RequestLine<'a>) -> Option<&'a [u8]> {
    let authority = request.authority.filter(|_| rules.names_hosts)?;
    // The host is a part of it.
    let more = authority.whole().len() > authority.host().len();
    more.then_some(authority.whole())
}

/// The readings of a method: as written, in upper case (some servers fold the lower-case methods that
/// HTTP/2 permits), from a header that replaces it, and `GET` for `HEAD`. `None` if several headers
/// replace it, or one of them names a method that servers echo.
fn methods<'a>(rules: &Rules, request: &RequestLine<'a>) -> Option<[Option<Cow<'a, [u8]>>; 4]> {
    let given = Cow::Borrowed(request.method);
    if !rules.depends_on_method {
        return Some([Some(given), None, None, None]);
    }
    let upper = |method: &[u8]| Cow::<'a, [u8]>::Owned(method.to_ascii_uppercase());
    let folded = request.method.iter().any(u8::is_ascii_lowercase);
    let (count, named) = request.headers.among(&METHOD_OVERRIDES);
    let named = named.map(<[u8]>::trim_ascii);
    // Some servers read only the first item of a list (RFC 9110 §5.3), and no rule can name a list.
    let several = count > 1 || named.is_some_and(|named| named.contains(&b','));
    let echoed = named.is_some_and(echoes);
    (!several && !echoed).then(|| {
        // Servers answer HEAD with their handler for GET (RFC 9110 §9.3.2).
        let head = (request.method == b"HEAD").then_some(Cow::Borrowed(&b"GET"[..]));
        [Some(given), folded.then(|| upper(request.method)), named.map(upper), head]
    })
}

/// The rule of a request after one more reading of its path; `None` if the request is ambiguous.
/// `chosen` is the rule so far, `found` that of the usual reading.
fn judge<'r>(
    why: Why,
    rules: &'r Rules,
    reading: &Reading<'_>,
    found: Found<'r>,
    chosen: Found<'r>,
    strict: bool,
) -> Option<Found<'r>> {
    let other = match why {
        Why::Raw | Why::Parameters => first(rules, reading)?,
        // A rule that admits encoded slashes treats them as data. Only a rule that names the
        // decoded path contradicts it; a rule for any path would always match.
        Why::Slashes => {
            let names =
                |rule: &Rule| rule.fit(reading) != Fit::No && rule.matcher.names_path(reading);
            match rules.candidates(reading).find(|(_, rule)| names(rule)) {
                None => return Some(chosen),
                Some((_, rule)) => Some(rule),
            }
        }
    };
    match why {
        Why::Parameters if strict && !same(other, found) => None,
        _ => stricter(chosen, other),
    }
}

#[cfg(test)]
mod tests;
