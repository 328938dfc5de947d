//! A token as received: the three parts of a compact JWS (RFC 7515 §7.1), not decoded.

use super::error::VerifyError;
use crate::bytes::find;

/// The three parts of a compact JWS, in base64url and not trusted.
///
/// It has no `Debug` because a token is a credential.
#[derive(Clone, Copy)]
pub struct Token<'a> {
    header: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
    signing_input: &'a [u8],
}

impl<'a> Token<'a> {
    /// Splits `bytes` at its dots. The size is checked first, and the dots are found without
    /// allocation (CVE-2025-30204). A token must have three parts; a JWE has five (RFC 7516 §3.1).
    /// The signature may be empty here, so that a token with `alg: none` is refused because of its
    /// algorithm and not because of its shape.
    ///
    /// # Errors
    /// `TooLarge`, `Shape`.
    pub fn split(bytes: &'a [u8], max_bytes: usize) -> Result<Self, VerifyError> {
        if bytes.len() > max_bytes {
            return Err(VerifyError::TooLarge);
        }
        let (header, rest) = split_dot(bytes).ok_or(VerifyError::Shape)?;
        let (payload, signature) = split_dot(rest).ok_or(VerifyError::Shape)?;
        if header.is_empty() || payload.is_empty() {
            return Err(VerifyError::Shape);
        }
        if find(signature, b'.').is_some() {
            return Err(VerifyError::Shape);
        }
        let signed = header.len().saturating_add(1).saturating_add(payload.len());
        let signing_input = bytes.get(..signed).ok_or(VerifyError::Shape)?;
        Ok(Self { header, payload, signature, signing_input })
    }

    /// The protected header, base64url.
    pub fn header(&self) -> &'a [u8] {
        self.header
    }

    /// The payload, base64url.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The signature, base64url.
    pub fn signature(&self) -> &'a [u8] {
        self.signature
    }

    /// The signed bytes: header, dot and payload as received (RFC 7515 §5.2).
    pub fn signing_input(&self) -> &'a [u8] {
        self.signing_input
    }
}

fn split_dot(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = find(bytes, b'.')?;
    Some((bytes.get(..dot)?, bytes.get(dot.saturating_add(1)..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Result<Token<'_>, VerifyError> {
        Token::split(text.as_bytes(), 64)
    }

    #[test]
    fn three_parts_are_found_as_they_stand() {
        let token = split("aa.bbb.c").ok().unwrap();
        assert_eq!(token.header(), b"aa");
        assert_eq!(token.payload(), b"bbb");
        assert_eq!(token.signature(), b"c");
        assert_eq!(token.signing_input(), b"aa.bbb");
    }

    #[test]
    fn any_other_number_of_parts_and_an_empty_header_or_payload_is_refused() {
        for text in ["", ".", "..", "...", "a", "a.b", ".b.c", "a..c", "a.b.c.", "a.b.c.d.e"] {
            assert_eq!(split(text).err(), Some(VerifyError::Shape), "{text}");
        }
        assert_eq!(split(&".".repeat(64)).err(), Some(VerifyError::Shape));
    }

    #[test]
    fn the_size_is_judged_before_the_shape() {
        assert_eq!(split(&".".repeat(65)).err(), Some(VerifyError::TooLarge));
        assert!(split(&format!("a.b.{}", "c".repeat(60))).is_ok());
        assert_eq!(split(&format!("a.b.{}", "c".repeat(61))).err(), Some(VerifyError::TooLarge));
    }
}
