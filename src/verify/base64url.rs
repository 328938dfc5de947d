//! base64url as in RFC 7515 §2: no padding, and exactly one encoding of each byte string.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Refuses `=`, and unused bits in the last character that are not zero (RFC 4648 §3.5). Otherwise
/// a second encoding of a revoked token would pass every check and escape a list of tokens.
const STRICT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Decodes `text`; `None` if it is not canonical. Allocates three quarters of the length of `text`,
/// which the caller bounds first.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    STRICT.decode(text).ok()
}

/// Encodes `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    STRICT.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

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
