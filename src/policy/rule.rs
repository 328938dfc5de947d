//! Rules: which requests need a token, and which limits they take from. First match wins.

mod choice;
mod header_pattern;
mod order;
mod path_pattern;
mod secret;

pub use choice::{Ambiguity, Choice, METHOD_OVERRIDES, choose};
pub use header_pattern::{Fit, HeaderLookup, HeaderPattern};
pub use path_pattern::{PathPattern, PathPatternError};
pub use secret::{HeaderSecret, LENT_HEADER};

use crate::body::Guard;
use crate::caller::grant::Grant;
use crate::request::host::Authority;
use path_pattern::Comparison;

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

/// `cost`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cost {
    /// This, at least 1.
    Fixed(u64),
    /// What a request header says, see [`crate::limit::plan::cost`].
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
    /// Whether ASCII letters of the path compare without regard to case.
    pub ignore_case: bool,
    /// Whether a path and the same with a final slash are one.
    pub ignore_trailing_slash: bool,
    /// Whether the rule admits an encoded slash; `None`: as `ambiguous_paths` says.
    pub encoded_slash: Option<bool>,
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

/// What a rule is chosen by.
#[derive(Clone, Copy)]
pub struct RequestLine<'a> {
    /// `:authority`; `None` where the request names no host.
    pub authority: Option<Authority<'a>>,
    /// `:path` without its query ([`crate::request::path::without_query`]).
    pub path: Option<&'a [u8]>,
    /// `:method`.
    pub method: &'a [u8],
    /// All other headers.
    pub headers: &'a dyn HeaderLookup,
}

/// A request line as one server reads it.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// What is compared with hosts.
    pub host: Option<&'a [u8]>,
    /// What is compared with paths.
    pub path: Option<&'a [u8]>,
    /// Whether `%41` is `A` in the path (RFC 3986 §6.2.2.2), or another path, as for routes of Envoy.
    pub decoded: bool,
    /// What is compared with methods.
    pub method: &'a [u8],
    /// All other headers.
    pub headers: &'a dyn HeaderLookup,
}

impl<'a> RequestLine<'a> {
    /// The usual reading: the host without port and final dot, the path decoded.
    pub fn reading(&self) -> Reading<'a> {
        Reading {
            host: self.authority.map(|authority| authority.host()),
            path: self.path,
            decoded: true,
            method: self.method,
            headers: self.headers,
        }
    }
}

impl Rule {
    /// How the request fits. A rule that opens the way without a token asks for a request that names
    /// a host and a path: `CONNECT`, `OPTIONS *` and HTTP/1.0 without a host pass no such rule, even
    /// if it asks for neither.
    fn fit(&self, request: &Reading<'_>) -> Fit {
        let whole =
            request.path.is_some_and(|path| path.starts_with(b"/")) && request.host.is_some();
        match whole || self.auth == Auth::Required {
            true => self.matcher.fit(request),
            false => Fit::No,
        }
    }

    /// Whether a request may use this method by the rule. A rule must name a method that
    /// [`echoes`], and lend no key.
    pub fn admits_method(&self, method: &[u8]) -> bool {
        let named = || self.matcher.names_method(method) && self.upstream_authorization.is_none();
        !echoes(method) || named()
    }
}

/// Whether servers answer the method with what they received, and so with what the filter added:
/// `TRACE` (RFC 9110 §9.3.8) and its relative `TRACK`, in any letter case.
pub fn echoes(method: &[u8]) -> bool {
    [&b"TRACE"[..], b"TRACK"].iter().any(|name| method.eq_ignore_ascii_case(name))
}

impl HostPattern {
    /// Whether a host fits; ASCII case is ignored. A suffix takes whatever stands before it, as
    /// domains of Envoy's virtual hosts do.
    fn matches(&self, host: &[u8]) -> bool {
        match self {
            Self::Exact(name) => host.eq_ignore_ascii_case(name.as_bytes()),
            Self::Suffix(suffix) => host
                .len()
                .checked_sub(suffix.len())
                .and_then(|at| host.split_at_checked(at))
                .is_some_and(|(labels, end)| {
                    !labels.is_empty() && end.eq_ignore_ascii_case(suffix.as_bytes())
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

impl Matcher {
    /// Whether the rule is for a request that is read so, however its headers are read.
    pub fn matches(&self, request: &Reading<'_>) -> bool {
        self.fit(request) == Fit::Surely
    }

    /// How a request fits whose line is read so. A part that the rule asks for and the request lacks
    /// never matches, so that a CONNECT without a path opens no rule for paths.
    pub fn fit(&self, request: &Reading<'_>) -> Fit {
        let host = |patterns: &Vec<HostPattern>| {
            request.host.is_some_and(|host| patterns.iter().any(|p| p.matches(host)))
        };
        let line = self.paths.as_ref().is_none_or(|paths| self.any_path(paths, request, |_| true))
            && self.methods.as_ref().is_none_or(|_| self.names_method(request.method))
            && self.hosts.as_ref().is_none_or(host);
        if !line {
            return Fit::No;
        }
        let headers = self.headers.iter().map(|header| header.fit(request.headers));
        headers.min().unwrap_or(Fit::Surely)
    }

    /// Whether a path of the rule that says more than "any" fits.
    fn names_path(&self, request: &Reading<'_>) -> bool {
        let paths = self.paths.as_ref();
        paths.is_some_and(|paths| self.any_path(paths, request, PathPattern::is_narrow))
    }

    fn names_method(&self, method: &[u8]) -> bool {
        self.methods.iter().flatten().any(|name| name.as_bytes() == method)
    }

    fn any_path(
        &self,
        paths: &[PathPattern],
        request: &Reading<'_>,
        counts: fn(&PathPattern) -> bool,
    ) -> bool {
        let how = Comparison {
            decoded: request.decoded,
            ignore_case: self.ignore_case,
            ignore_trailing_slash: self.ignore_trailing_slash,
        };
        request.path.is_some_and(|path| paths.iter().any(|p| counts(p) && p.matches(path, how)))
    }

    /// Whether every request that `other` matches is surely matched by `self`. `false` means "not
    /// surely": used for a warning alone.
    pub fn covers(&self, other: &Self) -> bool {
        let foldings = |of: &Self| [of.ignore_case, of.ignore_trailing_slash];
        let mut pairs = foldings(self).into_iter().zip(foldings(other));
        (self.paths.is_none() || pairs.all(|(wide, narrow)| wide || !narrow))
            && covers_all(&self.hosts, &other.hosts, HostPattern::covers)
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

#[cfg(test)]
mod tests;
