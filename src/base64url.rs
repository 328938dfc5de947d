//! base64url as in RFC 7515 §2: no padding, and exactly one encoding of each byte string.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What stands for a byte outside of the alphabet.
const OUTSIDE: u8 = 0xff;

/// The six bits that each byte stands for.
static BITS: [u8; 256] = table();

#[allow(clippy::indexing_slicing)] // At compile time.
const fn table() -> [u8; 256] {
    let mut table = [OUTSIDE; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        table[byte as usize] = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => OUTSIDE,
        };
        byte += 1;
    }
    table
}

/// Decodes `text`; `None` if it is not canonical. Allocates three quarters of the length of `text`,
/// which the caller bounds first.
///
/// `=` is refused, and so are unused bits in the last character that are not zero (RFC 4648 §3.5).
/// Otherwise a second encoding of a revoked token would pass every check and escape a list of tokens.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let (groups, last) = text.as_chunks::<4>();
    let whole = groups.len().saturating_mul(3);
    let mut bytes = Vec::with_capacity(whole.saturating_add(2));
    bytes.resize(whole, 0);
    let mut seen = 0;
    for (place, group) in bytes.as_chunks_mut().0.iter_mut().zip(groups) {
        *place = three(group.map(bits), &mut seen);
    }
    let (group, length) = match *last {
        [] => ([0; 4], 0),
        [first, second] => ([bits(first), bits(second), 0, 0], 1),
        [first, second, third] => ([bits(first), bits(second), bits(third), 0], 2),
        _ => return None,
    };
    let rest = three(group, &mut seen);
    let (rest, unused) = rest.split_at(length);
    bytes.extend_from_slice(rest);
    (seen < 1 << 6 && unused.iter().all(|byte| *byte == 0)).then_some(bytes)
}

#[inline]
fn bits(byte: u8) -> u8 {
    BITS.get(usize::from(byte)).copied().unwrap_or(OUTSIDE)
}

/// The three bytes of four times six bits, all of which are put into `seen`.
#[inline]
fn three([a, b, c, d]: [u8; 4], seen: &mut u8) -> [u8; 3] {
    *seen |= a | b | c | d;
    [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]
}

/// Encodes `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_decoded_as_the_base64_crate_decodes_it(
            text in prop_oneof![
                vec(prop::sample::select(b"AQgwZaz059-_".as_slice()), 0..40),
                vec(prop::sample::select(b"AQgwZaz059-_=+/. \0\xff".as_slice()), 0..9),
                vec(any::<u8>(), 0..12),
            ],
        ) {
            prop_assert_eq!(decode(&text), URL_SAFE_NO_PAD.decode(&text).ok());
        }

        #[test]
        fn bytes_are_decoded_from_their_encoding(bytes in vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }
    }

    #[test]
    fn each_byte_string_has_exactly_one_spelling() {
        for length in 0..=4usize {
            let bytes: Vec<u8> = (0..length).map(|i| 0xfa ^ i as u8).collect();
            let text = encode(&bytes);
            assert_eq!(decode(text.as_bytes()), Some(bytes));
            let Some((last, head)) = text.as_bytes().split_last() else { continue };
            let spellings = (0..=255u8)
                .filter(|byte| {
                    let other = [head, &[*byte]].concat();
                    *byte != *last && decode(&other) == decode(text.as_bytes())
                })
                .count();
            assert_eq!(spellings, 0, "{text}");
        }
    }

    #[test]
    fn anything_but_the_canonical_form_is_refused() {
        for text in
            ["YQ==", "YQ=", "=", "YR", "YWJj\n", " YWJj", "YW Jj", "+w", "/w", "A", "YWJjA", "Y\0"]
        {
            assert_eq!(decode(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(decode(&[0xff, 0xfe]), None);
    }
}
