//! Request paths: what is compared with `match.paths`, and which paths have more than one reading.
//!
//! A path that two programs read differently is how a request gets past a rule that was meant for
//! it (CVE-2021-29492, CVE-2026-73511), so such paths are named here and refused by default.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

/// The path alone: everything from the first `?` or `#` on is cut (RFC 3986 §3.3).
pub fn without_query(path: &[u8]) -> &[u8] {
    path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default()
}

/// Whether a `:path` (with or without its query) has more than one reading.
///
/// That is: a fragment, a backslash, an empty, `.` or `..` segment (dots plain or encoded, with or
/// without `;parameters`), an encoded slash or backslash, control bytes plain or encoded, a start
/// of an overlong UTF-8 form, an escape that decodes to another (`%252e`, `%25%32%65`), or invalid
/// percent-encoding. The query is not judged.
pub fn ambiguous(path: &[u8]) -> bool {
    has_encoded_slash(without_query(path)) || ambiguous_but_for_slashes(path)
}

/// Whether a path has more than one reading beside that of an encoded slash. What stands on both
/// sides of one must be names of segments, too: `a%2F..%2Fb` is ambiguous.
pub fn ambiguous_but_for_slashes(path: &[u8]) -> bool {
    if path.contains(&b'#') {
        return true;
    }
    let path = without_query(path);
    let mut segments = path.split(|byte| *byte == b'/').enumerate().peekable();
    while let Some((index, segment)) = segments.next() {
        let at_an_end = index == 0 || segments.peek().is_none();
        if (segment.is_empty() && !at_an_end) || ambiguous_segment(segment) {
            return true;
        }
    }
    false
}

/// Whether a `/` is encoded in a path without its query.
pub fn has_encoded_slash(path: &[u8]) -> bool {
    path.contains(&b'%') && path.windows(3).any(is_encoded_slash)
}

/// The path as a server reads it for which an encoded slash is one; `None` where there is none.
pub fn with_slashes(path: &[u8]) -> Option<Vec<u8>> {
    if !has_encoded_slash(path) {
        return None;
    }
    let mut read = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, tail)) = rest.split_first() {
        match rest.split_at_checked(3).filter(|(three, _)| is_encoded_slash(three)) {
            Some((_, after)) => {
                read.push(b'/');
                rest = after;
            }
            None => {
                read.push(*first);
                rest = tail;
            }
        }
    }
    Some(read)
}

fn is_encoded_slash(three: &[u8]) -> bool {
    three.eq_ignore_ascii_case(b"%2f")
}

/// Whether one segment has more than one reading, encoded slashes read as ends of names.
fn ambiguous_segment(segment: &[u8]) -> bool {
    let mut name = Name::Empty;
    let mut in_name = true;
    let mut cut = false;
    let mut last = Tail::default();
    for unit in units(segment) {
        let byte = match unit {
            Unit::Separator(b'/') => {
                if !matches!(name, Name::Ordinary) {
                    return true;
                }
                (name, in_name, cut, last) = (Name::Empty, true, true, Tail::default());
                continue;
            }
            Unit::Separator(_) | Unit::Broken(_) => return true,
            Unit::Byte(byte) => byte,
        };
        if byte.is_ascii_control() || byte == b'\\' || last.escape(byte) || last.overlong(byte) {
            return true;
        }
        last = last.then(byte);
        in_name &= byte != b';';
        if in_name {
            name = name.then(byte);
        }
    }
    // Without its parameters, `;x` is an empty segment and `..;x` is `..`.
    match name {
        Name::Empty => cut || !segment.is_empty(),
        Name::Dot | Name::DotDot => true,
        Name::Ordinary => false,
    }
}

/// The two bytes before one, once decoded: newest first.
#[derive(Clone, Copy, Default)]
struct Tail(Option<u8>, Option<u8>);

impl Tail {
    fn then(self, byte: u8) -> Self {
        Self(Some(byte), self.0)
    }

    /// Whether the byte ends an escape (`%2e`, or `%u00…` as some servers read it): a server that
    /// decodes twice reads another byte there than one that decodes once.
    fn escape(self, byte: u8) -> bool {
        let Self(Some(last), Some(b'%')) = self else { return false };
        hex(byte).is_some() && (hex(last).is_some() || matches!(last, b'u' | b'U'))
    }

