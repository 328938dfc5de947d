//! The spelling of member names.
//!
//! The comparison allocates nothing. With serde_json, which allocates, a hostile body of escaped names
//! took twice as long.

/// The place of the quotation mark that ends a name. `escaped`: a backslash precedes the text.
pub(super) fn end_of_name(text: &[u8], mut escaped: bool) -> Option<usize> {
    text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })
}

/// How a name in a document spells another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Exactly, once its escapes are undone.
    Same,
    /// Except for letter case, which some parsers ignore (Go's `encoding/json`) and others do not.
    OtherCase,
}

/// How the inside of a JSON string spells this name; `None` if it does not. The scanner checks that
/// the string is well-formed.
pub(super) fn spells(text: &[u8], name: &str) -> Option<Spelling> {
    let escaped = |byte: &u8| *byte == b'\\' || !byte.is_ascii();
    if text == name.as_bytes() {
        return Some(Spelling::Same);
    }
    // Nearly all names are decided here.
    if name.is_ascii() && !text.iter().any(escaped) {
        return text.eq_ignore_ascii_case(name.as_bytes()).then_some(Spelling::OtherCase);
    }
    let (mut text, mut name) = (text, name);
    let mut spelling = Spelling::Same;
    while let Some((byte, rest)) = text.split_first() {
        let wanted = name.chars().next()?;
        let (character, rest) = match byte {
            b'\\' => unescaped(rest),
            0..0x80 => (char::from(*byte), rest),
            _ => character(text)?,
        };
        if character != wanted {
            if folded(character) != folded(wanted) {
                return None;
            }
            spelling = Spelling::OtherCase;
        }
        (text, name) = (rest, name.get(wanted.len_utf8()..)?);
    }
    name.is_empty().then_some(spelling)
}

/// Whether a name that begins with this byte may spell one that begins with `wanted`.
pub(super) fn may_begin(first: u8, wanted: Option<u8>) -> bool {
    let Some(wanted) = wanted else { return false };
    match first {
        b'\\' => true,
        0..0x80 => first.eq_ignore_ascii_case(&wanted),
        // A letter outside of ASCII may fold to one of ASCII, see `folded`.
        _ => wanted >= 0x80 || matches!(wanted.to_ascii_lowercase(), b'i' | b'k' | b's'),
    }
}

/// One form for all letter cases of a character, as parsers that ignore case compare it: ASCII with
/// the Kelvin sign, the long s and the dotless i, and Latin, Greek and Cyrillic. Tables for all
/// scripts would add 24 KiB to the module.
fn folded(character: char) -> char {
    let lower = |by: u32| char::from_u32(u32::from(character).wrapping_add(by));
    let pairs = |odd: u32| char::from_u32(u32::from(character).wrapping_add(odd) | 1);
    let folded = match character {
        'A'..='Z' => Some(character.to_ascii_lowercase()),
        '\u{212a}' => Some('k'),
        '\u{17f}' => Some('s'),
        '\u{130}' | '\u{131}' => Some('i'),
        '\u{212b}' => Some('å'),
        '\u{3c2}' => Some('σ'),
        'Ÿ' => Some('ÿ'),
        'À'..='Þ' | 'Α'..='Ω' | 'А'..='Я' if character != '×' => lower(0x20),
        'Ѐ'..='Џ' => lower(0x50),
        // Pairs of an upper-case letter and its lower-case one, from an even or an odd code point on.
        '\u{100}'..='\u{137}' | '\u{14a}'..='\u{177}' | '\u{460}'..='\u{481}' => pairs(0),
        '\u{139}'..='\u{148}' | '\u{179}'..='\u{17e}' => pairs(1),
        _ => None,
    };
    folded.unwrap_or(character)
}

/// The first character of a text that does not begin with ASCII, and the rest.
fn character(text: &[u8]) -> Option<(char, &[u8])> {
    let length = match text.first()? {
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    };
    let (bytes, rest) = text.split_at_checked(length)?;
    Some((std::str::from_utf8(bytes).ok()?.chars().next()?, rest))
}

/// The character of an escape, and the rest.
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

/// The number of four digits after a `u`, and the rest.
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
            assert_eq!(spells(text.as_bytes(), name), Some(Spelling::Same), "{text}");
            assert_eq!(spells(text.as_bytes(), &format!("{name}x")), None, "{text}");
            assert_eq!(spells(format!("{text}x").as_bytes(), name), None, "{text}");
            let quoted = format!("{text}\":1");
            assert_eq!(end_of_name(quoted.as_bytes(), false), Some(text.len()), "{text}");
            assert_eq!(end_of_name(text.as_bytes(), false), None, "{text}");
        }
        assert_eq!(end_of_name(b"\" \"", true), Some(2));
    }

    #[test]
    fn a_name_in_another_letter_case_is_recognised() {
        for (text, name) in [
            ("Data", "data"),
            ("data", "DATA"),
            (r"\u0044ata", "data"),
            ("inſtanceſ", "instances"),
            (r"in\u017ftances", "instances"),
            ("to\u{212a}ens", "tokens"),
            (r"\u212Aind", "kind"),
            ("dıata", "diata"),
            ("GRÖSSE", "grösse"),
            ("ΣΊΣΥΦΟς", "σΊσυφοσ"),
            ("ДАННЫЕ", "данные"),
            ("ŽĽŸ", "žľÿ"),
        ] {
            for (text, name) in [(text, name), (name, text)] {
                // Escapes are undone in the document alone.
                if name.contains('\\') {
                    continue;
                }
                assert_eq!(spells(text.as_bytes(), name), Some(Spelling::OtherCase), "{text}");
                let first = text.bytes().next().unwrap();
                assert!(may_begin(first, name.bytes().next()), "{text} {name}");
            }
        }
        for (text, name) in [("datä", "data"), ("数据", "数量"), ("×", "÷"), ("k", "s"), ("[", "{")]
        {
            assert_eq!(spells(text.as_bytes(), name), None, "{text}");
            assert_eq!(spells(name.as_bytes(), text), None, "{text}");
        }
        assert_eq!(spells(b"\xffdata", "data"), None);
        assert_eq!(spells(b"dat\xe2\x84", "data"), None);
    }
}
