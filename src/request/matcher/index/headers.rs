//! Matchers by one of their headers: the one that the fewest others ask for.

use super::candidates::Candidates;
use crate::lookup::{Groups, hash, mix};
use crate::request::header_pattern::HeaderPattern;
use crate::request::headers::{Headers, fold, length_bit};

/// The hash of a header that must only be present begins with it, so that it differs from that of a value.
const PRESENT: u64 = 1;

/// Matchers by numbers.
#[derive(Debug, Default)]
pub struct ByHeader {
    groups: Groups,
    /// The matchers for all headers.
    any: Vec<u32>,
    /// The names in `groups`; the numbers mean nothing.
    names: Groups,
    /// The [`length_bit`]s of those names.
    lengths: u64,
    longest_value: usize,
}

impl ByHeader {
    /// Lists the matchers by their positions and headers.
    #[cold]
    pub(super) fn new<'m>(matchers: impl Iterator<Item = &'m [HeaderPattern]> + Clone) -> Self {
        let mut all = Groups::default();
        for (number, headers) in (0..).zip(matchers.clone()) {
            headers.iter().for_each(|header| all.push(key(header), number));
        }
        let mut index = Self::default();
        for (number, headers) in (0..).zip(matchers) {
            let rarest = headers.iter().min_by_key(|header| all.of(key(header)).len());
            match rarest {
                None => index.any.push(number),
                Some(header) => index.add(header, number),
            }
        }
        index
    }

    #[cold]
    fn add(&mut self, header: &HeaderPattern, number: u32) {
        let length = u64::try_from(header.name.len()).unwrap_or(u64::MAX);
        self.lengths |= length_bit(length);
        self.longest_value = self.longest_value.max(header.value.as_ref().map_or(0, String::len));
        self.names.push(name_hash(header.name.as_bytes()), 0);
        self.groups.push(key(header), number);
    }

    /// Whether any matcher has a header.
    pub(super) fn any(&self) -> bool {
        self.lengths != 0
    }

    /// Finds the matchers that may match in a reading of these headers: by a value, or an item of it if it is a
    /// list.
    pub(super) fn look<'i>(&'i self, headers: &Headers, found: &mut Candidates<'i>) {
        found.add(&self.any);
        for (name, value) in headers.of_lengths(self.lengths) {
            let name = name_hash(name);
            if self.names.of(name).is_empty() {
                continue;
            }
            found.add(self.groups.of(mix(PRESENT, name)));
            self.look_value(name, value, found);
            // As rules compare them: also without spaces around them.
            for item in value.split(|byte| *byte == b',') {
                self.look_value(name, item.trim_ascii(), found);
            }
        }
    }

    #[inline(never)]
    fn look_value<'i>(&'i self, name: u64, value: &[u8], found: &mut Candidates<'i>) {
        if value.len() <= self.longest_value {
            found.add(self.groups.of(mix(name, hash(value))));
        }
    }
}

/// The hash of a name, which is the same for all spellings.
fn name_hash(name: &[u8]) -> u64 {
    name.iter().fold(0, |hash, byte| mix(hash, fold(*byte).into()))
}

fn key(header: &HeaderPattern) -> u64 {
    let name = name_hash(header.name.as_bytes());
    match &header.value {
        None => mix(PRESENT, name),
        Some(value) => mix(name, hash(value.as_bytes())),
    }
}