    /// Whether the byte begins or continues an overlong form of UTF-8 (RFC 3629 §3), which lenient
    /// decoders read as a shorter one: `%C0%AE`, `%E0%80%AE` and `%F0%80%80%AE` as `.`.
    fn overlong(self, byte: u8) -> bool {
        let begins = matches!(byte, 0xC0 | 0xC1 | 0xF8..=0xFD);
        begins || matches!((self.0, byte), (Some(0xE0), 0x80..=0x9F) | (Some(0xF0), 0x80..=0x8F))
    }
}

/// The path with the parameters of each segment cut (`/a;x=1/b` → `/a/b`; RFC 3986 §3.3), the `;`
/// plain or encoded; `None` when there are none.
pub fn without_parameters(path: &[u8]) -> Option<Vec<u8>> {
    let start = |segment: &[u8]| {
        let plain = memchr(b';', segment);
        let before = plain.and_then(|at| segment.get(..at)).unwrap_or(segment);
        escaped(before, |digits| matches!(digits, [b'3', b'b' | b'B'])).or(plain)
    };
    start(path)?;
    let cut = |segment| start(segment).and_then(|at| segment.get(..at)).unwrap_or(segment);
    let segments: Vec<&[u8]> = path.split(|byte| *byte == b'/').map(cut).collect();
    Some(segments.join(&b'/'))
}

/// The path up to its first `;`, as Envoy's routes compare it with
/// `ignore_path_parameters_in_path_matching`, or up to its first encoded `?` or `#`, which end the
/// path for a server that decodes it and hands it on; `None` when there is none.
pub fn before_parameters(path: &[u8]) -> Option<&[u8]> {
    let plain = memchr(b';', path);
    let before = plain.and_then(|at| path.get(..at)).unwrap_or(path);
    let ends = |digits: &[u8; 2]| matches!(digits, [b'3', b'f' | b'F'] | b"23");
    path.get(..escaped(before, ends).or(plain)?)
}

/// Where the first `%` stands that two such bytes follow.
fn escaped(text: &[u8], fits: impl Fn(&[u8; 2]) -> bool) -> Option<usize> {
    let digits = |at: usize| text.get(at..)?.get(1..)?.first_chunk();
    memchr_iter(b'%', text).find(|at| digits(*at).is_some_and(&fits))
}

/// Whether a segment is written as RFC 3986 §6.2.2 normalises it: what may stand plain does
/// (§3.3), and the rest is encoded in upper case.
pub(crate) fn is_canonical(segment: &[u8]) -> bool {
    let mut rest = segment;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            if !is_plain(first) {
                return false;
            }
            continue;
        }
        let Some((&[high, low], after)) = tail.split_first_chunk::<2>() else { return false };
        let (Some(upper), Some(lower)) = (hex(high), hex(low)) else { return false };
        if is_plain((upper << 4) | lower) || [high, low].iter().any(u8::is_ascii_lowercase) {
            return false;
        }
        rest = after;
    }
    true
}

/// Whether a byte stands in a segment without being encoded: `pchar` of RFC 3986 §3.3.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

/// A text with its percent-encoding undone; what is no encoding stays.
pub(crate) fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let byte = |unit| match unit {
        Unit::Byte(byte) | Unit::Separator(byte) | Unit::Broken(byte) => byte,
    };
    Cow::Owned(units(text).map(byte).collect())
}

/// What stands before the first `;` of a segment.
enum Name {
    Empty,
    Dot,
    DotDot,
    Ordinary,
}

impl Name {
    fn then(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Empty, b'.') => Self::Dot,
            (Self::Dot, b'.') => Self::DotDot,
            _ => Self::Ordinary,
        }
    }
}

/// One byte of a segment as a server reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A byte, plain or decoded.
    Byte(u8),
    /// An encoded `/` or `\`, which is not the same as the plain one.
    Separator(u8),
    /// A `%` without two hexadecimal digits.
    Broken(u8),
}

