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

/// Documents of many short tokens, with white space of several kinds, some with a byte changed, removed or inserted.
fn short() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop::sample::select(vec![
        "0",
        "-1",
        "12345678",
        "-0.5",
        "1.25e3",
        "1E+07",
        "123456789.123456789",
        "01",
        "-",
        "1.",
        "2e",
        "true",
        "false",
        "null",
        "nul",
        "falsy",
        "\"\"",
        "\"a\"",
        "\"seven_7\"",
        "\"eight__8\"",
        "\"sixteen letters.\"",
        "\"seventeen letters\"",
        r#""\n""#,
        r#""a\"b""#,
        "\"é\"",
        "\"數據數據\"",
        "\"a\u{1}\"",
        r#""\ud83d""#,
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[1,2,3,4,5,6,7,8,9,10]",
        "[-0.25, 1e5,\n7 ,8]",
        "[1,2,]",
        "[1}",
        "{]",
    ])
    .prop_map(str::to_owned);
    let names = prop::sample::select(vec![
        "data",
        "Data",
        "d\\u0061ta",
        "shape",
        "SHAPE",
        "\u{17f}hape",
        "score",
        "space",
        "name",
        "datatype",
        "id",
        "",
        "index",
        "0",
        "x",
        "xy",
        "a_long_name_of_a_member",
        "sieben7",
        "acht___8",
        "parameters",
        "ключ",
    ]);
    let space = prop::sample::select(vec!["", "", "", " ", "\n  ", "\r\n\t", "         "]);
    let document = leaf.prop_recursive(5, 60, 6, move |inner| {
        let list =
            (space.clone(), prop::collection::vec(inner.clone(), 0..6)).prop_map(|(space, all)| {
                format!("[{space}{}{space}]", all.join(&format!("{space},{space}")))
            });
        let member = (names.clone(), inner);
        let members =
            (space.clone(), prop::collection::vec(member, 0..6)).prop_map(|(space, all)| {
                let member =
                    |(name, value): &(&str, String)| format!("\"{name}\"{space}:{space}{value}");
                let all: Vec<String> = all.iter().map(member).collect();
                format!("{{{space}{}{space}}}", all.join(&format!("{space},{space}")))
            });
        prop_oneof![list, members]
    });
    let rows = prop::collection::vec(document.clone(), 0..8)
        .prop_map(|all| format!("{{\"data\":[{}]}}", all.join(",")));
    changed(prop_oneof![document, rows], 6)
}

#[test]
fn the_kind_of_a_container_is_known_after_another_at_its_depth() {
    let pointers = pointers(&["/data"]);
    for body in [
        &br#"{"x":[{"y":1},[1e5,7 ,8]],"data":1}"#[..],
        br#"{"x":[[1,2],{"a":1,"b":-0.5e1 ,"c":3}],"data":1}"#,
        br#"[[{"a":{}},[[],[1 ,2 ]],{"a":1 ,"b":[2 ]}]]"#,
    ] {
        for first in 0..=body.len() {
            for second in first..=body.len() {
                let mut scanner = Scanner::new(&pointers, 8);
                let pieces = [&body[..first], &body[first..second], &body[second..]];
                let fed = pieces.iter().try_for_each(|piece| scanner.feed(&pointers, piece));
                assert_eq!(fed.and_then(|()| scanner.finish()), Ok(()), "{first} {second}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_document_cut_anywhere_is_read_as_byte_by_byte(
        body in prop_oneof![text(), long(), short(), short()],
        counted in 0..6_usize,
        depth in 1..8_usize,
        others in any::<bool>(),
    ) {
        let list: &[&str] = match others {
            true => &["/data", "/data/0/data", "/data/3", "/x", "/1/2"],
            false => &["/data", "/inputs", "/data/index", "/index", "/x"],
        };
        let mut pointers = pointers(list).counting_rows(1, counted.max(1)).with_labels(if others { 0..0 } else { 2..4 });
        let captured = [vec!["x".to_owned()], vec!["data".to_owned(), "xy".to_owned()]];
        pointers.capture(&captured);
        let read = |mut scanner: Scanner, pieces: &[&[u8]]| {
            let fed = pieces.iter().try_for_each(|piece| scanner.feed(&pointers, piece));
            let verdict = fed.and_then(|()| scanner.finish());
            let kept = |pointer: &Vec<String>| {
                let value = scanner.captured(&pointers, pointer).map(<[u8]>::to_vec);
                (value, scanner.place(&pointers, pointer))
            };
            let all = (scanner.found().to_vec(), scanner.elements(), captured.each_ref().map(kept));
            (verdict, verdict.is_ok().then_some(all))
        };
        let plain = read(Scanner::bytewise(&pointers, depth), &[&body]);
        for border in 0..=body.len() {
            let (first, second) = body.split_at(border);
            let got = read(Scanner::new(&pointers, depth), &[first, second]);
            prop_assert_eq!(&got, &plain, "{}", border);
        }
    }
}
