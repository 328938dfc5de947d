//! Which rule a request falls under, whatever a server reads from its request line.
//!
//! Servers differ in what they take for the host, the path and the method of a request. Each way
//! to read them is a [`Reading`], and each has a first rule that matches. Where these are not one
//! rule, the request falls under the one that asks for everything that the others ask for; where
//! none does, it is ambiguous. So what a rule opens is open in every reading.

use std::borrow::Cow;

use super::rule::Rule;
use crate::reason::Reason;
use crate::request::header_pattern::Fit;
use crate::request::matcher::{Reading, RequestLine};
use crate::request::method::{METHOD_OVERRIDES, echoes};
use crate::request::path;

/// Where [`methods`] has `GET` for `HEAD`.
const AS_GET: usize = 3;

/// Which rule a request falls under.
#[derive(Debug)]
pub enum Choice<'r> {
    /// No rule matches.
    None,
    /// This one, and its index.
    One(usize, &'r Rule),
    /// The rule depends on how the request line is read.
    Ambiguous(Ambiguity),
}

/// What part of a request line has readings that lead to different rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambiguity {
    /// Its port or final dot decides.
    Host,
    /// Its parameters (`/a;x/b`), encoded slashes or other encoded characters decide.
    Path,
    /// Its letter case, or a header that names another one, decides.
    Method,
    /// A header decides that comes twice, or in a spelling that some servers take for another.
    Header,
}

impl From<Ambiguity> for Reason {
    fn from(part: Ambiguity) -> Self {
        match part {
            Ambiguity::Host => Reason::HostAmbiguous,
            Ambiguity::Path => Reason::PathAmbiguous,
            Ambiguity::Method => Reason::MethodNotAllowed,
            // No rule matches in every reading.
            Ambiguity::Header => Reason::NoRule,
        }
    }
}

/// Finds the rule of a request: the first that matches.
///
/// Where the readings of a request line lead to different rules, the request falls under the one
/// of them that asks for all that the others ask for. A port or a final dot must not decide at all
/// whether a rule opens, nor, with `strict`, parameters of a path which rule applies
/// (CVE-2026-73511).
pub fn choose<'r>(rules: &'r [Rule], request: &RequestLine<'_>, strict: bool) -> Choice<'r> {
    let paths = Paths::of(request.path);
    let Some(methods) = methods(rules, request) else {
        return Choice::Ambiguous(Ambiguity::Method);
    };
    let usual = request.reading();
    let mut so_far = None;
    for (index, method) in methods.iter().enumerate() {
        let Some(method) = method else { continue };
        // A rule for GET opens nothing for HEAD; it only closes what another rule would open.
        if index == AS_GET && so_far == Some(None) {
            break;
        }
        let mut part = Ambiguity::Method;
        let mut by_host = None;
        for host in hosts(rules, request) {
            let given = Reading { host, method, ..usual };
            let Some(found) = first(rules, &given) else {
                return Choice::Ambiguous(Ambiguity::Header);
            };
            let opens = |index: Option<usize>| {
                index.and_then(|index| rules.get(index)).is_some_and(|rule| !rule.closes())
            };
            let before = *by_host.get_or_insert(found);
            if before != found && (opens(before) || opens(found)) {
                return Choice::Ambiguous(Ambiguity::Host);
            }
            let Some(mut chosen) = so_far.map_or(Some(found), |c| stricter(rules, c, found)) else {
                return Choice::Ambiguous(part);
            };
            for other in &paths.others {
                let reading = Reading { path: Some(&other.path), decoded: other.decoded, ..given };
                chosen = match other.judge(rules, &reading, found, chosen, strict) {
                    Some(chosen) => chosen,
                    None => return Choice::Ambiguous(Ambiguity::Path),
                };
            }
            so_far = Some(chosen);
            part = Ambiguity::Host;
        }
    }
    let chosen: Option<usize> = so_far.flatten();
    let rule = chosen.and_then(|index| Some((index, rules.get(index)?)));
    let admitted = rule.and_then(|(_, rule)| rule.matcher.encoded_slash).unwrap_or(!strict);
    match rule {
        _ if paths.encoded_slash && !admitted => Choice::Ambiguous(Ambiguity::Path),
        Some((index, rule)) => Choice::One(index, rule),
        None => Choice::None,
    }
}

/// The first rule that matches; where that depends on how headers are read, the one of them that asks
/// for all that the others ask for, and `None` where there is none.
fn first(rules: &[Rule], reading: &Reading<'_>) -> Option<Option<usize>> {
    let mut chosen = None;
    for (index, rule) in rules.iter().enumerate() {
        let fit = rule.fit(reading);
        if fit == Fit::No {
            continue;
        }
        chosen = Some(match chosen {
            None => Some(index),
            Some(chosen) => stricter(rules, chosen, Some(index))?,
        });
        if fit == Fit::Surely {
            return chosen;
        }
    }
    chosen.map_or(Some(None), |chosen| stricter(rules, chosen, None))
}