/// Reads a segment byte by byte with its percent-encoding undone (RFC 3986 §6.2.2.2), so that
/// `/%73core` meets the rule for `/score`.
pub(crate) fn units(segment: &[u8]) -> impl Iterator<Item = Unit> + '_ {
    let mut rest = segment;
    std::iter::from_fn(move || {
        let (unit, after) = first_unit(rest)?;
        rest = after;
        Some(unit)
    })
}

/// The first unit of a segment, and what follows it.
pub(crate) fn first_unit(segment: &[u8]) -> Option<(Unit, &[u8])> {
    let escaped =
        segment.split_first_chunk().and_then(|(three, rest)| Some((escape(three)?, rest)));
    escaped.or_else(|| segment.split_first().map(|(byte, rest)| (alone(*byte), rest)))
}

/// The last unit of a segment, and what stands before it. No two escapes overlap, so that a segment
/// has the same units from either end.
pub(crate) fn last_unit(segment: &[u8]) -> Option<(Unit, &[u8])> {
    let escaped = segment.split_last_chunk().and_then(|(rest, three)| Some((escape(three)?, rest)));
    escaped.or_else(|| segment.split_last().map(|(byte, rest)| (alone(*byte), rest)))
}

/// What three bytes decode to, if they are an escape.
fn escape(three: &[u8; 3]) -> Option<Unit> {
    let [b'%', high, low] = *three else { return None };
    Some(match (hex(high)? << 4) | hex(low)? {
        byte @ (b'/' | b'\\') => Unit::Separator(byte),
        byte => Unit::Byte(byte),
    })
}

/// A byte that belongs to no escape.
const fn alone(byte: u8) -> Unit {
    if byte == b'%' { Unit::Broken(byte) } else { Unit::Byte(byte) }
}

