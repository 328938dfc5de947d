//! Patterns of `match.paths`.

mod error;
mod segment;

pub use error::PathPatternError;
pub(super) use segment::Comparison;
use segment::Segment;

use super::path::decoded;
use crate::bytes::find;

/// An entry of `match.paths`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    segments: Vec<Segment>,
    /// The names of segments, with their places in `segments`.
    names: Vec<(String, usize)>,
    /// Whether the pattern ends with `**`.
    rest: bool,
}

impl PathPattern {
    /// Parses a pattern: `/score` is exact, a segment `*` is any segment that is not empty, a `*` beside
    /// plain text is a part of a segment (`/models/*:predict`), `{name}` is a `*` whose text has a name,
    /// and a last segment `**` is any rest. `/v1/**` matches `/v1`, `/v1/` and everything below.
    pub fn parse(text: &str) -> Result<Self, PathPatternError> {
        let path = text.strip_prefix('/').ok_or(PathPatternError::NoLeadingSlash)?;
        if path.contains(['?', '#']) {
            return Err(PathPatternError::Query);
        }
        let (path, rest) = match path.strip_suffix("**") {
            Some("") => return Ok(Self { segments: Vec::new(), names: Vec::new(), rest: true }),
            Some(before) => {
                (before.strip_suffix('/').ok_or(PathPatternError::SeveralWildcards)?, true)
            }
            None => (path, false),
        };
        let mut segments = Vec::new();
        let mut names: Vec<(String, usize)> = Vec::new();
        for (place, text) in path.split('/').enumerate() {
            let (segment, name) = Segment::parse(text)?;
            segments.push(segment);
            let Some(name) = name else { continue };
            if names.iter().any(|(other, _)| other == name) {
                return Err(PathPatternError::SameName);
            }
            names.push((name.to_owned(), place));
        }
        Ok(Self { segments, names, rest })
    }

    /// The names of its segments.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_str())
    }

    /// The text of a named segment in a path that the pattern matches.
    pub(super) fn named<'p>(
        &self,
        name: &str,
        path: &'p [u8],
        how: Comparison,
    ) -> Option<&'p [u8]> {
        let (_, place) = self.names.iter().find(|(other, _)| other == name)?;
        self.variable(*place, path, how)
    }

    /// Whether a named segment contains a `;`, `?` or `#`, encoded or not.
    pub(super) fn ends_early(&self, path: &[u8], how: Comparison) -> bool {
        let is_end = |byte: &u8| matches!(byte, b';' | b'?' | b'#');
        let text = |(_, place): &(String, usize)| self.variable(*place, path, how);
        self.names.iter().filter_map(text).any(|text| decoded(text).iter().any(is_end))
    }

    #[inline(never)]
    fn variable<'p>(&self, place: usize, path: &'p [u8], how: Comparison) -> Option<&'p [u8]> {
        let text = path.split(|byte| *byte == b'/').nth(place.saturating_add(1))?;
        self.segments.get(place)?.variable(text, how)
    }

    /// The segments in order: their literal text, or `None` for a variable one.
    pub(super) fn literals(&self) -> impl Iterator<Item = Option<&[u8]>> {
        self.segments.iter().map(Segment::literal)
    }

    /// The segments in order: the beginning and end of one that is literal in part.
    pub(super) fn parts(&self) -> impl Iterator<Item = Option<(&[u8], &[u8])>> {
        self.segments.iter().map(Segment::part)
    }

    /// Whether the pattern does not match every path.
    pub(super) fn is_narrow(&self) -> bool {
        !self.segments.is_empty()
    }

    /// Whether the pattern matches a path without its query.
    pub(super) fn matches(&self, path: &[u8], how: Comparison) -> bool {
        let Some((b'/', mut path)) = path.split_first() else { return false };
        let mut segments = self.segments.as_slice();
        if how.ignore_trailing_slash {
            path = path.strip_suffix(b"/").unwrap_or(path);
            segments = match segments.split_last() {
                Some((last, before)) if last.is_empty() && !before.is_empty() => before,
                _ => segments,
            };
        }
        // The search for the end is fast, because a client can send long segments and every pattern
        // searches them.
        let mut rest = Some(path);
        for segment in segments {
            let Some(given) = rest else { return false };
            let end = find(given, b'/');
            let text = end.and_then(|at| given.get(..at)).unwrap_or(given);
            if !segment.matches(text, how) {
                return false;
            }
            rest = end.and_then(|at| given.get(at..)?.get(1..));
        }
        self.rest || rest.is_none()
    }

    /// Whether the pattern matches every path that `other` matches.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let longer = other.segments.len() >= self.segments.len();
        let exact = other.segments.len() == self.segments.len() && !other.rest;
        let pairs = self.segments.iter().zip(&other.segments);
        (if self.rest { longer } else { exact }) && pairs.into_iter().all(|(a, b)| a.covers(b))
    }
}
