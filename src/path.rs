//! Request paths: what is compared with `match.paths`, and which paths have more than one reading.
//!
//! A path that two programs read differently is how a request gets past a rule that was meant for
//! it (CVE-2021-29492, CVE-2026-73511), so such paths are named here and refused by default.

use std::borrow::Cow;

/// The path alone: everything from the first `?` or `#` on is cut (RFC 3986 §3.3).
pub fn without_query(path: &[u8]) -> &[u8] {
    path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default()
}

/// Whether a `:path` (with or without its query) has more than one reading.
///
/// That is: a fragment, a backslash, an empty, `.` or `..` segment (dots plain or encoded, with or
/// without `;parameters`), an encoded slash or backslash, control bytes plain or encoded, a start
/// of an overlong UTF-8 form, an escape that decodes to another (`%252e`), or invalid
/// percent-encoding. The query is not judged.
pub fn ambiguous(path: &[u8]) -> bool {
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

/// Whether one segment has more than one reading.
fn ambiguous_segment(segment: &[u8]) -> bool {
    if encoded_twice(segment) {
        return true;
    }
    let mut name = Name::Empty;
    let mut in_name = true;
    for unit in units(segment) {
        let byte = match unit {
            Unit::Byte(byte) => byte,
            Unit::Separator(_) | Unit::Broken(_) => return true,
        };
        // 0xC0 and 0xC1 begin no valid UTF-8 (RFC 3629 §3); lenient decoders read `%C0%AE` as `.`.
        if byte.is_ascii_control() || matches!(byte, b'\\' | 0xC0 | 0xC1) {
            return true;
        }
        in_name &= byte != b';';
        if in_name {
            name = name.then(byte);
        }
    }
    // Without its parameters, `;x` is an empty segment and `..;x` is `..`.
    match name {
        Name::Empty => !segment.is_empty(),
        Name::Dot | Name::DotDot => true,
        Name::Ordinary => false,
    }
}

/// Whether `%25` stands before two hexadecimal digits: a server that decodes twice reads another
/// byte there than one that decodes once.
fn encoded_twice(segment: &[u8]) -> bool {
    segment.windows(5).any(|five| match five {
        [b'%', b'2', b'5', high, low] => hex(*high).is_some() && hex(*low).is_some(),
        _ => false,
    })
}

/// The path with the parameters of each segment cut (`/a;x=1/b` → `/a/b`; RFC 3986 §3.3), the `;`
/// plain or encoded; `None` when there are none.
pub fn without_parameters(path: &[u8]) -> Option<Vec<u8>> {
    let start = |segment: &[u8]| {
        let plain = segment.iter().position(|byte| *byte == b';');
        let encoded = segment.windows(3).position(|three| three.eq_ignore_ascii_case(b"%3b"));
        [plain, encoded].into_iter().flatten().min()
    };
    start(path)?;
    let cut = |segment| start(segment).and_then(|at| segment.get(..at)).unwrap_or(segment);
    let segments: Vec<&[u8]> = path.split(|byte| *byte == b'/').map(cut).collect();
    Some(segments.join(&b'/'))
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
        let (&first, tail) = rest.split_first()?;
        rest = tail;
        if first != b'%' {
            return Some(Unit::Byte(first));
        }
        let Some((&[high, low], after)) = tail.split_first_chunk::<2>() else {
            return Some(Unit::Broken(first));
        };
        let (Some(high), Some(low)) = (hex(high), hex(low)) else {
            return Some(Unit::Broken(first));
        };
        rest = after;
        Some(match (high << 4) | low {
            byte @ (b'/' | b'\\') => Unit::Separator(byte),
            byte => Unit::Byte(byte),
        })
    })
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
            "/~u/$&'()*+,=:@!",
            "/v1;/",
        ] {
            assert!(!ambiguous(path.as_bytes()), "{path:?}");
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
