//! Percent-encoding.

/// Appends a text. The characters that `plain` does not have are written as `%` and two upper-case digits for each of
/// their bytes in UTF-8. Different texts have different results if `plain` does not have `%`.
pub(crate) fn encode(text: &str, plain: impl Fn(char) -> bool, out: &mut String) {
    let mut chars = text.chars();
    loop {
        let rest = chars.as_str();
        let Some(other) = chars.find(|c| !plain(*c)) else {
            out.push_str(rest);
            return;
        };
        let passed = rest.len().saturating_sub(chars.as_str().len());
        out.push_str(rest.get(..passed.saturating_sub(other.len_utf8())).unwrap_or_default());
        escape(other, out);
    }
}

/// Whether a character can separate two encoded texts, because no escape contains it.
pub(super) fn separates(c: char) -> bool {
    !matches!(c, '%' | '0'..='9' | 'A'..='F')
}

#[cold]
#[inline(never)]
fn escape(c: char, out: &mut String) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        out.push_str(&format!("%{byte:02X}"));
    }
}
