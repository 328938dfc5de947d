//! `match`: selects requests by host, path, method and headers.

pub mod index;
mod listed;

use super::header_pattern::{Fit, HeaderPattern};
use super::host_pattern::HostPattern;
use super::line::Reading;
use super::path;
use super::path_pattern::{Comparison, PathPattern};
pub use listed::{AnyOf, Pattern};

/// A compiled `match`: every field must match, and an absent field (`None`) matches all requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    /// Any of these hosts.
    pub hosts: Option<AnyOf<HostPattern>>,
    /// Any of these paths.
    pub paths: Option<AnyOf<PathPattern>>,
    /// Whether the case of ASCII letters in the path is ignored.
    pub ignore_case: bool,
    /// Whether a slash at the end of the path is ignored.
    pub ignore_trailing_slash: bool,
    /// Whether the rule admits an encoded slash; `None`: as in `ambiguous_paths`.
    pub encoded_slash: Option<bool>,
    /// Any of these methods; they are case-sensitive (RFC 9110 §9.1).
    pub methods: Option<Vec<String>>,
    /// All of these headers.
    pub headers: Vec<HeaderPattern>,
}

impl Matcher {
    /// Whether the request matches in every reading of its headers.
    pub fn matches(&self, request: &Reading<'_>) -> bool {
        self.fit(request) == Fit::Surely
    }

    /// How surely a request matches. A field matches no request that lacks the part it compares, so a
    /// CONNECT without a path matches no rule with paths.
    pub fn fit(&self, request: &Reading<'_>) -> Fit {
        let host = |patterns: &AnyOf<HostPattern>| {
            let host = request.host.unwrap_or_default();
            request.host.is_some() && patterns.find(host, |p| p.matches(host)).is_some()
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

    /// Whether a path other than `/**` matches.
    pub fn names_path(&self, request: &Reading<'_>) -> bool {
        let paths = self.paths.as_ref();
        paths.is_some_and(|paths| self.any_path(paths, request, PathPattern::is_narrow))
    }

    /// Whether the rule names this method.
    pub fn names_method(&self, method: &[u8]) -> bool {
        self.methods.iter().flatten().any(|name| name.as_bytes() == method)
    }

    fn any_path(
        &self,
        paths: &AnyOf<PathPattern>,
        request: &Reading<'_>,
        counts: fn(&PathPattern) -> bool,
    ) -> bool {
        let how = self.comparison(request.decoded);
        let matches = |path, p: &PathPattern| counts(p) && p.matches(path, how);
        request.path.is_some_and(|path| paths.find(path, |p| matches(path, p)).is_some())
    }

    /// The named segments of the patterns.
    pub fn segment_names(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().flatten().flat_map(PathPattern::names)
    }

    /// The text of a named segment, by the first pattern that matches the path and has the name. It is
    /// normalised (`path::normalised`), and in lower case if the case of paths is ignored: all
    /// spellings of one name are one text, and no two names are.
    pub fn segment(&self, name: &str, path: &[u8]) -> Option<String> {
        let how = self.comparison(true);
        let has = |pattern: &PathPattern| pattern.names().any(|own| own == name);
        let pattern = self.paths.as_ref()?.find(path, |p| has(p) && p.matches(path, how))?;
        Some(path::normalised(pattern.named(name, path, how)?, self.ignore_case))
    }

    /// Whether a named segment has another text for servers that end a segment or the path at a `;`,
    /// `?` or `#`, encoded or not.
    pub fn has_ambiguous_segment(&self, path: &[u8]) -> bool {
        let how = self.comparison(true);
        // The text is read only where the pattern matches: a client can send a long segment, and many
        // patterns can name it.
        let ends_early = |pattern: &PathPattern| {
            pattern.names().next().is_some()
                && pattern.matches(path, how)
                && pattern.ends_early(path, how)
        };
        self.paths.as_ref().is_some_and(|paths| paths.find(path, ends_early).is_some())
    }

    fn comparison(&self, decoded: bool) -> Comparison {
        let Self { ignore_case, ignore_trailing_slash, .. } = *self;
        Comparison { decoded, ignore_case, ignore_trailing_slash }
    }

    /// Whether `self` matches every request that `other` matches. `false` can also mean that this is
    /// unknown; the result is only used for a warning.
    pub fn covers(&self, other: &Self) -> bool {
        let foldings = |of: &Self| [of.ignore_case, of.ignore_trailing_slash];
        let mut pairs = foldings(self).into_iter().zip(foldings(other));
        (self.paths.is_none() || pairs.all(|(wide, narrow)| wide || !narrow))
            && covers_all(self.hosts.as_deref(), other.hosts.as_deref(), HostPattern::covers)
            && covers_all(self.paths.as_deref(), other.paths.as_deref(), PathPattern::covers)
            && covers_all(self.methods.as_deref(), other.methods.as_deref(), |a, b| a == b)
            && self.headers.iter().all(|a| {
                let fits = |b: &HeaderPattern| {
                    a.name == b.name && (a.value.is_none() || a.value == b.value)
                };
                other.headers.iter().any(fits)
            })
    }
}

/// Whether each alternative of the second list is covered by one of the first.
fn covers_all<T>(wide: Option<&[T]>, narrow: Option<&[T]>, covers: fn(&T, &T) -> bool) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => narrow.iter().all(|n| wide.iter().any(|w| covers(w, n))),
    }
}

#[cfg(test)]
pub(crate) mod tests;
