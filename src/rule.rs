//! Rules: which requests need a token, and which limits they take from. First match wins.

mod path_pattern;

pub use path_pattern::{PathPattern, PathPatternError};

use crate::grant::Grant;
use crate::path;
use crate::payload::Guard;

/// One entry of `rules`.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The label in metrics, filter state and logs.
    pub name: String,
    /// Which requests it is for.
    pub matcher: Matcher,
    /// Whether a token is needed.
    pub auth: Auth,
    /// Indexes into `Policy::providers`; `None`: all.
    pub providers: Option<Vec<usize>>,
    /// Indexes into `Policy::limits`; all must have tokens.
    pub limits: Vec<usize>,
    /// How many tokens a request takes.
    pub cost: Cost,
    /// How many requests of one identity may be in flight; `None`: any number.
    pub concurrency: Option<u32>,
    /// What is asked of the body, and what counts its rows.
    pub payload: Option<Guard>,
    /// What the claims must hold, any entry; `None`: any valid token.
    pub allow: Option<Vec<Grant>>,
    /// The authorization header that the upstream gets in place of the caller's.
    pub upstream_authorization: Option<HeaderSecret>,
    /// Whether what it would refuse passes.
    pub dry_run: bool,
}

/// The value of a header that nobody but the upstream may see; it does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderSecret(String);

impl HeaderSecret {
    /// Takes a value that a header can carry.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for the header alone.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for HeaderSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeaderSecret")
    }
}

/// `cost`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cost {
    /// This, at least 1.
    Fixed(u64),
    /// What a request header says, see [`crate::quota_plan::cost`].
    Header {
        /// Lower case.
        name: String,
        /// The most that is charged.
        max: u64,
    },
    /// One for each row of the body, at least 1; the rule has a guard then.
    Rows {
        /// The most that one request may cost.
        max: u64,
    },
}

impl Cost {
    /// What a request costs at least.
    pub fn least(&self) -> u64 {
        match self {
            Self::Fixed(cost) => *cost,
            Self::Header { .. } | Self::Rows { .. } => 1,
        }
    }
}

/// `auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// A valid token or a refusal.
    Required,
    /// A valid token or none; a bad one is refused.
    Optional,
    /// Tokens are not looked at.
    None,
}

/// `match`, compiled: every given field must match, an absent one (`None`) matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    /// Any of these hosts.
    pub hosts: Option<Vec<HostPattern>>,
    /// Any of these paths.
    pub paths: Option<Vec<PathPattern>>,
    /// Any of these methods, byte for byte (RFC 9110 §9.1: methods are case-sensitive).
    pub methods: Option<Vec<String>>,
    /// All of these headers; empty asks for none.
    pub headers: Vec<HeaderPattern>,
}

/// An entry of `match.hosts`, lower case, without port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// This host.
    Exact(String),
    /// `*.suffix`, stored as `.suffix`: one or more labels before it.
    Suffix(String),
}

/// An entry of `match.headers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderPattern {
    /// Lower case.
    pub name: String,
    /// The exact value of the only header of that name; `None`: at least one is present.
    pub value: Option<String>,
}

/// The headers of a request, as far as rules ask for them.
pub trait HeaderLookup {
    /// The first value of a header; `name` is lower case.
    fn first(&self, name: &str) -> Option<&[u8]>;
    /// How many headers have that name.
    fn count(&self, name: &str) -> usize;
}

/// What a rule is chosen by.
#[derive(Clone, Copy)]
pub struct RequestLine<'a> {
    /// `:authority`, with or without a port.
    pub host: Option<&'a [u8]>,
    /// `:path` without its query ([`crate::path::without_query`]).
    pub path: Option<&'a [u8]>,
    /// `:method`.
    pub method: &'a [u8],
    /// All other headers.
    pub headers: &'a dyn HeaderLookup,
}

/// Which rule a request falls under.
#[derive(Debug)]
pub enum Choice<'r> {
    /// No rule matches.
    None,
    /// This one, and its index.
    One(usize, &'r Rule),
    /// The path has parameters (`/a;x/b`), and the rule depends on whether the upstream reads them.
    Ambiguous,
}

/// Finds the rule of a request: the first that matches.
///
/// A path with parameters is matched as given and without them (CVE-2026-73511). Where the two
/// differ, `strict` calls the path ambiguous; otherwise a rule that requires a token applies if it
/// matches either, and one that does not only if it matches both.
pub fn choose<'r>(rules: &'r [Rule], given: &RequestLine<'_>, strict: bool) -> Choice<'r> {
    let first = |line: &RequestLine<'_>| rules.iter().position(|rule| rule.is_for(line));
    let index = match given.path.and_then(path::without_parameters) {
        None => first(given),
        Some(bare) => {
            let bare = RequestLine { path: Some(&bare), ..*given };
            match strict {
                true if first(given) != first(&bare) => return Choice::Ambiguous,
                true => first(given),
                false => rules.iter().position(|rule| match rule.auth {
                    Auth::Required => rule.is_for(given) || rule.is_for(&bare),
                    Auth::Optional | Auth::None => rule.is_for(given) && rule.is_for(&bare),
                }),
            }
        }
    };
    match index.and_then(|index| Some((index, rules.get(index)?))) {
        Some((index, rule)) => Choice::One(index, rule),
        None => Choice::None,
    }
}

