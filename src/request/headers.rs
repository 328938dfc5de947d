//! Header maps of the host, read in place.

use crate::bytes::equal;

/// A header map in the serialisation of proxy-wasm ABI 0.2.1: the number of headers, the lengths of
/// each name and value (all little-endian `u32`), and the bytes, with a NUL after each name and value.
///
/// One host call returns the whole map. This is cheaper than several calls, and the only way to see
/// the spellings of a header that a backend may treat as one.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    buffer: Vec<u8>,
}

impl Headers {
    /// Takes the buffer of the host. A truncated buffer has the headers before the break.
    pub fn from_buffer(buffer: Vec<u8>) -> Self {
        Self { buffer }
    }

    /// Serialises pairs, also for calls to the host.
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

    /// Every header in the order of the request, including repeated ones.
    pub fn iter(&self) -> Iter<'_> {
        let mut sizes = self.buffer.split_first_chunk();
        let count = sizes.map_or(0, |(count, _)| u32::from_le_bytes(*count));
        let (sizes, _) = sizes.take().map_or(&[][..], |(_, rest)| rest).as_chunks();
        let listed = usize::try_from(count).ok().and_then(|count| sizes.get(..count));
        Iter {
            buffer: &self.buffer,
            sizes: listed.unwrap_or(sizes).iter(),
            data: u64::from(count).wrapping_mul(8).wrapping_add(4),
        }
    }

    /// Every header whose name has this length. The others are passed over by their lengths alone.
    fn of_length(&self, length: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.iter();
        std::iter::from_fn(move || rest.next_of(length))
    }

    /// Every header whose name has a length of this set ([`length_bit`]).
    pub fn of_lengths(&self, lengths: u64) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.iter();
        std::iter::from_fn(move || {
            loop {
                let (name, value, start) = rest.step()?;
                if lengths & length_bit(name) != 0 {
                    return rest.at(name, value, start);
                }
            }
        })
    }

    /// Every value of a header; `name` is in lower case, like the names of the host.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.of_length(name.len())
            .filter(move |(given, _)| equal(given, name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The first value of a header; `name` is in lower case.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        let mut rest = self.iter();
        loop {
            let (given, value) = rest.next_of(name.len())?;
            if equal(given, name.as_bytes()) {
                return Some(value);
            }
        }
    }

    /// Every header that a server may read as this one ([`same_name`]), as received.
    pub fn spellings<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a, 'n> {
        self.of_length(name.len()).filter(move |(n, _)| same_name(n, name.as_bytes()))
    }

    /// The number of headers that a server may read as one of these names, and the value of the first.
    /// `names` are in lower case.
    pub fn among(&self, names: &[&str]) -> (usize, Option<&[u8]>) {
        let fits = |given: &[u8]| names.iter().any(|name| same_name(given, name.as_bytes()));
        let mut found = self.iter().filter(|(given, _)| fits(given)).map(|(_, value)| value);
        let first = found.next();
        (usize::from(first.is_some()).saturating_add(found.count()), first)
    }

    /// The headers without those whose names `gone` selects.
    pub fn without(&self, gone: impl Fn(&[u8]) -> bool) -> Self {
        Self::from_pairs(&self.iter().filter(|(name, _)| !gone(name)).collect::<Vec<_>>())
    }
}

/// The bit of a length of names; the last one stands for all longer names.
pub const fn length_bit(length: u64) -> u64 {
    1 << if length < 63 { length } else { 63 }
}

/// Whether a server may read one header name as the other.
///
/// CGI (RFC 3875 §4.1.18), WSGI, PHP and some gateways turn header names into variables. They ignore
/// case, and some (lighttpd) write `_` for every byte that is neither a letter nor a digit, so
/// `x_auth_subject`, `x.auth.subject` and `x~auth~subject` are one variable. None of them changes the
/// length of a name. A pseudo-header (`:path`) has one spelling.
pub fn same_name(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let pseudo = |name: &[u8]| name.first() == Some(&b':');
    equal(a, b)
        || (a.iter().zip(b).all(|(a, b)| a == b || fold(*a) == fold(*b))
            && !pseudo(a)
            && !pseudo(b))
}

/// A byte of a header name in the form in which names are compared.
pub const fn fold(byte: u8) -> u8 {
    match byte.is_ascii_alphanumeric() {
        true => byte.to_ascii_lowercase(),
        false => b'-',
    }
}

/// The iterator over [`Headers`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    buffer: &'a [u8],
    /// The lengths of the names and values that are left.
    sizes: std::slice::Iter<'a, [u8; 8]>,
    /// Where the next name begins. Lengths are `u32`, so that no sum of them overflows.
    data: u64,
}

