//! `match`: which requests a rule is for, by host, path, method and headers.

use super::header_pattern::{Fit, HeaderPattern};
use super::headers::Headers;
use super::host::Authority;
use super::path_pattern::{Comparison, PathPattern};

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
    /// `:path` without its query ([`super::path::without_query`]).
    pub path: Option<&'a [u8]>,
    /// `:method`.
    pub method: &'a [u8],
    /// All other headers.
    pub headers: &'a Headers,
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
    pub headers: &'a Headers,
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
    pub fn names_path(&self, request: &Reading<'_>) -> bool {
        let paths = self.paths.as_ref();
        paths.is_some_and(|paths| self.any_path(paths, request, PathPattern::is_narrow))
    }

    /// Whether a method of the rule is this one.
    pub fn names_method(&self, method: &[u8]) -> bool {
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
pub(crate) mod tests;
