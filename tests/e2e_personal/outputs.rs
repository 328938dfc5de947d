//! The outputs of a run, and the form in which each input is found in them.

use std::collections::BTreeMap;

use support::prelude::*;

use super::inputs::{INPUTS, Input};

pub const HASH_KEY: &str = "0123456789abcdef0123456789abcdef";

/// Everything that a run wrote, by output.
pub type Outputs = BTreeMap<&'static str, Vec<u8>>;

/// The form for an input that is not there.
pub const ABSENT: &str = "–";

/// The form of each input in an output.
pub fn forms(output: &[u8]) -> Vec<(&'static str, &'static str)> {
    let text = String::from_utf8_lossy(output);
    let lower = text.to_ascii_lowercase();
    INPUTS.iter().map(|input| (input.name, form(&text, &lower, input))).collect()
}

/// `plain`, `token` (inside of a token that was passed on), `hash`, or [`ABSENT`].
fn form(text: &str, lower: &str, input: &Input) -> &'static str {
    if lower.contains(input.mark) {
        "plain"
    } else if encodings(input.mark).iter().any(|part| text.contains(part)) {
        "token"
    } else if text.contains(&hash(input.tagged)) {
        "hash"
    } else {
        ABSENT
    }
}

/// base64 of a text wherever it stands in a longer one: the digits that depend on it alone.
fn encodings(text: &str) -> [String; 3] {
    [0, 1, 2].map(|before| {
        let encoded = mint::b64(format!("{}{text}", "x".repeat(before)).as_bytes());
        let bits = (before + text.len()) * 8;
        encoded[[0, 2, 3][before]..bits / 6].to_owned()
    })
}

/// What `hash: true` makes of a value.
pub fn hash(value: &str) -> String {
    let mac = hmac_sha256::HMAC::mac(value.as_bytes(), HASH_KEY.as_bytes());
    mac[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_text_is_found_inside_of_a_token_wherever_it_stands() {
    let input = |mark| Input { name: "", mark, tagged: "" };
    for before in ["", "a", "ab", "abc"] {
        for after in ["", "y", "yz"] {
            let token = mint::b64(format!("{before}zqsubject{after}").as_bytes());
            let form = |mark| form(&token, &token.to_lowercase(), &input(mark));
            assert_eq!((form("zqsubject"), form("zqanother")), ("token", ABSENT), "{token}");
        }
    }
}
