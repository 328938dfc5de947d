//! Values that are kept for templates.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::properties::text;
use super::*;

const KEPT: [&str; 5] = ["/model", "/input/model", "/data/1", "/stream", "/é"];

fn tokens(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(str::to_owned).collect()
}

/// A guard that counts rows, and keeps these values besides.
fn keeping(kept: &[&str]) -> Guard {
    let kept: Vec<_> = kept.iter().map(|pointer| tokens(pointer)).collect();
    let (rows, required) = ([tokens("/data")], [tokens("/data"), tokens("/model")]);
    let (mut pointers, required) = pointers_to_follow(&rows, &required, false).unwrap();
    pointers.capture(&kept);
    Guard { pointers, required, max_rows: None, ..guard(&[], &[]) }
}

/// The verdict on a body in pieces of this size, and the JSON of each value that was kept.
fn read(guard: &Guard, kept: &[&str], body: &[u8], size: usize) -> (bool, Vec<Option<String>>) {
    let mut check = guard.check(&Headers::default());
    let fed = body.chunks(size.max(1)).try_for_each(|piece| check.feed(guard, piece));
    let passes = fed.and_then(|()| check.finish(guard)).is_ok();
    let value = |pointer: &&str| {
        let json = check.captured(guard, &tokens(pointer))?;
        Some(String::from_utf8(json.to_vec()).unwrap())
    };
    (passes, if passes { kept.iter().map(value).collect() } else { Vec::new() })
}

#[test]
fn texts_numbers_and_booleans_are_kept_as_they_are_written() {
    let guard = keeping(&["/model"]);
    let longest = format!("\"{}\"", r"\u0061".repeat(256));
    let too_long = format!("\"{}\"", r"\u0061".repeat(257));
    let digits = "9".repeat(2000);
    for (value, want) in [
        (r#""gpt-5""#, true),
        (r#""""#, true),
        (r#""a\"b\\""#, true),
        (r#""\\\\""#, true),
        (r#""é\ud83d\ude00""#, true),
        ("12", true),
        ("-1.5e+3", true),
        ("true", true),
        ("false", true),
        (&longest, true),
        (&too_long, false),
        (&digits, false),
        ("null", false),
        ("[\"gpt-5\"]", false),
        ("{\"model\":\"gpt-5\"}", false),
    ] {
        for body in [
            format!(r#"{{"model":{value}}}"#),
            format!(r#"{{"a":"model","b":{{"model":7}},"m\u006fdel" : {value} ,"c":[1]}}"#),
        ] {
            for size in [1, 2, 3, 5, 64, body.len()] {
                let kept = want.then(|| value.to_owned());
                assert_eq!(read(&guard, &["/model"], body.as_bytes(), size), (true, vec![kept]));
            }
        }
    }
}

/// A body that some server reads in another way does not pass.
#[test]
fn a_body_with_two_readings_of_a_kept_value_is_malformed() {
    let guard = keeping(&["/model", "/input/model"]);
    for body in [
        r#"{"model":"a","model":"b"}"#,
        r#"{"model":"a","m\u006fdel":"b"}"#,
        r#"{"model":"a","Model":"b"}"#,
        r#"{"MODEL":"b"}"#,
        r#"{"input":{"model":"a"},"input":{"model":"b"}}"#,
        r#"{"input":{"model":"a"},"Input":{}}"#,
        r#"{"input":{"model":"a","model":null}}"#,
        r#"{"model":"\ud800"}"#,
        r#"{"model":"a"}{"model":"b"}"#,
    ] {
        for size in [1, 4, body.len()] {
            assert!(!read(&guard, &[], body.as_bytes(), size).0, "{body}");
        }
    }
}

#[test]
fn a_value_that_is_also_counted_or_required_is_kept() {
    let guard = keeping(&["/data", "/model", "/data/0"]);
    let kept = ["/data", "/model", "/data/0"];
    let body = br#"{"data":[1,2],"model":"m"}"#;
    let values = vec![None, Some("\"m\"".to_owned()), Some("1".to_owned())];
    assert_eq!(read(&guard, &kept, body, 1), (true, values));
    // Captured values are neither rows nor values without rows.
    assert_eq!(judged(&guard, r#"{"data":[1,2],"model":"m"}"#), Ok(2));
    let bounded = guard_of_rows();
    assert_eq!(judged(&bounded, r#"{"n":7}"#), Err(Refusal::Rows(UNKNOWN_ROWS)));
    assert_eq!(judged(&bounded, r#"{"n":7,"data":[1]}"#), Ok(1));
}

/// A guard that bounds rows, and keeps `/n`.
fn guard_of_rows() -> Guard {
    let mut guard = guard(&["/data"], &[]);
    guard.pointers.capture(&[tokens("/n")]);
    guard
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn kept_values_are_those_of_a_parser_wherever_the_body_is_cut(
        document in document(), size in 1..40_usize,
    ) {
        let guard = Guard { required: 0..0, ..keeping(&KEPT) };
        let body = document.to_string();
        let (passes, values) = read(&guard, &KEPT, body.as_bytes(), size);
        prop_assert_eq!((passes, &values), (read(&guard, &KEPT, body.as_bytes(), body.len()).0, &values));
        for (pointer, value) in KEPT.iter().zip(values) {
            let want = document.pointer(pointer).filter(|value| {
                value.is_string() || value.is_number() || value.is_boolean()
            });
            let found = value.map(|json| serde_json::from_str::<Value>(&json).unwrap());
            prop_assert_eq!(found.as_ref(), want, "{}", pointer);
        }
    }

    #[test]
    fn kept_values_do_not_depend_on_the_pieces_of_any_text(body in text(), size in 1..9_usize) {
        let guard = keeping(&["/data", "/data/data", "/0", "/input_data"]);
        let kept = ["/data", "/data/data", "/0", "/input_data"];
        prop_assert_eq!(read(&guard, &kept, &body, size), read(&guard, &kept, &body, body.len()));
    }
}

/// Objects with some of the kept names.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~é😀\\\\\"]{0,30}".prop_map(Value::from),
    ];
    let names = ["model", "input", "data", "stream", "é", "x"];
    leaf.prop_recursive(3, 30, 4, move |inner| {
        let member = (prop::sample::select(names.to_vec()), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::Array),
            prop::collection::vec(member, 0..5).prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
    .prop_map(|value| if value.is_object() { value } else { json!({"model": value}) })
}