/// The value of one hexadecimal digit.
fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit & 0x0F),
        b'a'..=b'f' | b'A'..=b'F' => Some((digit & 0x0F).saturating_add(9)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_and_the_fragment_are_cut() {
        for (path, want) in [
            ("/score", "/score"),
            ("/score?a=/b", "/score"),
            ("/score#x?y", "/score"),
            ("?", ""),
            ("", ""),
            ("*", "*"),
        ] {
            assert_eq!(without_query(path.as_bytes()), want.as_bytes(), "{path}");
        }
    }

    #[test]
    fn paths_with_more_than_one_reading_are_ambiguous() {
        for path in [
            "//",
            "//admin",
            "/a//b",
            "/a//",
            "/.",
            "/..",
            "/./",
            "/../",
            "/a/./b",
            "/a/../b",
            "/a/.",
            "/a/..",
            "/a/..?x",
            "/%2e",
            "/%2E%2e/",
            "/.%2e/a",
            "/%2e./a",
            "/..;/a",
            "/..;x",
            "/.;x=1/a",
            "/..%3b/a",
            "/;/a",
            "/;x=1",
            "/%3bx",
            "/a%2Fb",
            "/a%2fb",
            "/a%5Cb",
            "/a%5cb",
            "/a\\b",
            "\\a",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%2g",
            "/a%00",
            "/a%0d%0a",
            "/a%7f",
            "/a\0",
            "/a\tb",
            "/a\x7f",
            "/public#/../admin",
            "/a?b#c",
            "/%c0%ae%c0%ae/",
            "/%252e%252e/a",
            "/a%252Fb",
            "/a%2541",
            "/%C1%9c",
            "/public/%25%32%65%25%32%65/admin/x",
            "/%%32e",
            "/a%25%32F",
            "/a%2%35%32%46",
            "/a%25u002e",
            "/%e0%80%ae/x",
            "/%E0%9F%BF",
            "/%f0%80%80%ae/x",
            "/%F0%8F%BF%BF",
            "/%f8%80%80%80%ae",
            "/%fc%80%80%80%80%ae",
            "http://host/a",
            "..",
            ".",
        ] {
            assert!(ambiguous(path.as_bytes()), "{path:?}");
        }
    }

    #[test]
    fn ordinary_paths_are_not_ambiguous() {
        for path in [
            "",
            "/",
            "*",
            "/score",
            "/score/",
            "/api/v1/endpoint/x/score",
            "/a.b",
            "/.well-known/x",
            "/...",
            "/..a",
            "/a..",
            "/a;x=1",
            "/a;x=../b",
            "/a%20b",
            "/%73core",
            "/a%25b",
            "/a%25z1",
            "/a%251z",
            "/s?next=//x/../%2f%zz",
            "/%E2%82%AC",
            "/%E0%A0%80",
            "/%F0%90%80%80",
            "/caf%e0",
            "/%ff",
            "/a%25uz",
            "/a%25u",
            "/~u/$&'()*+,=:@!",
            "/v1;/",
        ] {
            assert!(!ambiguous(path.as_bytes()), "{path:?}");
        }
    }

    #[test]
    fn an_encoded_slash_separates_names_that_must_each_have_one_reading() {
        for (path, flawed) in [
            ("/m/org%2Fmodel:predict", false),
            ("/m/a%2fb%2Fc", false),
            ("/m/a;x%2Fb", false),
            ("/m/..%2Fadmin", true),
            ("/m/a%2F..%2Fb", true),
            ("/m/a%2F%2e", true),
            ("/m/a%2F..;x", true),
            ("/m/a%2F%2Fb", true),
            ("/m/%2Fa", true),
            ("/m/a%2F", true),
            ("/m/a%2F;x", true),
            ("/m/a%2Fb%5Cc", true),
            ("/m/a%252Fb", true),
            ("/m/a%2Fb%", true),
        ] {
            assert_eq!(ambiguous_but_for_slashes(path.as_bytes()), flawed, "{path}");
            assert!(ambiguous(path.as_bytes()), "{path}");
        }
        assert_eq!(with_slashes(b"/a%2fb%2Fc%2g").as_deref(), Some(&b"/a/b/c%2g"[..]));
        assert_eq!(with_slashes(b"/a%252Fb"), None);
    }

    #[test]
    fn a_canonical_segment_encodes_what_must_be_encoded_and_nothing_else() {
        for (segment, canonical) in [
            ("score", true),
            ("a:b@c;d=1", true),
            ("a%20b%C3%A9", true),
            ("%73core", false),
            ("a%3Ab", false),
            ("caf%c3%a9", false),
            ("caf\u{e9}", false),
            ("a b", false),
            ("a%2", false),
            ("a%zz", false),
        ] {
            assert_eq!(is_canonical(segment.as_bytes()), canonical, "{segment}");
        }
    }

    #[test]
    fn a_segment_has_the_same_units_from_either_end() {
        for segment in
            ["", "a", "%41", "%2541", "%%41", "%2%41", "%4", "%", "a%2Fb%5c%", "%25%32%35"]
        {
            let mut backwards = Vec::new();
            let mut rest = segment.as_bytes();
            while let Some((unit, before)) = last_unit(rest) {
                backwards.insert(0, unit);
                rest = before;
            }
            assert_eq!(units(segment.as_bytes()).collect::<Vec<_>>(), backwards, "{segment}");
        }
    }

    #[test]
    fn what_stands_before_the_first_parameter_is_found() {
        assert_eq!(before_parameters(b"/a;x/b;y"), Some(&b"/a"[..]));
        assert_eq!(before_parameters(b"/a%3bx"), None);
        for path in [&b"/a%3fx;y"[..], b"/a%3F", b"/a%23x/b"] {
            assert_eq!(before_parameters(path), Some(&b"/a"[..]));
        }
    }

    #[test]
    fn parameters_are_cut_from_each_segment() {
        for (path, want) in [
            ("/a", None),
            ("/a;x=1/b", Some("/a/b")),
            ("/a;x;y/b;z", Some("/a/b")),
            ("/a%3bx/b%3B;", Some("/a/b")),
            ("/;/", Some("//")),
            ("/a;", Some("/a")),
            ("", None),
        ] {
            let got = without_parameters(path.as_bytes());
            assert_eq!(got.as_deref(), want.map(str::as_bytes), "{path}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic_and_a_cut_query_changes_nothing() {
        for a in 0..=255_u8 {
            for b in [b'%', b'/', b'.', b';', 0, 0xFF] {
                let path = [b'/', a, b, a];
                if !path.contains(&b'#') {
                    assert_eq!(ambiguous(&path), ambiguous(without_query(&path)), "{path:?}");
                }
            }
        }
    }
}
