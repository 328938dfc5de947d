//! The paths that servers read from one request line.

use std::collections::BTreeSet;

/// Every path that some server reads from these bytes: decoded once and twice, `\` as `/`, slashes
/// merged or not, parameters and what follows NUL cut or not, dot segments removed before and after
/// all that. Letter case is not among them: paths differ by it (RFC 3986 §6.2.2.1), and in front of an
/// upstream that folds it, rules list the open paths instead of the closed ones.
pub fn readings(path: &str) -> BTreeSet<String> {
    let path = path.split('?').next().unwrap().split('#').next().unwrap();
    let steps: [fn(&str) -> String; 6] = [
        decoded,
        |path| path.replace('\\', "/"),
        |path| path.split('/').map(|s| s.split(';').next().unwrap()).collect::<Vec<_>>().join("/"),
        |path| path.split('\0').next().unwrap().to_owned(),
        without_dots,
        |path| {
            let mut merged = path.to_owned();
            while merged.contains("//") {
                merged = merged.replace("//", "/");
            }
            merged
        },
    ];
    let mut all = BTreeSet::from([path.to_owned()]);
    let mut fresh = all.clone();
    // Three rounds reach every order of the few steps that matter to one path.
    for _ in 0..4 {
        let next: BTreeSet<String> =
            fresh.iter().flat_map(|path| steps.iter().map(move |step| step(path))).collect();
        fresh = next.difference(&all).cloned().collect();
        all.extend(fresh.iter().cloned());
    }
    all
}

fn decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = path.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match hex.filter(|_| bytes[at] == b'%') {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    shortened(&out)
}

/// A lenient decoder's reading of overlong forms (RFC 3629 §10); other bytes are characters.
fn shortened(bytes: &[u8]) -> String {
    let low = |value: u32, byte: &u8| (value << 6) | u32::from(byte & 0x3F);
    let mut text = String::new();
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        let (length, bits) = match first {
            0xC0 | 0xC1 => (2, u32::from(first & 1)),
            0xE0 => (3, 0),
            0xF0 => (4, 0),
            0xF8 => (5, 0),
            0xFC => (6, 0),
            _ => (1, 0),
        };
        let form = rest.get(..length).filter(|_| length > 1);
        let value = form.map(|form| form[1..].iter().fold(bits, low)).filter(|v| *v < 0x80);
        match value.and_then(char::from_u32) {
            Some(character) => {
                text.push(character);
                rest = &rest[length..];
            }
            None => {
                text.push(char::from(first));
                rest = &rest[1..];
            }
        }
    }
    text
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "." => {}
            ".." => {
                if kept.len() > 1 {
                    kept.pop();
                }
            }
            other => kept.push(other),
        }
    }
    kept.join("/")
}
