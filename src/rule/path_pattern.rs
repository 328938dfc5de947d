//! Patterns of `match.paths`.

use crate::path::{self, Unit};

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
}

/// Why a text is not a pattern of `match.paths`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathPatternError {
    /// It does not begin with `/`.
    NoLeadingSlash,
    /// It holds `?` or `#`: queries and fragments are not compared.
    Query,
    /// A `*` stands beside other characters of a segment.
    PartialWildcard,
    /// `**` is not the last segment.
    RestNotLast,
}

impl std::fmt::Display for PathPatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoLeadingSlash => "must begin with `/`",
            Self::Query => "must not hold `?` or `#`: only the path is compared",
            Self::PartialWildcard => "has a `*` beside other characters; allowed: a whole segment",
            Self::RestNotLast => "has `**` before the end; allowed: the last segment",
        })
    }
}

impl PathPattern {
    /// Reads a pattern: `/score` is exact, a segment `*` is one segment that is not empty, a last
    /// segment `**` is any rest. `/v1/**` matches `/v1`, `/v1/` and everything below.
    pub fn parse(text: &str) -> Result<Self, PathPatternError> {
        let path = text.strip_prefix('/').ok_or(PathPatternError::NoLeadingSlash)?;
        if path.contains(['?', '#']) {
            return Err(PathPatternError::Query);
        }
        let (path, rest) = match path.strip_suffix("**") {
            Some("") => return Ok(Self { segments: Vec::new(), rest: true }),
            Some(before) => {
                (before.strip_suffix('/').ok_or(PathPatternError::PartialWildcard)?, true)
            }
            None => (path, false),
        };
        let segments = path.split('/').map(Segment::parse).collect::<Result<_, _>>()?;
        Ok(Self { segments, rest })
    }

    /// Whether a path, without query, fits.
    pub(super) fn matches(&self, path: &[u8]) -> bool {
        let Some((b'/', path)) = path.split_first() else { return false };
        let mut given = path.split(|byte| *byte == b'/');
        for segment in &self.segments {
            match given.next() {
                Some(text) if segment.matches(text) => {}
                _ => return false,
            }
        }
        self.rest || given.next().is_none()
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
        match text {
            "*" => Ok(Self::Any),
            "**" => Err(PathPatternError::RestNotLast),
            _ if text.contains('*') => Err(PathPatternError::PartialWildcard),
            _ => Ok(Self::Literal(text.as_bytes().to_vec())),
        }
    }

    fn matches(&self, given: &[u8]) -> bool {
        match self {
            Self::Any => !given.is_empty(),
            Self::Literal(literal) if literal == given => true,
            // Only an encoded byte lets two different texts mean the same.
            Self::Literal(literal) => {
                (given.contains(&b'%') || literal.contains(&b'%'))
                    && path::units(literal).map(fold).eq(path::units(given).map(fold))
            }
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, Self::Any) => true,
            (Self::Any, Self::Literal(text)) => !text.is_empty(),
            (Self::Literal(_), Self::Any) => false,
            (Self::Literal(_), Self::Literal(text)) => self.matches(text),
        }
    }
}

/// A broken `%` compares as the character that it is.
fn fold(unit: Unit) -> Unit {
    match unit {
        Unit::Broken(byte) => Unit::Byte(byte),
        other => other,
    }
}
