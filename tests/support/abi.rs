//! The functions of the ABI that a module uses.

use std::collections::BTreeSet;

/// The functions that a module imports, and the callbacks that it exports.
pub fn names(module: &[u8]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = &module[8..];
    while let [kind, after @ ..] = rest {
        let mut section = after;
        let size = number(&mut section);
        let (mut content, next) = section.split_at(size);
        rest = next;
        match *kind {
            2 => {
                for _ in 0..number(&mut content) {
                    let _module = text(&mut content);
                    let name = text(&mut content);
                    assert_eq!(content[0], 0, "{name} is a function, like all that is imported");
                    content = &content[1..];
                    number(&mut content);
                    names.insert(name);
                }
            }
            7 => {
                for _ in 0..number(&mut content) {
                    let name = text(&mut content);
                    content = &content[1..];
                    number(&mut content);
                    if name.starts_with("proxy_on_") {
                        names.insert(name);
                    }
                }
            }
            _ => {}
        }
    }
    names
}

/// An unsigned LEB128.
fn number(bytes: &mut &[u8]) -> usize {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let (number, rest) = bytes.split_at(length);
    *bytes = rest;
    number.iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f))
}

fn text(bytes: &mut &[u8]) -> String {
    let length = number(bytes);
    let (text, rest) = bytes.split_at(length);
    *bytes = rest;
    String::from_utf8(text.to_vec()).unwrap()
}