impl<'a> Iter<'a> {
    /// The lengths of the next name and value, and where the name begins.
    fn step(&mut self) -> Option<(u64, u64, u64)> {
        let sizes = u64::from_le_bytes(*self.sizes.next()?);
        let (name, value, start) = (sizes & u64::from(u32::MAX), sizes >> 32, self.data);
        self.data = start.wrapping_add(name).wrapping_add(value).wrapping_add(2);
        Some((name, value, start))
    }

    /// The next header whose name has this length.
    fn next_of(&mut self, length: usize) -> Option<(&'a [u8], &'a [u8])> {
        let wanted = u64::try_from(length).ok()?;
        loop {
            let (name, value, start) = self.step()?;
            if name == wanted {
                return self.at(name, value, start);
            }
        }
    }

    fn at(&self, name: u64, value: u64, start: u64) -> Option<(&'a [u8], &'a [u8])> {
        let rest = self.buffer.get(usize::try_from(start).ok()?..)?;
        let (name, rest) = rest.split_at_checked(usize::try_from(name).ok()?)?;
        Some((name, rest.get(1..)?.get(..usize::try_from(value).ok()?)?))
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value, start) = self.step()?;
        self.at(name, value, start)
    }
}

/// A length in the serialisation. Maps of a host have at most 1 MiB, so no length exceeds `u32`.
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
    fn a_server_may_take_any_byte_that_is_no_letter_or_digit_for_another() {
        for byte in 0..=255_u8 {
            let name = [b"x", &[byte][..], b"auth"].concat();
            let folds = !byte.is_ascii_alphanumeric();
            assert_eq!(same_name(&name, b"x-auth"), folds, "{byte:#x}");
            assert_eq!(same_name(b"X_AUTH", &name), folds, "{byte:#x}");
        }
        for (a, b, same) in [
            ("x-auth", "X-Auth", true),
            ("", "", true),
            ("x-auth", "xauth", false),
            ("x-auth", "x--auth", false),
            ("x-auth", "x-auti", false),
            (":path", ":path", true),
            (":path", "-path", false),
            ("-path", ":path", false),
        ] {
            assert_eq!(same_name(a.as_bytes(), b.as_bytes()), same, "{a} {b}");
        }
    }

    #[test]
    fn every_spelling_of_a_header_is_found_in_its_order() {
        let pairs = [("x_a", "1"), ("x-b", "2"), ("x-a", "3"), ("X~A", "4"), (":a", "5")];
        let headers = Headers::from_pairs(&pairs);
        let found: Vec<_> = headers.spellings("x-a").collect();
        assert_eq!(found, [(&b"x_a"[..], &b"1"[..]), (b"x-a", b"3"), (b"X~A", b"4")]);
        let rest = headers.without(|name| same_name(name, b"x-a"));
        assert_eq!(rest.iter().collect::<Vec<_>>(), [(&b"x-b"[..], &b"2"[..]), (b":a", b"5")]);
    }

    #[test]
    fn a_look_up_finds_what_a_walk_finds_also_in_a_broken_buffer() {
        let names = ["", "a", "b", "x-a", "X-A", "x_a", "long-name", &"n".repeat(70)];
        let pairs: Vec<_> = names.iter().chain(&names).map(|name| (*name, "value")).collect();
        let whole = Headers::from_pairs(&pairs).as_bytes().to_vec();
        let cut = (0..whole.len()).map(|end| whole[..end].to_vec());
        let sizes = 4 + 8 * pairs.len();
        let lying = (0..sizes).flat_map(|at| {
            [0, 1, 5, 0x7f, 0xff].map(|byte| {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                bytes
            })
        });
        for buffer in cut.chain(lying).chain([whole.clone()]) {
            let headers = Headers::from_buffer(buffer);
            let walked: Vec<_> = headers.iter().collect();
            for name in names {
                let named = walked.iter().filter(|(given, _)| *given == name.as_bytes());
                let values: Vec<_> = named.map(|(_, value)| *value).collect();
                assert_eq!(headers.value(name), values.first().copied());
                assert_eq!(headers.all(name).collect::<Vec<_>>(), values);
                let spelled = walked.iter().filter(|(given, _)| same_name(given, name.as_bytes()));
                assert!(headers.spellings(name).eq(spelled.copied()));
            }
            let lengths = length_bit(1) | length_bit(63);
            let of_lengths = walked.iter().filter(|(given, _)| matches!(given.len(), 1 | 63..));
            assert!(headers.of_lengths(lengths).eq(of_lengths.copied()));
        }
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
