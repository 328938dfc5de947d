//! The messages of the foreign function `verify_signature`, which Envoy offers to Wasm filters.
//!
//! They are protobuf:
//!
//! ```text
//! argument: 1 hash name · 2 public key, SubjectPublicKeyInfo DER · 3 signature · 4 text
//! result:   1 whether the signature is good · 2 error
//! ```

const HASH: u8 = 1;
const PUBLIC_KEY: u8 = 2;
const SIGNATURE: u8 = 3;
const TEXT: u8 = 4;

/// The argument.
pub(super) struct Arguments<'a> {
    /// The name of the hash.
    pub(super) hash: &'a str,
    /// The public key, SubjectPublicKeyInfo.
    pub(super) key: &'a [u8],
    /// The signature, for curves in DER.
    pub(super) signature: &'a [u8],
    /// The signed bytes.
    pub(super) text: &'a [u8],
}

impl Arguments<'_> {
    /// Replaces the content of `message` with the argument.
    pub(super) fn encode(&self, message: &mut Vec<u8>) {
        message.clear();
        push_field(message, HASH, self.hash.as_bytes());
        push_field(message, PUBLIC_KEY, self.key);
        push_field(message, SIGNATURE, self.signature);
        push_field(message, TEXT, self.text);
    }
}

/// Appends a length-delimited field.
fn push_field(message: &mut Vec<u8>, number: u8, content: &[u8]) {
    message.push(number << 3 | 2);
    let mut length = content.len();
    while length > 0x7f {
        message.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    message.push(u8::try_from(length).unwrap_or(0));
    message.extend_from_slice(content);
}

/// The verdict: good is the field `result` alone, bad is the field `error`. Any other message is no
/// verdict.
pub(super) fn read_result(message: &[u8]) -> Option<bool> {
    match message {
        // Envoy sets an empty error as well; proto3 does not encode an empty text.
        [0x08, 1] => Some(true),
        [0x12, _, ..] => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_names_hash_key_signature_and_text() {
        let key = [5; 294];
        let (mut message, mut short) = (vec![1], vec![]);
        Arguments { hash: "sha256", key: &key, signature: &[7; 127], text: &[8; 128] }
            .encode(&mut message);
        let want = [
            &b"\x0a\x06sha256\x12\xa6\x02"[..],
            &key,
            b"\x1a\x7f",
            &[7; 127],
            b"\x22\x80\x01",
            &[8; 128],
        ];
        assert_eq!(message, want.concat());
        push_field(&mut short, TEXT, &[9; 127]);
        assert_eq!((short.len(), &short[..2]), (129, &[0x22, 127][..]));
    }
}
