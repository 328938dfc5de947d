//! Which rule a request falls under, whatever a server reads from its request line.
//!
//! Servers differ in what they take for the host, the path and the method of a request. Each way
//! to read them is a [`Reading`], and each has a first rule that matches. Where these are not one
//! rule, the request falls under the one that asks for everything that the others ask for; where
//! none does, it is ambiguous. So what a rule opens is open in every reading.

use std::borrow::Cow;
use std::rc::Rc;

use super::rule::Rule;
use super::rules::Rules;
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
    /// This one.
    One(&'r Rc<Rule>),
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
pub fn choose<'r>(rules: &'r Rules, request: &RequestLine<'_>, strict: bool) -> Choice<'r> {
    let paths = Paths::of(request.path);
    let Some(methods) = methods(rules, request) else {
        return Choice::Ambiguous(Ambiguity::Method);
    };
    let usual = request.reading();
    let mut so_far = None;
    for (index, method) in methods.iter().enumerate() {
        let Some(method) = method else { continue };
        // A rule for GET opens nothing for HEAD; it only closes what another rule would open.
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
                chosen = match other.judge(rules, &reading, found, chosen, strict) {
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

/// The rule of one reading; `None` where no rule matches.
type Found<'r> = Option<&'r Rc<Rule>>;

fn same(a: Found<'_>, b: Found<'_>) -> bool {
    a.map(Rc::as_ptr) == b.map(Rc::as_ptr)
}

/// The first rule that matches; where that depends on how headers are read, the one of them that asks
/// for all that the others ask for, and `None` where there is none.
fn first<'r>(rules: &'r Rules, reading: &Reading<'_>) -> Option<Found<'r>> {
    let mut chosen = None;
    for rule in rules.iter() {
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

/// Of the rules of two readings, the one that asks for all that the other asks for; `None` where
/// neither does. A rule that asks for a token and lends no key asks for more than no rule: it opens
/// nothing.
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

/// What a server compares with its hosts: the host alone, or the whole authority.
fn hosts<'a>(
    rules: &Rules,
    request: &RequestLine<'a>,
) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
    let host = request.authority.map(|authority| authority.host());
    let whole = request.authority.map(|authority| authority.whole());
    let other = whole != host && rules.names_hosts;
    std::iter::once(host).chain(other.then_some(whole))
}

/// What a server may take for the method: as it is written, in upper case (methods of HTTP/2 may be
/// lower case, and some servers fold them), as a header says, or `GET` for `HEAD`. `None` where
/// headers say several things, or a method that servers echo.
fn methods<'a>(rules: &Rules, request: &RequestLine<'a>) -> Option<[Option<Cow<'a, [u8]>>; 4]> {
    let given = Cow::Borrowed(request.method);
    if !rules.depends_on_method {
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
    fn judge<'r>(
        &self,
        rules: &'r Rules,
        reading: &Reading<'_>,
        found: Found<'r>,
        chosen: Found<'r>,
        strict: bool,
    ) -> Option<Found<'r>> {
        let other = match self.why {
            Why::Raw | Why::Parameters => first(rules, reading)?,
            // A rule that admits encoded slashes says that they are data. Only one that names the
            // path in which they are not contradicts it: one for any path always would.
            Why::Slashes => {
                let named = rules
                    .iter()
                    .find(|rule| rule.fit(reading) != Fit::No && rule.matcher.names_path(reading));
                match named {
                    None => return Some(chosen),
                    named => named,
                }
            }
        };
        match self.why {
            Why::Parameters if strict && !same(other, found) => None,
            _ => stricter(chosen, other),
        }
    }
}

#[cfg(test)]
mod tests;
