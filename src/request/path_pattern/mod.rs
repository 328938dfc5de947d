//! Patterns of `match.paths`.

use memchr::memchr;

use super::path::{self, Unit};

/// An entry of `match.paths`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    segments: Vec<Segment>,
    /// The pattern ends with `**`.
    rest: bool,
}

/// What one segment of a path must be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// These bytes, once percent-encoding is undone on both sides.
    Literal(Vec<u8>),
    /// `*`: one segment that is not empty.
    Any,
    /// `*` beside plain text: something that is not empty between these.
    Part(Vec<u8>, Vec<u8>),
}

/// How a path is compared with a pattern.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison {
    /// Whether percent-encoding is undone first, or characters that need none must have none.
    pub(super) decoded: bool,
    /// Whether the case of ASCII letters is ignored.
    pub(super) ignore_case: bool,
    /// Whether one slash at the end of path or pattern is ignored.
    pub(super) ignore_trailing_slash: bool,
}

impl Comparison {
    const EXACT: Self = Self { decoded: true, ignore_case: false, ignore_trailing_slash: false };
}

/// Why a text is not a pattern of `match.paths`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathPatternError {
    /// It does not begin with `/`.
    NoLeadingSlash,
    /// It holds `?` or `#`: queries and fragments are not compared.
    Query,
    /// More than one `*` stands in a segment.
    SeveralWildcards,
    /// `**` is not the last segment.
    RestNotLast,
}

impl std::fmt::Display for PathPatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoLeadingSlash => "must begin with `/`",
            Self::Query => "must not hold `?` or `#`: only the path is compared",
            Self::SeveralWildcards => "has more than one `*` in a segment; allowed: one",
            Self::RestNotLast => "has `**` before the end; allowed: the last segment",
        })
    }
}

impl PathPattern {
    /// Reads a pattern: `/score` is exact, a segment `*` is one segment that is not empty, a `*`
    /// beside plain text is a part of one (`/models/*:predict`), a last segment `**` is any rest.
    /// `/v1/**` matches `/v1`, `/v1/` and everything below.
    pub fn parse(text: &str) -> Result<Self, PathPatternError> {
        let path = text.strip_prefix('/').ok_or(PathPatternError::NoLeadingSlash)?;
        if path.contains(['?', '#']) {
            return Err(PathPatternError::Query);
        }
        let (path, rest) = match path.strip_suffix("**") {
            Some("") => return Ok(Self { segments: Vec::new(), rest: true }),
            Some(before) => {
                (before.strip_suffix('/').ok_or(PathPatternError::SeveralWildcards)?, true)
            }
            None => (path, false),
        };
        let segments = path.split('/').map(Segment::parse).collect::<Result<_, _>>()?;
        Ok(Self { segments, rest })
    }

    /// Whether the pattern says more than "any path".
    pub(super) fn is_narrow(&self) -> bool {
        !self.segments.is_empty()
    }

    /// Whether a path, without query, fits.
    pub(super) fn matches(&self, path: &[u8], how: Comparison) -> bool {
        let Some((b'/', mut path)) = path.split_first() else { return false };
        let mut segments = self.segments.as_slice();
        if how.ignore_trailing_slash {
            path = path.strip_suffix(b"/").unwrap_or(path);
            segments = match segments.split_last() {
                Some((Segment::Literal(last), before)) if last.is_empty() && !before.is_empty() => {
                    before
                }
                _ => segments,
            };
        }
        // By whole words: a caller makes a segment long, and every pattern looks for its end.
        let mut rest = Some(path);
        for segment in segments {
            let Some(given) = rest else { return false };
            let end = memchr(b'/', given);
            let text = end.and_then(|at| given.get(..at)).unwrap_or(given);
            if !segment.matches(text, how) {
                return false;
            }
            rest = end.and_then(|at| given.get(at..)?.get(1..));
        }
        self.rest || rest.is_none()
    }

    /// Whether every path that `other` matches is matched by `self`.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let longer = other.segments.len() >= self.segments.len();
        let exact = other.segments.len() == self.segments.len() && !other.rest;
        let pairs = self.segments.iter().zip(&other.segments);
        (if self.rest { longer } else { exact }) && pairs.into_iter().all(|(a, b)| a.covers(b))
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, PathPatternError> {
        let bytes = |text: &str| text.as_bytes().to_vec();
        match (text, text.split_once('*')) {
            ("*", _) => Ok(Self::Any),
            ("**", _) => Err(PathPatternError::RestNotLast),
            (_, Some((_, after))) if after.contains('*') => Err(PathPatternError::SeveralWildcards),
            (_, Some((before, after))) => Ok(Self::Part(bytes(before), bytes(after))),
            (_, None) => Ok(Self::Literal(bytes(text))),
        }
    }

    fn matches(&self, given: &[u8], how: Comparison) -> bool {
        match self {
            Self::Any => !given.is_empty(),
            Self::Literal(literal) => {
                literal == given || {
                    // Only an encoded byte or a letter lets two different texts mean the same.
                    let may = how.ignore_case || given.contains(&b'%') || literal.contains(&b'%');
                    may && how.folded(literal).eq(how.folded(given))
                        && (how.decoded || path::is_canonical(given))
                }
            }
            Self::Part(before, after) => {
                let plain = || given.starts_with(before) && given.ends_with(after);
                how.between(given, before, after).is_some_and(|middle| !middle.is_empty())
                    && (how.decoded || plain() || path::is_canonical(given))
            }
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, Self::Any | Self::Part(..)) => true,
            (Self::Any, Self::Literal(text)) => !text.is_empty(),
            (_, Self::Literal(text)) => self.matches(text, Comparison::EXACT),
            (Self::Part(..) | Self::Literal(_), Self::Any) => false,
            (Self::Literal(_), Self::Part(..)) => false,
            (Self::Part(before, after), Self::Part(start, end)) => {
                start.starts_with(before) && end.ends_with(after)
            }
        }
    }
}

impl Comparison {
    /// A segment as it is compared.
    fn folded(self, segment: &[u8]) -> impl Iterator<Item = Unit> {
        path::units(segment).map(move |unit| self.fold(unit))
    }

    /// A unit as it is compared. A broken `%` compares as the character that it is.
    fn fold(self, unit: Unit) -> Unit {
        match unit {
            Unit::Byte(byte) | Unit::Broken(byte) if self.ignore_case => {
                Unit::Byte(byte.to_ascii_lowercase())
            }
            Unit::Broken(byte) => Unit::Byte(byte),
            other => other,
        }
    }

    /// What stands between two texts of which one begins and the other ends a segment. Of the
    /// segment, which a caller makes as long as it likes, no more is read than the texts are long:
    /// any number of patterns may ask for it.
    fn between<'a>(self, segment: &'a [u8], before: &[u8], after: &[u8]) -> Option<&'a [u8]> {
        let mut middle = segment;
        for wanted in path::units(before) {
            let (unit, rest) = path::first_unit(middle)?;
            middle = (self.fold(unit) == self.fold(wanted)).then_some(rest)?;
        }
        let mut after = after;
        while let Some((wanted, text)) = path::last_unit(after) {
            let (unit, rest) = path::last_unit(middle)?;
            middle = (self.fold(unit) == self.fold(wanted)).then_some(rest)?;
            after = text;
        }
        Some(middle)
    }
}