/// Of the rules of two readings, the one that asks for all that the other asks for; `None` where
/// neither does. A rule that asks for a token and lends no key asks for more than no rule: it opens
/// nothing.
fn stricter(rules: &[Rule], a: Option<usize>, b: Option<usize>) -> Option<Option<usize>> {
    let rule = |index: Option<usize>| index.and_then(|index| rules.get(index));
    let asks = |a: Option<usize>, b: Option<usize>| match (rule(a), rule(b)) {
        (Some(a), Some(b)) => a.asks_for_all_of(b),
        (Some(a), None) => a.closes() && a.upstream_authorization.is_none(),
        (None, _) => false,
    };
    match () {
        () if a == b || asks(a, b) => Some(a),
        () if asks(b, a) => Some(b),
        () => None,
    }
}

/// What a server compares with its hosts: the host alone, or the whole authority.
fn hosts<'a>(
    rules: &[Rule],
    request: &RequestLine<'a>,
) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
    let host = request.authority.map(|authority| authority.host());
    let whole = request.authority.map(|authority| authority.whole());
    let other = whole != host && rules.iter().any(|rule| rule.matcher.hosts.is_some());
    std::iter::once(host).chain(other.then_some(whole))
}

/// What a server may take for the method: as it is written, in upper case (methods of HTTP/2 may be
/// lower case, and some servers fold them), as a header says, or `GET` for `HEAD`. `None` where
/// headers say several things, or a method that servers echo.
fn methods<'a>(rules: &[Rule], request: &RequestLine<'a>) -> Option<[Option<Cow<'a, [u8]>>; 4]> {
    let given = Cow::Borrowed(request.method);
    // Nothing depends on the method where no rule names one and none lends what could be echoed.
    let asks =
        |rule: &Rule| rule.matcher.methods.is_some() || rule.upstream_authorization.is_some();
    if !rules.iter().any(asks) {
        return Some([Some(given), None, None, None]);
    }
    let upper = |method: &[u8]| Cow::<'a, [u8]>::Owned(method.to_ascii_uppercase());
    let folded = request.method.iter().any(u8::is_ascii_lowercase);
    let (count, named) = request.headers.among(&METHOD_OVERRIDES);
    let named = named.map(<[u8]>::trim_ascii);
    // Of a list (RFC 9110 §5.3) some servers take the first, and no rule can name the whole.
    let several = count > 1 || named.is_some_and(|named| named.contains(&b','));
    let echoed = named.is_some_and(echoes);
    (!several && !echoed).then(|| {
        // Servers answer HEAD by what they have for GET (RFC 9110 §9.3.2).
        let head = (request.method == b"HEAD").then_some(Cow::Borrowed(&b"GET"[..]));
        [Some(given), folded.then(|| upper(request.method)), named.map(upper), head]
    })
}

/// The readings of a path beside the usual one: few, whatever the path is.
struct Paths<'a> {
    others: Vec<OtherPath<'a>>,
    encoded_slash: bool,
}

/// A path as some server reads it.
struct OtherPath<'a> {
    path: Cow<'a, [u8]>,
    decoded: bool,
    why: Why,
}

/// Why a path is read so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Escapes are compared as they are.
    Raw,
    /// Parameters are cut.
    Parameters,
    /// Encoded slashes are slashes.
    Slashes,
}

impl<'a> Paths<'a> {
    fn of(path: Option<&'a [u8]>) -> Self {
        let mut paths = Self { others: Vec::new(), encoded_slash: false };
        let Some(path) = path.filter(|path| path.iter().any(|byte| matches!(byte, b'%' | b';')))
        else {
            return paths;
        };
        if path.contains(&b'%') {
            paths.add(Cow::Borrowed(path), false, Why::Raw);
        }
        paths.cut(path, Why::Parameters);
        if let Some(read) = path::with_slashes(path) {
            paths.encoded_slash = true;
            paths.cut(&read, Why::Slashes);
            paths.add(Cow::Owned(read), true, Why::Slashes);
        }
        paths
    }

    /// Adds the path without its parameters, cut from each segment or from the first on.
    fn cut(&mut self, path: &[u8], why: Why) {
        if let Some(bare) = path::without_parameters(path) {
            self.add(Cow::Owned(bare), true, why);
        }
        if let Some(before) = path::before_parameters(path) {
            self.add(Cow::Owned(before.to_vec()), true, why);
        }
    }

    fn add(&mut self, path: Cow<'a, [u8]>, decoded: bool, why: Why) {
        self.others.push(OtherPath { path, decoded, why });
    }
}

impl OtherPath<'_> {
    /// The rule of a request that had `chosen` so far, and `found` where the path is read as usual;
    /// `None` where it is ambiguous.
    fn judge(
        &self,
        rules: &[Rule],
        reading: &Reading<'_>,
        found: Option<usize>,
        chosen: Option<usize>,
        strict: bool,
    ) -> Option<Option<usize>> {
        let other = match self.why {
            Why::Raw | Why::Parameters => first(rules, reading)?,
            // A rule that admits encoded slashes says that they are data. Only one that names the
            // path in which they are not contradicts it: one for any path always would.
            Why::Slashes => {
                let named = rules.iter().position(|rule| {
                    rule.fit(reading) != Fit::No && rule.matcher.names_path(reading)
                });
                match named {
                    None => return Some(chosen),
                    named => named,
                }
            }
        };
        match self.why {
            Why::Parameters if strict && other != found => None,
            _ => stricter(rules, chosen, other),
        }
    }
}

#[cfg(test)]
mod tests;
