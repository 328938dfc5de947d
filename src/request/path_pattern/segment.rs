//! One segment of a path pattern, and how it is compared.

use super::error::PathPatternError;
use crate::request::path::{self, Unit};

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// These bytes, compared after decoding on both sides.
    Literal(Vec<u8>),
    /// `*`: any segment that is not empty.
    Any,
    /// `*` beside plain text: any text that is not empty between these two.
    Part(Vec<u8>, Vec<u8>),
}

/// How a path is compared with a pattern.
#[derive(Clone, Copy, Debug)]
pub(in crate::request) struct Comparison {
    /// Whether the path is decoded first; otherwise only characters that need it may be encoded.
    pub(in crate::request) decoded: bool,
    /// Whether the case of ASCII letters is ignored.
    pub(in crate::request) ignore_case: bool,
    /// Whether one slash at the end of path or pattern is ignored.
    pub(in crate::request) ignore_trailing_slash: bool,
}

impl Comparison {
    const EXACT: Self = Self { decoded: true, ignore_case: false, ignore_trailing_slash: false };
}

impl Segment {
    /// Parses a segment, and the name of its variable part if it has one.
    pub(super) fn parse(text: &str) -> Result<(Self, Option<&str>), PathPatternError> {
        let (before, after, name) = match text.split_once('{') {
            Some((before, rest)) => {
                let (name, after) = rest.split_once('}').ok_or(PathPatternError::Brace)?;
                let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
                if name.is_empty() || !name.bytes().all(fits) {
                    return Err(PathPatternError::SegmentName);
                }
                (before, after, Some(name))
            }
            None => match text.split_once('*') {
                _ if text == "**" => return Err(PathPatternError::RestNotLast),
                Some((before, after)) => (before, after, None),
                None if text.contains('}') => return Err(PathPatternError::Brace),
                None => return Ok((Self::Literal(text.as_bytes().to_vec()), None)),
            },
        };
        if [before, after].iter().any(|plain| plain.contains(['*', '{'])) {
            return Err(PathPatternError::SeveralWildcards);
        }
        if [before, after].iter().any(|plain| plain.contains('}')) {
            return Err(PathPatternError::Brace);
        }
        let segment = match (before, after) {
            ("", "") => Self::Any,
            _ => Self::Part(before.as_bytes().to_vec(), after.as_bytes().to_vec()),
        };
        Ok((segment, name))
    }

    /// The text that the variable part of this segment stands for.
    pub(super) fn variable<'a>(&self, given: &'a [u8], how: Comparison) -> Option<&'a [u8]> {
        match self {
            Self::Any => Some(given),
            Self::Part(before, after) => how.between(given, before, after),
            Self::Literal(_) => None,
        }
    }

    /// The text of a segment without a variable part.
    pub(super) fn literal(&self) -> Option<&[u8]> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Any | Self::Part(..) => None,
        }
    }

    /// The beginning and end of a segment that is literal in part.
    pub(super) fn part(&self) -> Option<(&[u8], &[u8])> {
        match self {
            Self::Part(before, after) => Some((before, after)),
            Self::Literal(_) | Self::Any => None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.literal().is_some_and(<[u8]>::is_empty)
    }

    pub(super) fn matches(&self, given: &[u8], how: Comparison) -> bool {
        match self {
            Self::Any => !given.is_empty(),
            Self::Literal(literal) => {
                literal == given || {
                    // Two different texts can only be equal if a byte is encoded or case is ignored.
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

    pub(super) fn covers(&self, other: &Self) -> bool {
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
    /// The units of a segment in the form in which they are compared.
    fn folded(self, segment: &[u8]) -> impl Iterator<Item = Unit> {
        path::units(segment).map(move |unit| self.fold(unit))
    }

    /// A unit in the form in which it is compared. A broken `%` is an ordinary character.
    fn fold(self, unit: Unit) -> Unit {
        match unit {
            Unit::Byte(byte) | Unit::Broken(byte) if self.ignore_case => {
                Unit::Byte(byte.to_ascii_lowercase())
            }
            Unit::Broken(byte) => Unit::Byte(byte),
            other => other,
        }
    }

    /// The part of a segment between a text at its beginning and a text at its end. It reads no more
    /// of the segment than the length of both texts, because a client can send a long segment and many
    /// patterns can search it.
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
