//! Finds the matchers that may match a request, however many there are.
//!
//! A matcher is listed under the texts that a request must have: the literal segments of its paths, at
//! their places, and its hosts. A request is looked up under each set of places that occurs, and under
//! each end of its host. What is found may match, and what is not found matches in no reading: the
//! caller decides with [`Matcher::fit`].

use super::Matcher;
use crate::lookup::{Groups, hash, mix};
use crate::request::host_pattern::HostPattern;
use crate::request::line::Reading;
use crate::request::path::decoded;
use crate::request::path_pattern::PathPattern;

/// The most segments of a path that are looked up.
const MOST_SEGMENTS: usize = 8;

/// The most sets of places; paths with further ones are listed under the literal segments that they begin
/// with.
const MOST_PLACES: usize = 16;

/// The most lists for the path of a request: the sets above, and the beginnings of each length.
const MOST_PATH_LISTS: usize = MOST_PLACES + MOST_SEGMENTS + 1;

/// The most labels at the end of a host that are looked up.
const MOST_LABELS: usize = 8;

/// The most lists for the host of a request: each end of it, the whole, and the matchers for all hosts.
const MOST_HOST_LISTS: usize = MOST_LABELS + 2;

/// The places of literal segments in a path, a bit for each.
type Places = u8;

/// The hash of a whole host begins with it, so that it differs from that of an end.
const WHOLE: u64 = 1;

/// The matchers of a list by what a request must have.
#[derive(Debug, Default)]
pub struct Index {
    by_path: Groups,
    /// The sets of places that occur.
    places: Vec<Places>,
    longest_segment: usize,
    by_host: Groups,
    any_host: Vec<u32>,
    longest_host: usize,
}

impl Index {
    /// Lists the matchers by their positions.
    pub fn new<'m>(matchers: impl Iterator<Item = &'m Matcher>) -> Self {
        let mut index = Self::default();
        for (number, matcher) in (0..).zip(matchers) {
            match &matcher.paths {
                None => index.add_path(&[], number),
                Some(paths) => {
                    paths.iter().for_each(|path| index.add_path(&literals(path), number));
                }
            }
            match &matcher.hosts {
                None => index.any_host.push(number),
                Some(hosts) => hosts.iter().for_each(|host| index.add_host(host, number)),
            }
        }
        index
    }

    fn add_path(&mut self, literals: &[Option<&[u8]>], number: u32) {
        let mut hashes = [None; MOST_SEGMENTS];
        let mut places = 0;
        for ((at, hash_of), literal) in (0..).zip(&mut hashes).zip(literals) {
            let Some(literal) = literal else { continue };
            let text = decoded(literal);
            self.longest_segment = self.longest_segment.max(text.len());
            *hash_of = Some(hash(&text));
            places |= 1 << at;
        }
        if !self.places.contains(&places) {
            if self.places.len() >= MOST_PLACES {
                let beginning = places.trailing_ones();
                places &= Places::MAX.checked_shr(Places::BITS - beginning).unwrap_or(0);
            }
            if !self.places.contains(&places) {
                self.places.push(places);
            }
        }
        if let Some(hash) = key(places, &hashes) {
            self.by_path.push(hash, number);
        }
    }

    fn add_host(&mut self, host: &HostPattern, number: u32) {
        let (start, text) = match host {
            HostPattern::Exact(name) => (WHOLE, name.as_bytes()),
            HostPattern::Suffix(suffix) => match ends(suffix.as_bytes()).last() {
                Some(end) => (0, end),
                None => return self.any_host.push(number),
            },
        };
        self.longest_host = self.longest_host.max(text.len());
        self.by_host.push(mix(start, hash(text)), number);
    }

    /// The positions of the matchers that may match, in order.
    pub fn candidates(&self, request: &Reading<'_>) -> Candidates<'_> {
        self.find(request.host, request.path)
    }

    /// The positions of the matchers that may match all requests that `other` matches, in order: those
    /// that may match one of them.
    pub fn wider(&self, other: &Matcher) -> Candidates<'_> {
        let path = other.paths.as_ref().and_then(|paths| paths.first()).map(|path| {
            let segments: Vec<_> = path.literals().map(|text| text.unwrap_or(b"*")).collect();
            [b"/", segments.join(&b'/').as_slice()].concat()
        });
        let host = other.hosts.as_ref().and_then(|hosts| hosts.first()).map(|host| match host {
            HostPattern::Exact(name) => name.clone(),
            HostPattern::Suffix(suffix) => format!("*{suffix}"),
        });
        self.find(host.as_ref().map(String::as_bytes), path.as_deref())
    }

    fn find(&self, host: Option<&[u8]>, path: Option<&[u8]>) -> Candidates<'_> {
        let mut paths = Union::default();
        let hashes = self.hashes(path);
        for places in &self.places {
            if let Some(hash) = key(*places, &hashes) {
                paths.push(self.by_path.of(hash));
            }
        }
        let mut hosts = Union::default();
        hosts.push(&self.any_host);
        if let Some(host) = host {
            if host.len() <= self.longest_host {
                hosts.push(self.by_host.of(mix(WHOLE, hash(host))));
            }
            for end in ends(host).take_while(|end| end.len() <= self.longest_host) {
                hosts.push(self.by_host.of(mix(0, hash(end))));
            }
        }
        Candidates { paths, hosts, next: 0 }
    }

    /// The hashes of the first segments of a path. A client can send long segments: one that is longer
    /// than any literal has none.
    fn hashes(&self, path: Option<&[u8]>) -> [Option<u64>; MOST_SEGMENTS] {
        let mut hashes = [None; MOST_SEGMENTS];
        let path = path.and_then(|path| path.strip_prefix(b"/"));
        let segments = path.map(|path| path.split(|byte| *byte == b'/'));
        // An encoded byte takes three.
        let longest = self.longest_segment.saturating_mul(3);
        for (hash_of, segment) in hashes.iter_mut().zip(segments.into_iter().flatten()) {
            if segment.len() <= longest {
                *hash_of = Some(hash(&decoded(segment)));
            }
        }
        hashes
    }
}

