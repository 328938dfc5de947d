//! Path patterns by the texts that a path must have: whole segments, and the beginning and end of one.

use std::borrow::Cow;

use super::candidates::{Candidates, Look};
use crate::lookup::{Groups, hash, mix};
use crate::request::path::decoded;
use crate::request::path_pattern::PathPattern;

/// The most segments of a path that are looked up.
const MOST_SEGMENTS: usize = 16;

/// The most forms; paths with further ones are listed under the literal segments that they begin with.
const MOST_FORMS: usize = 24;

/// The places of literal segments in a path, a bit for each.
type Places = u16;

/// Path patterns by numbers.
#[derive(Debug, Default)]
pub struct Paths {
    groups: Groups,
    /// The forms that occur.
    forms: Vec<Form>,
    /// The places that any of them has.
    places: Places,
    /// The longest literal segment.
    longest: usize,
}

/// Which texts of a pattern are looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Form {
    places: Places,
    part: Option<Part>,
}

/// A segment that is literal in part: its place, and the lengths of its beginning and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    place: usize,
    before: usize,
    after: usize,
}

/// The first segments of a path, with the hashes of some.
struct Segments<'p> {
    texts: [Option<&'p [u8]>; MOST_SEGMENTS],
    hashes: [Option<u64>; MOST_SEGMENTS],
}

impl Paths {
    /// Lists a pattern; `None`: all paths.
    #[cold]
    pub fn add(&mut self, path: Option<&PathPattern>, number: u32) {
        let mut form = Form::default();
        for (place, literal) in literals(path).into_iter().enumerate() {
            if let Some(literal) = literal {
                self.longest = self.longest.max(literal.len());
                form.places |= 1 << place;
            }
        }
        let parts = path.into_iter().flat_map(PathPattern::parts).take(MOST_SEGMENTS);
        form.part = parts.enumerate().find_map(|(place, part)| {
            let (before, after) = part?;
            let [before, after] = [before, after].map(|text| decoded(text).len());
            Some(Part { place, before, after })
        });
        let form = self.known(form);
        self.places |= form.places;
        let path = path.map(example).unwrap_or_default();
        if let Some(hash) = self.segments(&path).key(form) {
            self.groups.push(hash, number);
        }
    }

    /// This form, or one that asks for less if there are too many. It is known from now on.
    #[cold]
    fn known(&mut self, mut form: Form) -> Form {
        let mut forms = self.forms.iter();
        if self.forms.len() >= MOST_FORMS && !forms.any(|known| *known == form) {
            let beginning = form.places.trailing_ones();
            let places = Places::MAX.checked_shr(Places::BITS - beginning).unwrap_or(0);
            form = Form { places: form.places & places, part: None };
        }
        if !self.forms.contains(&form) {
            self.forms.push(form);
        }
        form
    }

    #[inline(never)]
    fn segments<'p>(&self, path: &'p [u8]) -> Segments<'p> {
        let (mut texts, mut hashes) = ([None; MOST_SEGMENTS], [None; MOST_SEGMENTS]);
        let given = path.strip_prefix(b"/").map(|path| path.split(|byte| *byte == b'/'));
        let places = texts.iter_mut().zip(&mut hashes).zip(0..);
        // A client can send long segments: one that is longer than any literal is not hashed. An encoded byte
        // takes three.
        let longest = self.longest.saturating_mul(3);
        for (((text, hash_of), place), given) in places.zip(given.into_iter().flatten()) {
            *text = Some(given);
            if self.places >> place & 1 == 1 && given.len() <= longest {
                *hash_of = Some(hash(&decoded(given)));
            }
        }
        Segments { texts, hashes }
    }
}

impl Look for Paths {
    fn look<'i>(&'i self, path: &[u8], found: &mut Candidates<'i>) {
        let segments = self.segments(path);
        for form in &self.forms {
            if let Some(hash) = segments.key(*form) {
                found.add(self.groups.of(hash));
            }
        }
    }
}

impl Segments<'_> {
    /// The hash of the texts of this form; `None` if one of them is absent.
    #[inline(never)]
    fn key(&self, form: Form) -> Option<u64> {
        let start = match form.part {
            None => form.places.into(),
            Some(part) => {
                let Part { place, before, after } = part;
                let hash = part.of(self.texts.get(place).copied().flatten()?)?;
                let lengths = [place, before, after].map(|n| u64::try_from(n).unwrap_or(0));
                lengths.into_iter().fold(mix(form.places.into(), hash), mix)
            }
        };
        let wanted = self.hashes.iter().enumerate();
        let wanted = wanted.filter(|(place, _)| form.places >> place & 1 == 1);
        wanted.map(|(_, hash)| *hash).try_fold(start, |all, hash| Some(mix(all, hash?)))
    }
}

impl Part {
    /// The hash of the beginning and end of a segment; `None` if nothing is left between them. It reads no
    /// more of the segment than both can take.
    fn of(self, segment: &[u8]) -> Option<u64> {
        let (before, after) = (self.before.saturating_mul(3), self.after.saturating_mul(3));
        let first = decoded(segment.get(..before).unwrap_or(segment));
        // A cut escape has no `%`, so that it changes none of the last bytes.
        let from = segment.len().saturating_sub(after);
        let last: Cow<'_, [u8]> = decoded(segment.get(from..)?);
        let last = last.get(last.len().checked_sub(self.after)?..)?;
        (segment.len() > self.before.saturating_add(self.after))
            .then_some(mix(hash(first.get(..self.before)?), hash(last)))
    }
}

/// The first segments of a pattern: their literal text, or `None` for a variable one. Empty segments at the
/// end are left out, because a comparison can ignore one.
fn literals(path: Option<&PathPattern>) -> Vec<Option<&[u8]>> {
    let all = path.into_iter().flat_map(PathPattern::literals);
    let mut segments: Vec<_> = all.take(MOST_SEGMENTS).collect();
    while segments.last().is_some_and(|last| last.is_some_and(<[u8]>::is_empty)) {
        segments.pop();
    }
    segments
}

/// A path that the patterns match which cover this one.
pub(super) fn example(path: &PathPattern) -> Vec<u8> {
    let mut text = Vec::new();
    for (literal, part) in path.literals().zip(path.parts()) {
        let (before, after) = part.unwrap_or_default();
        text.push(b'/');
        match literal {
            Some(literal) => text.extend(literal),
            None => text.extend([before, b"*", after].concat()),
        }
    }
    text
}
