//! Member names as they stand in a document, and what they spell.
//!
//! Nothing is gathered for it. serde_json would do, and allocate: a body of escaped names, whose
//! sender picks what it costs us, took twice as long.

/// Where the quotation mark stands that ends a name. `escaped`: a backslash precedes.
pub(super) fn end_of_name(text: &[u8], mut escaped: bool) -> Option<usize> {
    text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })
}

/// Whether the inside of a string is this name. That it is well-formed is for others to see.
pub(super) fn spells(text: &[u8], name: &str) -> bool {
    let (mut text, mut name) = (text, name.as_bytes());
    while let Some((byte, rest)) = text.split_first() {
        if *byte == b'\\' {
            let (character, rest) = unescaped(rest);
            let Some(left) = name.strip_prefix(character.encode_utf8(&mut [0; 4]).as_bytes())
            else {
                return false;
            };
            (text, name) = (rest, left);
        } else if let Some((same, left)) = name.split_first()
            && same == byte
        {
            (text, name) = (rest, left);
        } else {
            return false;
        }
    }
    name.is_empty()
}

/// The character of an escape, and what follows.
fn unescaped(text: &[u8]) -> (char, &[u8]) {
    if let Some((unit, rest)) = code_unit(text) {
        let low = || rest.strip_prefix(b"\\").and_then(code_unit);
        let pair = match char::from_u32(unit.into()) {
            Some(character) => return (character, rest),
            None => low().map(|(low, rest)| ([unit, low], rest)),
        };
        let Some((units, rest)) = pair else { return ('\0', rest) };
        let character = char::decode_utf16(units).next().and_then(Result::ok);
        return (character.unwrap_or_default(), rest);
    }
    let Some((byte, rest)) = text.split_first() else { return ('\0', &[]) };
    let character = match byte {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        _ => char::from(*byte),
    };
    (character, rest)
}

/// The digits after a `u`, and what follows.
fn code_unit(text: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = text.strip_prefix(b"u")?.split_first_chunk::<4>()?;
    let digits = digits.iter().map(|digit| char::from(*digit).to_digit(16).unwrap_or_default());
    let unit = digits.fold(0, |unit: u16, digit| unit.wrapping_shl(4) | digit as u16);
    Some((unit, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_its_escapes_spell_and_ends_at_a_bare_quotation_mark() {
        for (text, name) in [
            ("data", "data"),
            (r"\u0064at\u0061", "data"),
            (r"\ud83d\uDE00\u00e9é", "😀éé"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            ("", ""),
        ] {
            assert!(spells(text.as_bytes(), name), "{text}");
            assert!(!spells(text.as_bytes(), &format!("{name}x")), "{text}");
            assert!(!spells(format!("{text}x").as_bytes(), name), "{text}");
            let quoted = format!("{text}\":1");
            assert_eq!(end_of_name(quoted.as_bytes(), false), Some(text.len()), "{text}");
            assert_eq!(end_of_name(text.as_bytes(), false), None, "{text}");
        }
        assert_eq!(end_of_name(b"\" \"", true), Some(2));
    }
}
