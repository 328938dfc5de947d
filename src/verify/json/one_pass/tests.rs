//! The one pass and `serde_json` read the same documents, and the same values in them.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::verify::json::{MAX_DEPTH, parse_object, read_object};

/// White space, seldom any.
fn space() -> impl Strategy<Value = String> {
    prop_oneof![8 => Just(String::new()), 1 => "[ \n\t\r]{1,2}", 1 => "[\u{b}\u{c}\u{a0}]"]
}

/// What may stand between quotation marks, and some that may not.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-z0-9/ :.-]{0,12}",
        2 => "[é€😀\u{7f}\u{2028}]",
        2 => r#"\\["\\/bfnrt]"#,
        2 => r"\\u00[0-7][0-9a-fA-F]",
        1 => r"\\ud83d\\ude0[0-9]",
        1 => r"\\u(d[89a-f][0-9a-f]{2}|[0-9a-g]{3,4})",
        1 => "[\u{1}\u{1f}\n]",
        1 => r"\\[ux0 é]",
    ];
    // Most texts have no flaw.
    prop_oneof![3 => "[ -!#-\\[\\]-~é]{0,24}", 2 => vec(piece, 0..3).prop_map(|p| p.concat())]
}

/// Names of which many are equal, also in other spellings.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["iss", "aud", "exp", "nbf", "iat", "sub", "jti", "tid", ""])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec![r"\u0069ss", r"is\u0073", r"e\u0078p", r"\u00e9", "é"])
            .prop_map(str::to_owned),
        3 => "[a-z]{1,3}",
        1 => text(),
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| format!("{n:e}")),
        "-?[0-9]{1,22}",
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?",
        "[-+.eE0-9]{1,6}",
        prop::sample::select(vec![
            "1e3", "-0", "1e400", "-1e400", "1e-400", "01", "1.", ".5", "00", "-"
        ])
        .prop_map(str::to_owned),
    ]
}

/// A value, with a flaw now and then.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => text().prop_map(|text| format!("\"{text}\"")),
        4 => number(),
        2 => prop::sample::select(vec!["null", "true", "false", "[]", "{}", " [ ] ", "{ }"])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec!["nul", "True", "truex", "NaN", "", "'a'", "[,]", "[1,]", "[1 2]"])
            .prop_map(str::to_owned),
        1 => (1..MAX_DEPTH as usize + 3).prop_map(|n| format!("{}{}", "[".repeat(n), "]".repeat(n))),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec((space(), inner.clone()), 0..5).prop_map(|items| {
                let items: Vec<_> = items.iter().map(|(s, item)| format!("{s}{item}")).collect();
                format!("[{}]", items.join(","))
            }),
            object(inner, 0..5),
        ]
    })
}

fn object(
    value: impl Strategy<Value = String>,
    members: std::ops::Range<usize>,
) -> impl Strategy<Value = String> {
    vec((space(), name(), space(), value), members).prop_map(|members| {
        let member =
            |(s, n, t, v): &(String, String, String, String)| format!("{s}\"{n}\"{t}:{t}{v}{s}");
        format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
    })
}

/// Well-formed objects, seldom with a duplicate.
fn good() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| format!("{n:e}").replace("NaN", "0").replace("inf", "1")),
        any::<String>().prop_map(|text| serde_json::json!(text).to_string()),
        "[a-z]{0,40}".prop_map(|text| format!("\"{text}\"")),
        Just("null".to_owned()),
        Just("true".to_owned()),
    ];
    let value = leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(", "))),
            vec(("[a-zé]{0,4}", inner), 0..4).prop_map(|members| {
                let member = |(name, value): &(String, String)| format!("\"{name}\" :{value}");
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }),
        ]
    });
    vec(("[a-zé]{0,4}", value), 0..90).prop_map(|members| {
        let member = |(name, value): &(String, String)| format!("\"{name}\":{value}");
        format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(",\n"))
    })
}

