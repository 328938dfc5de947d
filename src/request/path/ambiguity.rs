//! Paths that servers read differently.

use super::encoding::{Unit, hex, units};
use super::reading::{has_encoded_slash, without_query};
use crate::bytes::Set;

/// The bytes of a plain path, `/` and `.` apart.
static PLAIN: Set = Set::of(b"-_~:0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

/// Whether servers read a `:path` differently. The query is ignored.
///
/// Such a path has a fragment, a backslash, an empty, `.` or `..` segment (dots plain or encoded, with
/// or without `;parameters`), an encoded slash or backslash, control bytes plain or encoded, a part of
/// an overlong UTF-8 form, an escape that decodes to another one (`%252e`, `%25%32%65`), or invalid
/// percent-encoding.
pub fn ambiguous(path: &[u8]) -> bool {
    has_encoded_slash(without_query(path)) || ambiguous_but_for_slashes(path)
}

/// The same, but encoded slashes are allowed between names that have one reading each: `a%2F..%2Fb` is
/// ambiguous.
pub fn ambiguous_but_for_slashes(path: &[u8]) -> bool {
    !is_plain(path) && is_read_differently(path)
}

/// Whether a `:path` without a query has ordinary characters alone, and neither an empty segment nor one that
/// begins with a dot. Most paths are so, and are looked at only once.
fn is_plain(path: &[u8]) -> bool {
    let mut before = b'a';
    path.iter().all(|byte| {
        let plain = match byte {
            b'/' | b'.' => before != b'/',
            byte => PLAIN.has(*byte),
        };
        before = *byte;
        plain
    }) && !path.starts_with(b".")
}

fn is_read_differently(path: &[u8]) -> bool {
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

/// Whether servers read one segment differently. An encoded slash ends a name.
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

/// The part of a segment before its first `;`.
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

/// The two decoded bytes before the current one, the newest first.
#[derive(Clone, Copy, Default)]
struct Tail(Option<u8>, Option<u8>);

impl Tail {
    fn then(self, byte: u8) -> Self {
        Self(Some(byte), self.0)
    }

    /// Whether the byte completes an escape (`%2e`, or `%u00…` for some servers). A server that decodes
    /// twice reads another byte there than one that decodes once.
    fn escape(self, byte: u8) -> bool {
        let Self(Some(last), Some(b'%')) = self else { return false };
        hex(byte).is_some() && (hex(last).is_some() || matches!(last, b'u' | b'U'))
    }

    /// Whether the byte belongs to an overlong UTF-8 form (RFC 3629 §3). Lenient decoders read
    /// `%C0%AE`, `%E0%80%AE` and `%F0%80%80%AE` as `.`.
    fn overlong(self, byte: u8) -> bool {
        let begins = matches!(byte, 0xC0 | 0xC1 | 0xF8..=0xFD);
        begins || matches!((self.0, byte), (Some(0xE0), 0x80..=0x9F) | (Some(0xF0), 0x80..=0x8F))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All paths of up to five of the bytes that decide, and of two that do not.
    #[test]
    fn a_plain_path_has_one_reading() {
        const BYTES: &[u8] = b"/.;%#?\\a2\x01\xc0";
        let mut paths = vec![Vec::new()];
        let mut plain = 0;
        for _ in 0..5 {
            let longer =
                |path: &Vec<u8>| BYTES.iter().map(|b| [path, &[*b][..]].concat()).collect();
            paths = paths.iter().flat_map(longer as fn(&Vec<u8>) -> Vec<Vec<u8>>).collect();
            for path in &paths {
                assert!(!is_plain(path) || !is_read_differently(path), "{}", path.escape_ascii());
                plain += usize::from(is_plain(path));
            }
        }
        assert!(plain > 100, "{plain}");
    }
}
