//! The parts of a path, and the readings of servers that treat `%2F` or `;` as special.

use crate::bytes::find;

/// The path alone, up to the first `?` or `#` (RFC 3986 §3.3).
pub fn without_query(path: &[u8]) -> &[u8] {
    path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default()
}

/// Whether a path without its query contains an encoded `/`.
pub fn has_encoded_slash(path: &[u8]) -> bool {
    path.contains(&b'%') && path.windows(3).any(is_encoded_slash)
}

/// The path with its encoded slashes decoded, as some servers read it; `None` if it has none.
pub fn with_slashes(path: &[u8]) -> Option<Vec<u8>> {
    if !has_encoded_slash(path) {
        return None;
    }
    let mut read = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, tail)) = rest.split_first() {
        let (byte, after) = match rest.split_at_checked(3) {
            Some((three, after)) if is_encoded_slash(three) => (b'/', after),
            _ => (*first, tail),
        };
        read.push(byte);
        rest = after;
    }
    Some(read)
}

fn is_encoded_slash(three: &[u8]) -> bool {
    three.eq_ignore_ascii_case(b"%2f")
}

/// The path without the parameters of each segment (`/a;x=1/b` → `/a/b`; RFC 3986 §3.3), with the `;`
/// plain or encoded; `None` if it has none.
pub fn without_parameters(path: &[u8]) -> Option<Vec<u8>> {
    let start = |segment: &[u8]| {
        let plain = find(segment, b';');
        let before = plain.and_then(|at| segment.get(..at)).unwrap_or(segment);
        escaped(before, |digits| matches!(digits, [b'3', b'b' | b'B'])).or(plain)
    };
    start(path)?;
    let cut = |segment| start(segment).and_then(|at| segment.get(..at)).unwrap_or(segment);
    let segments: Vec<&[u8]> = path.split(|byte| *byte == b'/').map(cut).collect();
    Some(segments.join(&b'/'))
}

/// The path up to its first `;`, as routes of Envoy compare it with
/// `ignore_path_parameters_in_path_matching`, or up to its first encoded `?` or `#`, which ends the path
/// for a server that decodes it before it forwards it; `None` if it has neither.
pub fn before_parameters(path: &[u8]) -> Option<&[u8]> {
    let plain = find(path, b';');
    let before = plain.and_then(|at| path.get(..at)).unwrap_or(path);
    let ends = |digits: &[u8; 2]| matches!(digits, [b'3', b'f' | b'F'] | b"23");
    path.get(..escaped(before, ends).or(plain)?)
}

/// The position of the first `%` before two bytes that fit.
fn escaped(text: &[u8], fits: impl Fn(&[u8; 2]) -> bool) -> Option<usize> {
    let mut from = 0_usize;
    while let Some(rest) = text.get(from..)
        && let Some(at) = find(rest, b'%')
    {
        let at = from.saturating_add(at);
        from = at.saturating_add(1);
        if text.get(from..).and_then(<[u8]>::first_chunk).is_some_and(&fits) {
            return Some(at);
        }
    }
    None
}