/// The hash of the segments at these places; `None` if one of them is absent.
fn key(places: Places, hashes: &[Option<u64>; MOST_SEGMENTS]) -> Option<u64> {
    let wanted = (0..MOST_SEGMENTS).zip(hashes).filter(|(at, _)| places >> at & 1 == 1);
    wanted.map(|(_, hash)| *hash).try_fold(places.into(), |all, hash| Some(mix(all, hash?)))
}

/// The first segments of a pattern: their literal text, or `None` for a variable one. Empty segments at the
/// end are left out, because a comparison can ignore one.
fn literals(path: &PathPattern) -> Vec<Option<&[u8]>> {
    let mut segments: Vec<_> = path.literals().take(MOST_SEGMENTS).collect();
    while segments.last().is_some_and(|last| last.is_some_and(<[u8]>::is_empty)) {
        segments.pop();
    }
    segments
}

/// The ends of a host that begin with a dot, the shortest first.
fn ends(host: &[u8]) -> impl Iterator<Item = &[u8]> {
    let dots = host.iter().enumerate().rev().filter(|(_, byte)| **byte == b'.');
    dots.take(MOST_LABELS).filter_map(|(at, _)| host.get(at..))
}

/// The positions of the matchers that may match a request, in order.
pub struct Candidates<'i> {
    paths: Union<'i, MOST_PATH_LISTS>,
    hosts: Union<'i, MOST_HOST_LISTS>,
    next: u32,
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            let path = self.paths.first_from(self.next)?;
            let host = self.hosts.first_from(path)?;
            if host == path {
                self.next = path.saturating_add(1);
                return usize::try_from(path).ok();
            }
            self.next = host;
        }
    }
}

/// The numbers that are in any of some ascending lists.
struct Union<'i, const N: usize> {
    lists: [&'i [u32]; N],
    used: usize,
}

impl<const N: usize> Default for Union<'_, N> {
    fn default() -> Self {
        Self { lists: [&[]; N], used: 0 }
    }
}

impl<'i, const N: usize> Union<'i, N> {
    fn push(&mut self, list: &'i [u32]) {
        if list.is_empty() {
            return;
        }
        if let Some(free) = self.lists.get_mut(self.used) {
            *free = list;
            self.used = self.used.saturating_add(1);
        }
    }

    /// The least number that is not below `from`. Later calls ask for no lower ones.
    fn first_from(&mut self, from: u32) -> Option<u32> {
        let mut least = None;
        for list in self.lists.iter_mut().take(self.used) {
            let below = match list.first() {
                Some(first) if *first < from => list.partition_point(|number| *number < from),
                _ => 0,
            };
            *list = list.get(below..).unwrap_or_default();
            if let Some(first) = list.first() {
                least = Some(least.map_or(*first, |least: u32| least.min(*first)));
            }
        }
        least
    }
}

#[cfg(test)]
pub(crate) mod tests;
