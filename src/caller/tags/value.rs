//! Encodes values for headers, filter state and logs. Different values stay different.

use crate::template::{Piece, Scope, Template, percent};

/// The maximum length of a tag value in bytes (docs/telemetry.md).
pub const MAX_VALUE: usize = 1024;

/// The text between the beginning of a shortened value and the hash of the whole value.
const CUT: &str = "...";

/// The number of bytes of a hash that are written. 128 bits rule out collisions.
pub(super) const HASH_BYTES: usize = 16;

/// Lower-case hexadecimal digits of the first [`HASH_BYTES`] of a hash.
pub(super) fn hex(hash: &[u8]) -> String {
    let mut digits = [0; 2 * HASH_BYTES];
    let hash = hash.get(..HASH_BYTES).unwrap_or_default();
    base16ct::lower::encode_str(hash, &mut digits).unwrap_or_default().to_owned()
}

/// Encodes a text for headers, filter state and logs. Printable ASCII is unchanged; all other bytes,
/// `%`, and spaces at the edges, which servers remove, are percent-encoded. A value longer than
/// [`MAX_VALUE`] is cut and ends in `...` and a hash of the whole value. Different texts have different
/// results.
pub fn sanitise(text: &str) -> String {
    let mut safe = String::with_capacity(text.len().min(MAX_VALUE));
    percent::encode(text, plain, &mut safe);
    finish(safe)
}

/// [`sanitise`] for a filled template; `None` if a part has no value. A `,` inside an item of a list
/// becomes `%2C`, and spaces at its edges are encoded, so that no item reads as two or as another.
pub(super) fn fill(template: &Template, scope: &dyn Scope) -> Option<String> {
    let mut safe = String::new();
    let filled = template.visit(scope, &mut |piece| match piece {
        Piece::Text(text) | Piece::Value(text) => percent::encode(text, plain, &mut safe),
        Piece::Item { text, first } => {
            if !first {
                safe.push(',');
            }
            let start = safe.len();
            percent::encode(text, |c| plain(c) && c != ',', &mut safe);
            encode_edges(&mut safe, start);
        }
    });
    filled.then(|| finish(safe))
}

/// Whether a character is written as it is.
fn plain(c: char) -> bool {
    matches!(c, ' '..='$' | '&'..='~')
}

/// Encodes the spaces at both ends of `safe[start..]`.
fn encode_edges(safe: &mut String, start: usize) {
    const SPACE: &str = "%20";
    let Some(value) = safe.get(start..) else { return };
    let inner = value.trim_matches(' ');
    if inner.len() == value.len() {
        return;
    }
    let lead = value.len().saturating_sub(value.trim_start_matches(' ').len());
    let trail = value.len().saturating_sub(lead).saturating_sub(inner.len());
    let encoded = [&SPACE.repeat(lead), inner, &SPACE.repeat(trail)].concat();
    safe.truncate(start);
    safe.push_str(&encoded);
}

/// Encodes spaces at the edges and cuts a value that is too long. A value that looks like the result of
/// a cut is cut as well, because it could be equal to such a result.
fn finish(mut safe: String) -> String {
    const TAIL: usize = CUT.len() + 2 * HASH_BYTES;
    const LOWEST: usize = MAX_VALUE - 2;
    encode_edges(&mut safe, 0);
    let looks_cut = || {
        let tail = safe.len().checked_sub(TAIL).and_then(|at| safe.get(at..));
        let hash = tail.and_then(|tail| tail.strip_prefix(CUT));
        hash.is_some_and(|hash| hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
    };
    if safe.len() < LOWEST || (safe.len() <= MAX_VALUE && !looks_cut()) {
        return safe;
    }
    let hash = hex(&hmac_sha256::Hash::hash(safe.as_bytes()));
    let mut end = MAX_VALUE - TAIL;
    // Do not split an escape.
    let before = safe.get(end.saturating_sub(2)..end).unwrap_or_default();
    if let Some(at) = before.find('%') {
        end = end.saturating_sub(2).saturating_add(at);
    }
    safe.truncate(end);
    safe.push_str(CUT);
    safe.push_str(&hash);
    safe
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use super::*;
    use crate::template::{Part, PartValue};

    #[test]
    fn a_safe_value_is_printable_ascii_injective_and_bounded() {
        for (value, safe) in [
            ("alice@example.com", "alice@example.com"),
            ("a b", "a b"),
            ("a,b", "a,b"),
            ("admin ", "admin%20"),
            (" admin", "%20admin"),
            ("  a  b  ", "%20%20a  b%20%20"),
            ("  ", "%20%20"),
            ("a%20", "a%2520"),
            ("a\r\nx: y", "a%0D%0Ax: y"),
            ("a\0\x7f\x1b\t", "a%00%7F%1B%09"),
            ("é\u{2028}", "%C3%A9%E2%80%A8"),
            ("100%", "100%25"),
            ("", ""),
        ] {
            assert_eq!(sanitise(value), safe);
        }
        assert_eq!(sanitise(&"x".repeat(MAX_VALUE)), "x".repeat(MAX_VALUE));
    }

    #[test]
    fn two_values_never_become_one_however_long_they_are() {
        let begin = "x".repeat(1_100);
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        let mut values: Vec<String> = ["", " ", "a", "b", " a", "é"]
            .into_iter()
            .flat_map(|end| [format!("{begin}{end}"), format!("{end}{begin}")])
            .collect();
        // Every place of an escape at the cut, and values around the longest.
        values.extend((980..1_030).map(|n| "y".repeat(n)));
        values.extend((980..1_030).map(|n| "y".repeat(n) + &"é".repeat(20)));
        // What a longer value becomes is another value's text.
        for value in values.clone() {
            values.push(sanitise(&value));
            values.push(sanitise(&sanitise(&value)));
        }
        values.sort();
        values.dedup();
        for value in values {
            let safe = sanitise(&value);
            assert!(safe.len() <= MAX_VALUE, "{}", safe.len());
            assert!(safe.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{safe}");
            if value.len() > MAX_VALUE {
                let (_, hash) = safe.rsplit_once(CUT).unwrap();
                assert_eq!(hash.len(), 2 * HASH_BYTES, "{safe}");
            }
            let before = safe.split(CUT).next().unwrap().rsplit_once('%');
            assert!(before.is_none_or(|(_, escape)| escape.len() >= 2), "{safe}");
            if let Some(other) = seen.insert(safe.clone(), value.clone()) {
                panic!("{other} and {value} are both {safe}");
            }
        }
    }

    struct Lists(Vec<&'static str>);

    impl Scope for Lists {
        fn value(&self, _: &Part) -> Option<PartValue<'_>> {
            Some(PartValue::List(self.0.iter().map(|item| Cow::Borrowed(*item)).collect()))
        }
    }

    #[test]
    fn no_item_of_a_list_reads_as_two_or_as_another() {
        let template = Template::parse("{roles}").unwrap();
        for (items, want) in [
            (&["viewer,admin"][..], "viewer%2Cadmin"),
            (&["viewer", "admin"], "viewer,admin"),
            (&["viewer%2Cadmin"], "viewer%252Cadmin"),
            (&["viewer", " admin"], "viewer,%20admin"),
            (&["viewer ", "admin"], "viewer%20,admin"),
            (&["not admin"], "not admin"),
            (&["", ""], ","),
            (&[], ""),
        ] {
            assert_eq!(fill(&template, &Lists(items.to_vec())).unwrap(), want);
        }
    }
}
