//! Bodies that must ask for the usage of a stream.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::ordered::Members;
use super::*;

fn guard(wanted: IncludeUsage) -> Guard {
    let mut pointers = Pointers::new([]);
    pointers.capture(&crate::body::usage::pointers());
    let guard = super::guard(&[], &[]);
    Guard { pointers, required: 0..0, max_rows: None, include_usage: wanted, ..guard }
}

/// The body after the guard, whose verdict must not depend on the pieces.
fn passes(wanted: IncludeUsage, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    passes_in(wanted, body, &[1, 2, 3, 7, 33])
}

fn passes_in(wanted: IncludeUsage, body: &[u8], sizes: &[usize]) -> Result<Vec<u8>, Refusal> {
    let guard = guard(wanted);
    let passes = |size: usize| {
        let mut check = guard.check(&Headers::default());
        body.chunks(size).try_for_each(|piece| check.feed(&guard, piece))?;
        check.finish(&guard)?;
        Ok(match check.edit(&guard) {
            None => body.to_vec(),
            Some(edit) => {
                let (start, end) = (edit.place.start as usize, edit.place.end as usize);
                let new = [&body[..start], edit.text.as_bytes(), &body[end..]].concat();
                assert_eq!((edit.size, edit.new_size()), (body.len() as u64, new.len() as u64));
                new
            }
        })
    };
    let whole = passes(body.len().max(1));
    for size in sizes {
        assert_eq!(passes(*size), whole, "{size}: {}", body.escape_ascii());
    }
    whole
}

