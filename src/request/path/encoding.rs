//! Percent-encoding (RFC 3986 §2.1).

use std::borrow::Cow;

/// One byte of a segment as a server reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A byte, plain or decoded.
    Byte(u8),
    /// An encoded `/` or `\`, which differs from the plain one.
    Separator(u8),
    /// A `%` without two hexadecimal digits.
    Broken(u8),
}

/// Decodes a segment byte by byte (RFC 3986 §6.2.2.2), so that `/%73core` matches the rule for
/// `/score`.
pub(crate) fn units(segment: &[u8]) -> impl Iterator<Item = Unit> + '_ {
    let mut rest = segment;
    std::iter::from_fn(move || {
        let (unit, after) = first_unit(rest)?;
        rest = after;
        Some(unit)
    })
}

/// The first unit of a segment, and the rest.
pub(crate) fn first_unit(segment: &[u8]) -> Option<(Unit, &[u8])> {
    let escaped =
        segment.split_first_chunk().and_then(|(three, rest)| Some((escape(three)?, rest)));
    escaped.or_else(|| segment.split_first().map(|(byte, rest)| (alone(*byte), rest)))
}

/// The last unit of a segment, and the rest. Escapes never overlap, so a segment has the same units
/// from either end.
pub(crate) fn last_unit(segment: &[u8]) -> Option<(Unit, &[u8])> {
    let escaped = segment.split_last_chunk().and_then(|(rest, three)| Some((escape(three)?, rest)));
    escaped.or_else(|| segment.split_last().map(|(byte, rest)| (alone(*byte), rest)))
}

/// The unit of three bytes; `None` if they are not an escape.
fn escape(three: &[u8; 3]) -> Option<Unit> {
    let [b'%', high, low] = *three else { return None };
    Some(match (hex(high)? << 4) | hex(low)? {
        byte @ (b'/' | b'\\') => Unit::Separator(byte),
        byte => Unit::Byte(byte),
    })
}

/// The unit of a byte outside of escapes.
const fn alone(byte: u8) -> Unit {
    if byte == b'%' { Unit::Broken(byte) } else { Unit::Byte(byte) }
}

/// The value of a hexadecimal digit.
pub(super) fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit & 0x0F),
        b'a'..=b'f' | b'A'..=b'F' => Some((digit & 0x0F).saturating_add(9)),
        _ => None,
    }
}

/// Decodes a text; a broken escape stays as it is.
pub(crate) fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let byte = |unit| match unit {
        Unit::Byte(byte) | Unit::Separator(byte) | Unit::Broken(byte) => byte,
    };
    Cow::Owned(units(text).map(byte).collect())
}

/// A segment in its normal form (RFC 3986 §6.2.2): only bytes that need it are encoded, in upper case.
/// With `lower`, ASCII letters are in lower case.
pub(crate) fn normalised(segment: &[u8], lower: bool) -> String {
    let mut text = String::with_capacity(segment.len());
    for unit in units(segment) {
        match unit {
            Unit::Byte(byte) if is_plain(byte) => {
                text.push(char::from(if lower { byte.to_ascii_lowercase() } else { byte }));
            }
            Unit::Byte(byte) | Unit::Separator(byte) | Unit::Broken(byte) => {
                text.push('%');
                let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
                text.extend([byte >> 4, byte & 0x0F].map(|half| digit(half).to_ascii_uppercase()));
            }
        }
    }
    text
}

/// Whether a segment is normalised (RFC 3986 §6.2.2): only bytes that need it are encoded (§3.3), in
/// upper case.
pub(crate) fn is_canonical(segment: &[u8]) -> bool {
    let mut rest = segment;
    while let Some((unit, after)) = first_unit(rest) {
        let written = rest.get(..rest.len().saturating_sub(after.len())).unwrap_or_default();
        let canonical = match unit {
            Unit::Byte(byte) if written.len() == 1 => is_plain(byte),
            Unit::Byte(byte) | Unit::Separator(byte) => {
                !is_plain(byte) && !written.iter().any(u8::is_ascii_lowercase)
            }
            Unit::Broken(_) => false,
        };
        if !canonical {
            return false;
        }
        rest = after;
    }
    true
}

/// Whether a byte needs no encoding in a segment: `pchar` of RFC 3986 §3.3.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}
