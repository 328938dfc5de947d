//! The inside of a JSON string, byte by byte: UTF-8, escapes and surrogates (RFC 8259 §7, §8).

use super::flaw::Flaw;

/// Where the scanner stands inside a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// Between characters.
    Plain,
    /// Inside a character of several bytes: how many follow, and the bounds of the next one.
    Utf8 { left: u8, low: u8, high: u8 },
    /// After a backslash.
    Escape,
    /// Inside `\uXXXX`: how many digits follow, what was read, and the high surrogate before it.
    Hex { left: u8, unit: u16, high: Option<u16> },
    /// After a high surrogate: the backslash of the low one must follow.
    LowEscape { high: u16 },
    /// After that backslash: `u` must follow.
    LowMark { high: u16 },
}

impl Text {
    /// Takes one byte. `true`: it was the quotation mark that ends the string. `out` gets the
    /// bytes of the text without its escapes.
    pub(super) fn step(&mut self, byte: u8, out: impl FnMut(u8)) -> Result<bool, Flaw> {
        let mut out = out;
        *self = match (*self, byte) {
            (Self::Plain, b'"') => return Ok(true),
            (Self::Plain, b'\\') => Self::Escape,
            (Self::Plain, 0..=0x1f) => return Err(Flaw::Control),
            (Self::Plain, 0..=0x7f) => {
                out(byte);
                Self::Plain
            }
            (Self::Plain, lead) => {
                out(byte);
                after_lead(lead).ok_or(Flaw::Utf8)?
            }
            (Self::Utf8 { left, low, high }, byte) if (low..=high).contains(&byte) => {
                out(byte);
                match left.saturating_sub(1) {
                    0 => Self::Plain,
                    left => Self::Utf8 { left, low: 0x80, high: 0xbf },
                }
            }
            (Self::Utf8 { .. }, _) => return Err(Flaw::Utf8),
            (Self::Escape, b'u') => Self::Hex { left: 4, unit: 0, high: None },
            (Self::Escape, byte) => {
                out(unescaped(byte).ok_or(Flaw::Escape)?);
                Self::Plain
            }
            (Self::Hex { left, unit, high }, byte) => {
                let digit =
                    char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok());
                let unit = unit.wrapping_shl(4) | digit.ok_or(Flaw::Escape)?;
                match left.saturating_sub(1) {
                    0 => unit_read(unit, high, out)?,
                    left => Self::Hex { left, unit, high },
                }
            }
            (Self::LowEscape { high }, b'\\') => Self::LowMark { high },
            (Self::LowMark { high }, b'u') => Self::Hex { left: 4, unit: 0, high: Some(high) },
            (Self::LowEscape { .. } | Self::LowMark { .. }, _) => return Err(Flaw::Surrogate),
        };
        Ok(false)
    }
}

/// What follows the first byte of a character (RFC 3629 §4: no overlong forms, no surrogates,
/// nothing past U+10FFFF).
fn after_lead(lead: u8) -> Option<Text> {
    let (left, low, high) = match lead {
        0xc2..=0xdf => (1, 0x80, 0xbf),
        0xe0 => (2, 0xa0, 0xbf),
        0xe1..=0xec | 0xee | 0xef => (2, 0x80, 0xbf),
        0xed => (2, 0x80, 0x9f),
        0xf0 => (3, 0x90, 0xbf),
        0xf1..=0xf3 => (3, 0x80, 0xbf),
        0xf4 => (3, 0x80, 0x8f),
        _ => return None,
    };
    Some(Text::Utf8 { left, low, high })
}

fn unescaped(byte: u8) -> Option<u8> {
    Some(match byte {
        b'"' | b'\\' | b'/' => byte,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}

/// A surrogate without its partner is refused: parsers disagree on what it stands for.
fn unit_read(unit: u16, high: Option<u16>, out: impl FnMut(u8)) -> Result<Text, Flaw> {
    if high.is_none() && (0xd800..=0xdbff).contains(&unit) {
        return Ok(Text::LowEscape { high: unit });
    }
    let units = high.into_iter().chain([unit]);
    let Some(Ok(character)) = char::decode_utf16(units).next() else {
        return Err(Flaw::Surrogate);
    };
    character.encode_utf8(&mut [0; 4]).bytes().for_each(out);
    Ok(Text::Plain)
}
