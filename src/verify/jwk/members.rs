//! The members of a JWK (RFC 7517 §4, RFC 7518 §6). A member that is null counts as absent.

use serde_json::{Map, Value};

use super::super::json;
use super::error::KeyError;
use crate::base64url;

/// The maximum length of a base64url member in characters: a 4096-bit RSA modulus has 683, and no
/// secret needs 1536 bytes.
const MAX_MEMBER: usize = 2048;

/// The members of a private key (RFC 7518 §6.2.2, §6.3.2, RFC 8037 §2).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Whether the private half of a key is present.
pub(super) fn holds_private(jwk: &Map<String, Value>) -> bool {
    PRIVATE.iter().any(|member| jwk.get(*member).is_some_and(holds))
}

/// Whether a private member has a value. Serialisers write absent members as null or empty; such a
/// key has not leaked.
fn holds(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}

/// Whether `key_ops`, if present, contains `verify` (RFC 7517 §4.3).
pub(super) fn check_operations(jwk: &Map<String, Value>) -> Result<(), KeyError> {
    let Some(operations) = jwk.get("key_ops").filter(|value| !value.is_null()) else {
        return Ok(());
    };
    let Value::Array(operations) = operations else {
        return Err(KeyError::MemberMalformed("key_ops"));
    };
    if !operations.iter().all(Value::is_string) {
        return Err(KeyError::MemberMalformed("key_ops"));
    }
    match operations.iter().any(|operation| operation == "verify") {
        true => Ok(()),
        false => Err(KeyError::NotForVerification),
    }
}

/// A member of type string.
pub(super) fn string<'a>(
    jwk: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, KeyError> {
    json::text(jwk, name).map_err(KeyError::MemberMalformed)
}

/// A required member in base64url.
pub(super) fn bytes(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, KeyError> {
    let text = string(jwk, name)?.ok_or(KeyError::MemberMissing(name))?;
    if text.len() > MAX_MEMBER {
        return Err(KeyError::MemberMalformed(name));
    }
    base64url::decode(text.as_bytes()).ok_or(KeyError::MemberMalformed(name))
}

/// A required member in base64url of exactly `length` bytes.
pub(super) fn sized(
    jwk: &Map<String, Value>,
    name: &'static str,
    length: usize,
) -> Result<Vec<u8>, KeyError> {
    let bytes = bytes(jwk, name)?;
    if bytes.len() == length { Ok(bytes) } else { Err(KeyError::MemberMalformed(name)) }
}

/// Removes the leading zeros of a big-endian number. Some issuers add them to a modulus although
/// RFC 7518 §6.3.1.1 forbids it.
pub(super) fn number(mut bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    bytes
}