impl Rule {
    /// Whether the rule is for this request. One that opens the way without a token asks for a
    /// request that names a host and a path: `CONNECT`, `OPTIONS *` and HTTP/1.0 without a host pass
    /// no such rule, even if it asks for neither.
    fn is_for(&self, request: &RequestLine<'_>) -> bool {
        let whole = request.path.is_some_and(|path| path.starts_with(b"/"))
            && request.host.is_some_and(|host| !host.is_empty());
        (whole || self.auth == Auth::Required) && self.matcher.matches(request)
    }
}

impl HostPattern {
    /// Whether a host, without port and trailing dot, fits; ASCII case is ignored.
    fn matches(&self, host: &[u8]) -> bool {
        match self {
            Self::Exact(name) => host.eq_ignore_ascii_case(name.as_bytes()),
            Self::Suffix(suffix) => host
                .len()
                .checked_sub(suffix.len())
                .and_then(|at| host.split_at_checked(at))
                .is_some_and(|(labels, end)| {
                    end.eq_ignore_ascii_case(suffix.as_bytes())
                        && !labels.is_empty()
                        && labels.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
                }),
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Exact(name)) => self.matches(name.as_bytes()),
            (Self::Suffix(wide), Self::Suffix(narrow)) => narrow.ends_with(wide.as_str()),
            (Self::Exact(_), Self::Suffix(_)) => false,
        }
    }
}

/// The host of an authority: port and one trailing dot are cut, an IPv6 literal keeps its brackets
/// (RFC 3986 §3.2.2). `None` when what follows the host is no port.
fn host_of(authority: &[u8]) -> Option<&[u8]> {
    let end = match authority.first() {
        Some(b'[') => authority.iter().position(|b| *b == b']')?.saturating_add(1),
        _ => authority.iter().position(|b| *b == b':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(end)?;
    match port.split_first() {
        None => {}
        Some((b':', digits)) if digits.iter().all(u8::is_ascii_digit) => {}
        Some(_) => return None,
    }
    Some(host.strip_suffix(b".").unwrap_or(host))
}

impl Matcher {
    /// Whether the rule is for this request. A part that the rule asks for and the request lacks
    /// never matches, so that a CONNECT without a path opens no rule for paths.
    pub fn matches(&self, request: &RequestLine<'_>) -> bool {
        let host = |patterns: &Vec<HostPattern>| {
            let host = request.host.and_then(host_of);
            host.is_some_and(|host| patterns.iter().any(|p| p.matches(host)))
        };
        let path = |patterns: &Vec<PathPattern>| {
            request.path.is_some_and(|path| patterns.iter().any(|p| p.matches(path)))
        };
        let method = |methods: &Vec<String>| methods.iter().any(|m| m.as_bytes() == request.method);
        self.paths.as_ref().is_none_or(path)
            && self.methods.as_ref().is_none_or(method)
            && self.hosts.as_ref().is_none_or(host)
            && self.headers.iter().all(|header| header.matches(request.headers))
    }

    /// Whether every request that `other` matches is surely matched by `self`. `false` means "not
    /// surely": used for a warning alone.
    pub fn covers(&self, other: &Self) -> bool {
        covers_all(&self.hosts, &other.hosts, HostPattern::covers)
            && covers_all(&self.paths, &other.paths, PathPattern::covers)
            && covers_all(&self.methods, &other.methods, |a, b| a == b)
            && self.headers.iter().all(|a| {
                let fits = |b: &HeaderPattern| {
                    a.name == b.name && (a.value.is_none() || a.value == b.value)
                };
                other.headers.iter().any(fits)
            })
    }
}

/// Whether each alternative of the second list lies inside one of the first.
fn covers_all<T>(
    wide: &Option<Vec<T>>,
    narrow: &Option<Vec<T>>,
    covers: fn(&T, &T) -> bool,
) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => narrow.iter().all(|n| wide.iter().any(|w| covers(w, n))),
    }
}

impl HeaderPattern {
    /// A header that appears twice never equals a value: a backend may read the other one.
    fn matches(&self, headers: &dyn HeaderLookup) -> bool {
        match &self.value {
            None => headers.count(&self.name) > 0,
            Some(value) => {
                headers.count(&self.name) == 1
                    && headers.first(&self.name) == Some(value.as_bytes())
            }
        }
    }
}

#[cfg(test)]
mod tests;
