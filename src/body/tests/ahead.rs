//! Reading many bytes at once never changes what is found.

use proptest::prelude::*;

use super::super::json::scanner::Scanner;
use super::properties::{changed, text};
use super::*;

/// Rows of numbers and long texts, some with a byte changed, removed or inserted.
fn long() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![
        any::<i16>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| serde_json::json!(n).to_string()),
        prop::sample::select(vec![
            "0", "-0.0", "1E+5", "12.50e-7", "1 ", "\n  2", "01", "1.", "-", "1e"
        ])
        .prop_map(str::to_owned),
    ];
    let numbers =
        prop::collection::vec(number, 0..40).prop_map(|all| format!("[{}]", all.join(",")));
    let word = prop_oneof![
        "[ -~]{0,12}".prop_map(|words| serde_json::json!(words).to_string().replace('"', "")),
        prop::sample::select(vec![
            "é",
            "數據",
            "😀",
            r"\n",
            r#"\""#,
            r"\\",
            r"\u00e9",
            r"\ud83d\ude00",
            r"\ud83d",
            r"\ude00",
            r"\x",
            r"\u12g4",
        ])
        .prop_map(str::to_owned),
    ];
    let words = prop::collection::vec(word, 0..20).prop_map(|all| format!("\"{}\"", all.concat()));
    let value = prop_oneof![numbers, words];
    let name =
        prop::sample::select(vec!["data", "x", "a longer name", "shape", r"d\u0061ta", "Data"]);
    let member = (name, value.clone()).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    let object =
        prop::collection::vec(member, 0..4).prop_map(|all| format!("{{{}}}", all.join(",")));
    let list = prop::collection::vec(prop_oneof![value, object.clone()], 0..5)
        .prop_map(|all| format!("{{\"data\":[{}]}}", all.join(",")));
    changed(prop_oneof![list, object], 6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_document_cut_anywhere_is_read_as_byte_by_byte(
        body in prop_oneof![text(), long()],
        counted in 0..4_usize,
        depth in 1..6_usize,
    ) {
        let pointers = pointers(&["/data", "/data/0/data", "/data/3", "/x", "/1/2"]).counting_rows(1, counted.max(1));
        let read = |mut scanner: Scanner, pieces: &[&[u8]]| {
            let fed = pieces.iter().try_for_each(|piece| scanner.feed(&pointers, piece));
            let verdict = fed.and_then(|()| scanner.finish());
            (verdict, verdict.is_ok().then(|| (scanner.found().to_vec(), scanner.elements())))
        };
        let plain = read(Scanner::bytewise(&pointers, depth), &[&body]);
        for border in 0..=body.len() {
            let (first, second) = body.split_at(border);
            let got = read(Scanner::new(&pointers, depth), &[first, second]);
            prop_assert_eq!(&got, &plain, "{}", border);
        }
    }
}
