//! The request's headers as the host hands them over: one buffer, read in place.

use crate::rule::HeaderLookup;

/// A header map in the proxy-wasm serialisation: a little-endian count, then the lengths of each
/// name and value, then the bytes, each name and value followed by NUL (proxy-wasm ABI 0.2.1).
///
/// One hostcall brings the whole map. That is cheaper than several single reads, and it is the
/// only way to see the spellings of a header that a backend might fold together.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    buffer: Vec<u8>,
}

impl Headers {
    /// Takes the host's buffer. A buffer that breaks off reads as the headers before the break.
    pub fn from_buffer(buffer: Vec<u8>) -> Self {
        Self { buffer }
    }

    /// Builds the serialisation from pairs: the form the host expects of us, too.
    pub fn from_pairs<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: &[(N, V)]) -> Self {
        let mut buffer = length(pairs.len()).to_vec();
        for (name, value) in pairs {
            buffer.extend(length(name.as_ref().len()));
            buffer.extend(length(value.as_ref().len()));
        }
        for (name, value) in pairs {
            for part in [name.as_ref(), value.as_ref()] {
                buffer.extend_from_slice(part);
                buffer.push(0);
            }
        }
        Self { buffer }
    }

    /// The serialised bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Every name and value in the order of the request, repeated headers repeatedly.
    pub fn iter(&self) -> Iter<'_> {
        let count = read_length(&self.buffer, 0).unwrap_or(0);
        let data = count.checked_mul(8).and_then(|lengths| lengths.checked_add(4));
        Iter { buffer: &self.buffer, at: 4, left: count, data: data.unwrap_or(usize::MAX) }
    }

    /// Every value of a header; `name` is lower case, as the host keeps them.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.iter().filter(move |(n, _)| *n == name.as_bytes()).map(|(_, value)| value)
    }

    /// The first value of a header; `name` is lower case.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }
}

impl HeaderLookup for Headers {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.value(name)
    }

    fn count(&self, name: &str) -> usize {
        self.all(name).count()
    }

    fn among(&self, names: &[&str]) -> (usize, Option<&[u8]>) {
        let same = |given: &[u8], name: &str| {
            let pairs = given.iter().zip(name.as_bytes());
            given.len() == name.len()
                && pairs.into_iter().all(|(a, b)| {
                    a.eq_ignore_ascii_case(b) || (*b == b'-' && !a.is_ascii_alphanumeric())
                })
        };
        let fits = |given: &[u8]| names.iter().any(|name| same(given, name));
        let mut found = self.iter().filter(|(given, _)| fits(given)).map(|(_, value)| value);
        let first = found.next();
        (usize::from(first.is_some()).saturating_add(found.count()), first)
    }
}

/// Walks the pairs of [`Headers`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    buffer: &'a [u8],
    at: usize,
    left: usize,
    data: usize,
}

impl<'a> Iter<'a> {
    fn part(&mut self) -> Option<&'a [u8]> {
        let size = read_length(self.buffer, self.at)?;
        let end = self.data.checked_add(size)?;
        let part = self.buffer.get(self.data..end)?;
        self.at = self.at.checked_add(4)?;
        self.data = end.checked_add(1)?;
        Some(part)
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some((self.part()?, self.part()?))
    }
}

fn read_length(buffer: &[u8], at: usize) -> Option<usize> {
    let bytes = buffer.get(at..at.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

/// Lengths beyond `u32` cannot come from a host whose maps are capped at 1 MiB.
fn length(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_survive_the_serialisation_with_repeats_and_any_byte() {
        let all: Vec<u8> = (0..=255).collect();
        let pairs: Vec<(&[u8], &[u8])> = vec![(b"a", b"1"), (b"b", &all), (b"a", b""), (b"", b"x")];
        let headers = Headers::from_pairs(&pairs);
        assert_eq!(headers.iter().collect::<Vec<_>>(), pairs);
        assert_eq!(headers.all("a").collect::<Vec<_>>(), [&b"1"[..], b""]);
        assert_eq!(headers.value("b"), Some(&all[..]));
        assert_eq!(headers.value("c"), None);
    }

    #[test]
    fn a_broken_buffer_ends_the_walk_and_never_panics() {
        let whole = Headers::from_pairs(&[("name", "value"), ("other", "thing")]);
        for cut in 0..whole.as_bytes().len() {
            let broken = Headers::from_buffer(whole.as_bytes()[..cut].to_vec());
            assert!(broken.iter().count() <= 2);
        }
        for at in 0..20 {
            for byte in [0x7f, 0xff] {
                let mut bytes = whole.as_bytes().to_vec();
                bytes[at] = byte;
                assert!(Headers::from_buffer(bytes).iter().count() <= 2);
            }
        }
    }
}