#[test]
fn a_stream_asks_for_its_usage_or_is_refused() {
    // The body, and what passes with `add`: nothing, if it is refused.
    let same = "same";
    for (body, added) in [
        (r#"{"stream":true}"#, r#"{"stream_options":{"include_usage":true},"stream":true}"#),
        (
            "\r\n\t { \"stream\" : true } ",
            "{\"stream_options\":{\"include_usage\":true}, \"stream\" : true } ",
        ),
        (
            r#"{"model":"a","stream":true,"stream_options":null}"#,
            r#"{"model":"a","stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options":{},"stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"stream":true}"#,
        ),
        (
            r#"{"stream_options":{ },"stream":true}"#,
            r#"{"stream_options":{"include_usage":true },"stream":true}"#,
        ),
        (
            r#"{"stream_options":{"x":[{}]},"stream":true}"#,
            r#"{"stream_options":{"include_usage":true,"x":[{}]},"stream":true}"#,
        ),
        (
            r#"{"stream_options":{"include_usage":false},"stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"stream":true}"#,
        ),
        (
            r#"{"stream_options":{"a":1,"include_usage" : null,"b":2},"stream":true}"#,
            r#"{"stream_options":{"a":1,"include_usage" : true,"b":2},"stream":true}"#,
        ),
        (
            r#"{"str\u0065am\u005foptions":{"include\u005fusage":false},"\u0073tream":true}"#,
            r#"{"str\u0065am\u005foptions":{"include\u005fusage":true},"\u0073tream":true}"#,
        ),
        // What servers read in different ways counts as a stream.
        (r#"{"stream":1}"#, r#"{"stream_options":{"include_usage":true},"stream":1}"#),
        (r#"{"stream":"false"}"#, r#"{"stream_options":{"include_usage":true},"stream":"false"}"#),
        (r#"{"stream":[]}"#, r#"{"stream_options":{"include_usage":true},"stream":[]}"#),
        (r#"{"stream":{}}"#, r#"{"stream_options":{"include_usage":true},"stream":{}}"#),
        // The members of other objects.
        (
            r#"{"include_usage":true,"a":{"stream_options":{"include_usage":true}},"stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"include_usage":true,"a":{"stream_options":{"include_usage":true}},"stream":true}"#,
        ),
        (r#"{"stream":true,"stream_options":{"include_usage":1}}"#, ""),
        (r#"{"stream":true,"stream_options":{"include_usage":"true"}}"#, ""),
        (r#"{"stream":true,"stream_options":{"include_usage":[]}}"#, ""),
        (r#"{"stream":true,"stream_options":{"include_usage":{}}}"#, ""),
        (r#"{"stream":true,"stream_options":[]}"#, ""),
        (r#"{"stream":true,"stream_options":"include_usage"}"#, ""),
        (r#"{"stream":true,"stream_options":true}"#, ""),
        (r#"{"stream":true,"stream_options":1}"#, ""),
    ] {
        let refused = Err(Refusal::NoUsage);
        let added = if added.is_empty() { refused.clone() } else { Ok(added.into()) };
        assert_eq!(passes(IncludeUsage::Add, body.as_bytes()), added, "{body}");
        assert_eq!(passes(IncludeUsage::Require, body.as_bytes()), refused, "{body}");
        if let Ok(added) = added {
            // What was added is not added again, and is what is required.
            assert_eq!(passes(IncludeUsage::Add, &added), Ok(added.clone()), "{body}");
            assert_eq!(passes(IncludeUsage::Require, &added), Ok(added.clone()), "{body}");
        }
    }
    for body in [
        r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        r#"{"stream_options":{"x":null,"include_usage":true},"stream":"yes"}"#,
        r#"{"stream":false}"#,
        r#"{"stream":null,"stream_options":null}"#,
        r#"{"stream":false,"stream_options":{"include_usage":7}}"#,
        r#"{"a":{"stream":true}}"#,
        r#"{"stream_options":{"include_usage":false}}"#,
        r#"[{"stream":true}]"#,
        "{}",
        "[]",
        "7",
        "\"stream\"",
        " null ",
        "",
    ] {
        for wanted in [IncludeUsage::Add, IncludeUsage::Require] {
            assert_eq!(passes(wanted, body.as_bytes()), Ok(body.into()), "{same} {body}");
        }
    }
}

/// Some servers read the first of two members and some the last, or a member in another letter case.
#[test]
fn a_body_with_two_readings_of_its_stream_is_malformed() {
    for body in [
        r#"{"stream":false,"stream":true}"#,
        r#"{"stream":true,"str\u0065am":false}"#,
        r#"{"stream":true,"Stream":false}"#,
        r#"{"STREAM":true}"#,
        r#"{"\u017ftream":true}"#,
        r#"{"stream":true,"stream_options":{"include_usage":true},"stream_options":{}}"#,
        r#"{"stream":true,"stream_options":{},"stream\u005foptions":null}"#,
        r#"{"stream":true,"Stream_Options":{}}"#,
        r#"{"stream":true,"stream_options":{"include_usage":true,"include_usage":false}}"#,
        r#"{"stream":true,"stream_options":{"Include_Usage":false}}"#,
    ] {
        for wanted in [IncludeUsage::Add, IncludeUsage::Require] {
            let refusal = passes(wanted, body.as_bytes()).unwrap_err();
            assert_eq!(refusal.reason(), Reason::PayloadMalformed, "{body}");
        }
    }
}

/// Names and texts: any, and those that look like the members that matter.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "\\PC{0,6}", 1 => "(stream|_options|include_usage|\"|\\\\|,|\\{|\\}|:){0,3}"]
}

/// A value of any type, for the members that matter.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => Just(json!(true)),
        2 => Just(json!(false)),
        2 => Just(json!(null)),
        1 => Just(json!({})),
        1 => Just(json!([])),
        1 => Just(json!("true")),
        1 => Just(json!(1)),
        2 => text().prop_map(Value::String),
    ]
}

fn options() -> impl Strategy<Value = Value> {
    let members =
        (proptest::option::of(value()), proptest::collection::btree_map(text(), value(), 0..3));
    let object = members.prop_map(|(usage, others)| {
        let mut object: serde_json::Map<_, _> = others.into_iter().collect();
        object.extend(usage.map(|usage| ("include_usage".to_owned(), usage)));
        Value::Object(object)
    });
    prop_oneof![4 => object, 2 => value()]
}

fn space() -> impl Strategy<Value = String> {
    "[ \t\r\n]{0,3}"
}

/// A document with its members in any order, and with spaces and escapes where they may be.
fn written(members: &[(String, Value)], space: &str, escapes: bool) -> String {
    let name = |name: &str| match (escapes, name.split_once('e')) {
        (true, Some((before, after)))
            if before.is_ascii() && !name.contains(['"', '\\']) && name.is_ascii() =>
        {
            format!("\"{before}\\u0065{after}\"")
        }
        _ => Value::from(name).to_string(),
    };
    let member = |(member, value): &(String, Value)| {
        format!("{space}{}{space}:{space}{value}{space}", name(member))
    };
    let members: Vec<_> = members.iter().map(member).collect();
    format!("{space}{{{}}}{space}", members.join(","))
}

fn members(document: &[u8]) -> Vec<(String, Value)> {
    serde_json::from_slice::<Members>(document).unwrap().0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// The rewritten document has the member, and is otherwise the same in every member and their order.
    #[test]
    fn a_changed_body_differs_in_the_member_alone(
        stream in proptest::option::of(value()),
        options in proptest::option::of(options()),
        others in proptest::collection::btree_map(text(), value(), 0..4),
        order in any::<usize>(),
        space in space(),
        escapes in any::<bool>(),
    ) {
        let mut given: Vec<_> = others.into_iter().collect();
        given.extend(stream.map(|value| ("stream".to_owned(), value)));
        given.extend(options.map(|value| ("stream_options".to_owned(), value)));
        let folded = |name: &str| name.to_lowercase().replace('ſ', "s");
        let twin = |name: &str| ["stream", "stream_options"].contains(&folded(name).as_str());
        prop_assume!(given.iter().filter(|(name, _)| twin(name)).all(|(name, _)| !name.chars().any(char::is_uppercase)));
        let by = order.checked_rem(given.len()).unwrap_or_default();
        given.rotate_left(by);
        let body = written(&given, &space, escapes);
        let Ok(new) = passes_in(IncludeUsage::Add, body.as_bytes(), &[by.max(1)]) else { return Ok(()) };
        let (before, mut after) = (members(body.as_bytes()), members(&new));
        let streams = before.iter().any(|(name, value)| name == "stream" && !matches!(value, Value::Null | Value::Bool(false)));
        if !streams {
            prop_assert_eq!(new, body.into_bytes());
            return Ok(());
        }
        let place = after.iter().position(|(name, _)| name == "stream_options").unwrap();
        prop_assert_eq!(&after[place].1["include_usage"], &json!(true));
        match before.iter().find(|(name, _)| name == "stream_options") {
            None => {
                prop_assert_eq!((place, &after[place].1), (0, &json!({"include_usage": true})));
                after.remove(place);
            }
            Some((_, Value::Null)) => {
                prop_assert_eq!(&after[place].1, &json!({"include_usage": true}));
                after[place].1 = Value::Null;
            }
            Some((_, given)) => match given.get("include_usage") {
                Some(given) => after[place].1["include_usage"] = given.clone(),
                None => {
                    after[place].1.as_object_mut().unwrap().remove("include_usage");
                }
            },
        }
        prop_assert_eq!(after, before);
    }

    /// Where one reader would take the first of two members and another the last, nothing passes.
    #[test]
    fn a_body_with_a_member_twice_never_passes(
        first in value(), second in value(), name in 0..3_usize, stream in value(), space in space(),
    ) {
        let name = ["stream", "stream_options", "include_usage"][name];
        let twice: Vec<_> = [first, second].map(|value| (name.to_owned(), value)).to_vec();
        let body = match name {
            "include_usage" => {
                let options = written(&twice, &space, false);
                format!(r#"{{"stream":{stream},"stream_options":{options}}}"#)
            }
            _ => written(&twice, &space, false),
        };
        for wanted in [IncludeUsage::Add, IncludeUsage::Require] {
            let refusal = passes_in(wanted, body.as_bytes(), &[3]).unwrap_err();
            prop_assert_eq!(refusal.reason(), Reason::PayloadMalformed);
        }
    }
}