/// Compares the two readers; true if they take the text.
fn read_alike(text: &[u8]) -> bool {
    let document = read_object(text.to_vec());
    let shown = || String::from_utf8_lossy(text).into_owned();
    match (parse_object(text), &document) {
        (None, None) => false,
        (Some(object), Some(document)) => {
            for (name, value) in &object {
                let own = document.get(name);
                assert!(own.is_some_and(|own| own == *value), "{name} in {}", shown());
            }
            assert!(document.get("no such member").is_none());
            let object = serde_json::Value::Object(object);
            assert!(document.root() == object, "{}", shown());
            assert_eq!(serde_json::from_slice::<serde_json::Value>(text).unwrap(), object);
            true
        }
        (usual, _) => panic!("{} is taken by one of two, {}", shown(), usual.is_some()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_document_is_taken_or_refused_as_serde_json_does_it(
        text in object(value(), 0..6),
        before in prop_oneof![9 => space(), 1 => Just("\u{feff}".to_owned())],
        after in prop_oneof![9 => space(), 1 => "[\0x{},\\]\" ]{1,2}"],
    ) {
        read_alike(format!("{before}{text}{after}").as_bytes());
    }

    #[test]
    fn a_value_that_is_no_object_is_refused(text in value()) {
        read_alike(text.as_bytes());
    }

    #[test]
    fn a_document_with_another_byte_or_cut_is_read_as_serde_json_reads_it(
        text in good(),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(b"\"\\{}[],: \x00\xff\xc3".as_slice())],
        cut: bool,
    ) {
        let mut text = text.into_bytes();
        read_alike(&text);
        let at = at.index(text.len());
        if cut {
            text.truncate(at);
        } else {
            text[at] = byte;
        }
        read_alike(&text);
    }
}

/// An object with this many members, of which the last has the name of the one at a place.
fn many(members: usize, same: Option<usize>) -> String {
    let name = |at: usize| format!("\"claim-{at}\":{at}");
    let last = same.map(name).into_iter();
    let members: Vec<_> = (0..members).map(name).chain(last).collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn a_duplicate_is_found_among_any_number_of_members() {
    for members in [1, 2, 31, 32, 33, 63, 64, 65, 66, 200, 3000] {
        assert!(read_alike(many(members, None).as_bytes()), "{members}");
        for same in [0, members / 2, members - 1] {
            assert!(!read_alike(many(members, Some(same)).as_bytes()), "{same} of {members}");
            let inside = format!("{{\"a\":[{{}},{}]}}", many(members, Some(same)));
            assert!(!read_alike(inside.as_bytes()), "{same} of {members}");
        }
        let inside =
            format!("{{\"a\":[{{}},{}],\"b\":{}}}", many(members, None), many(members, None));
        assert!(read_alike(inside.as_bytes()), "{members}");
    }
}

#[test]
fn names_are_compared_without_their_escapes() {
    for (text, taken) in [
        (r#"{"iss":"a","\u0069ss":"b"}"#, false),
        (r#"{"\u0069ss":"b","iss":"a"}"#, false),
        (r#"{"\u0069ss":"b","\u0069\u0073s":"a"}"#, false),
        (r#"{"\u0069ss":"b","Iss":"a"}"#, true),
        (r#"{"a\/b":1,"a/b":1}"#, false),
        (r#"{"a\\/b":1,"a/b":1}"#, true),
        ("{\"\u{e9}\":1,\"\\u00e9\":1}", false),
        ("{\"\u{1f600}\":1,\"\\ud83d\\ude00\":1}", false),
        (r#"{"":1,"":2}"#, false),
        (r#"{"a":{"iss":1},"iss":2}"#, true),
        (r#"{"a":"iss","iss":2}"#, true),
    ] {
        assert_eq!(read_alike(text.as_bytes()), taken, "{text}");
    }
    let document = read_object(br#"{"\u0069ss":"\ud83d\ude00\n","x":"\u0000"}"#.to_vec()).unwrap();
    assert_eq!(document.get("iss").unwrap().as_str(), Some("\u{1f600}\n"));
    assert_eq!(document.get("x").unwrap().as_str(), Some("\0"));
}

#[test]
fn depth_is_bounded_alike() {
    for levels in [1, 31, 32, 33, 34, 127, 128, 129, 5000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let inner = if open == "[" { "" } else { "1" };
            let text =
                format!("{{\"a\":{}{inner}{}}}", open.repeat(levels - 1), close.repeat(levels - 1));
            let text = if levels == 1 { "{\"a\":1}".to_owned() } else { text };
            assert_eq!(read_alike(text.as_bytes()), levels <= usize::from(MAX_DEPTH), "{levels}");
        }
    }
}

#[test]
fn a_text_ends_at_its_mark_wherever_that_stands() {
    for length in 0..40 {
        let plain = "x".repeat(length);
        for (end, taken) in
            [("", true), ("\\\"", true), ("\\\\", true), ("\u{1f}", false), ("\\", false)]
        {
            for after in ["", "y", "yyyyyyyyy"] {
                let text = format!("{{\"a\":\"{plain}{end}{after}\"}}");
                // A backslash before `y` is no escape.
                assert_eq!(read_alike(text.as_bytes()), taken, "{text}");
            }
        }
    }
}
