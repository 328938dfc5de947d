//! The guard against documents and headers; JSONTestSuite is in `tests/json_suite.rs`.

use proptest::prelude::*;

use super::*;

fn pointers(list: &[&str]) -> Pointers {
    let split =
        |pointer: &&str| -> Vec<String> { pointer.split('/').skip(1).map(str::to_owned).collect() };
    let lists: Vec<Vec<String>> = list.iter().map(split).collect();
    Pointers::new(lists.iter().map(Vec::as_slice))
}

fn guard(json_rows: &[&str], require_any: &[&str]) -> Guard {
    Guard {
        content_types: Some(vec!["application/json".into()]),
        max_bytes: 1 << 20,
        max_depth: 32,
        max_rows: Some(100),
        pointers: pointers(&[json_rows, require_any].concat()),
        required_from: json_rows.len(),
    }
}

fn judge(guard: &Guard, body: &[u8], size: usize) -> Result<u64, Refusal> {
    let mut check = guard.check();
    body.chunks(size.max(1)).try_for_each(|piece| check.feed(guard, piece))?;
    check.finish(guard)
}

#[test]
fn the_rows_of_the_shapes_that_endpoints_take_are_counted() {
    let scoring = guard(&["/input_data/data", "/data"], &["/data", "/input_data"]);
    let chat = guard(&["/input_data/input_string", "/messages"], &[]);
    let plain = guard(&[], &[]);
    let rows = "[1,2],[3,4],[5,6]";
    for (guard, body, want) in [
        (&scoring, format!(r#"{{"data":[{rows}]}}"#), 3),
        (&scoring, r#"{"data":[]}"#.into(), 0),
        (
            &scoring,
            format!(r#"{{"input_data":{{"columns":["a"],"index":[0,1],"data":[{rows}]}}}}"#),
            3,
        ),
        (&scoring, format!(r#"{{"data":[1],"input_data":{{"data":[{rows}]}}}}"#), 3),
        (
            &scoring,
            r#"{"input_data":{"input_string":[{"role":"user"}],"parameters":{}}}"#.into(),
            1,
        ),
        (&scoring, r#"{"data":{"x":[1,2]}}"#.into(), 1),
        (&scoring, r#"{"data":null}"#.into(), 1),
        (&chat, r#"{"input_data":{"input_string":[{"role":"user"},{"role":"x"}]}}"#.into(), 2),
        (&chat, r#"{"model":"m","messages":[{"role":"user","content":"[1,2]"}]}"#.into(), 1),
        (&plain, r#"{"data":[1,2]}"#.into(), 1),
        (&plain, format!("[{rows}]"), 3),
        (&plain, "7".into(), 1),
        (&scoring, r#"{"\u0064at\u0061":[1,2]}"#.into(), 2),
    ] {
        for size in [1, 2, 3, 7, body.len()] {
            assert_eq!(judge(guard, body.as_bytes(), size), Ok(want), "{size}: {body}");
        }
    }
}

#[test]
fn a_pointer_leads_through_arrays_and_escaped_names_only_where_it_says() {
    let guard = guard(&["/a/1/b", "/x~y/é", "/00", "/2"], &[]);
    for (body, want) in [
        (r#"{"a":[{"b":[1,2,3]},{"b":[1,2]},{"b":[]}]}"#, 2),
        (r#"{"a":{"1":{"b":[1,2,3,4]}}}"#, 4),
        (r#"{"x~y":{"\u00e9":[1,2]}}"#, 2),
        (r#"{"n":{"a":[0,{"b":[1,2]}]},"a":[[0],[0],{"b":[1,2]}]}"#, 1),
        (r#"{"aa":[0,{"b":[1,2]}],"":[0,{"b":[1,2]}]}"#, 1),
        (r#"[[1],[1],[1,2,3,4,5]]"#, 5),
    ] {
        assert_eq!(judge(&guard, body.as_bytes(), 1), Ok(want), "{body}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let guard = guard(&[], &["/data"]);
    let malformed = |offset, flaw| Err(Refusal::Malformed(Malformed { offset, flaw }));
    let deep = "[".repeat(33);
    for (body, want) in [
        ("", Err(Refusal::NoBody)),
        (" ", malformed(1, Flaw::End)),
        (r#"{"data":1"#, malformed(9, Flaw::End)),
        (r#"{"data":1}}"#, malformed(10, Flaw::Trailing)),
        (r#"{"data":1,}"#, malformed(10, Flaw::Name)),
        (r#"{"data" 1}"#, malformed(8, Flaw::Colon)),
        (r#"{"data":01}"#, malformed(9, Flaw::Separator)),
        (r#"{"data":1.}"#, malformed(10, Flaw::Number)),
        (r#"{"data":nul}"#, malformed(11, Flaw::Literal)),
        (r#"{"data":"\x"}"#, malformed(10, Flaw::Escape)),
        (r#"{"data":"\ud800"}"#, malformed(15, Flaw::Surrogate)),
        (r#"{"data":"\udc00"}"#, malformed(14, Flaw::Surrogate)),
        ("{\"data\":\"\n\"}", malformed(9, Flaw::Control)),
        (r#"{"data":1,"d\u0061ta":2}"#, malformed(20, Flaw::Duplicate)),
        (r#"{"other":1,"other":2}"#, Err(Refusal::Lacking)),
        (r#"[{"data":1}]"#, Err(Refusal::Lacking)),
        (&deep, malformed(32, Flaw::Depth)),
    ] {
        for size in [1, 4, 1000] {
            assert_eq!(judge(&guard, body.as_bytes(), size), want, "{size}: {body}");
        }
    }
    let many = format!(r#"{{"data":[{}1]}}"#, "1,".repeat(100));
    assert_eq!(judge(&guard, many.as_bytes(), 9), Err(Refusal::Rows(101)));
}

#[test]
fn a_body_is_refused_at_the_first_byte_too_many() {
    let guard = Guard { max_bytes: 10, ..guard(&[], &[]) };
    assert_eq!(judge(&guard, b"[1,2,3,45]", 3), Ok(4));
    for size in 1..12 {
        let mut check = guard.check();
        let body = [b' '; 11];
        let outcomes: Vec<_> = body.chunks(size).map(|piece| check.feed(&guard, piece)).collect();
        let (last, before) = outcomes.split_last().unwrap();
        assert_eq!(*last, Err(Refusal::TooLarge { announced: false }), "{size}");
        assert!(before.iter().all(Result::is_ok));
    }
}

#[test]
fn headers_alone_refuse_what_no_body_could_cure() {
    let json = ("content-type", "application/json");
    for (pairs, want) in [
        (vec![json], Ok(())),
        (vec![("content-type", "Application/JSON ; charset=\"UTF-8\"")], Ok(())),
        (vec![("content-type", "application/json;charset=utf-16")], Err(Refusal::Charset)),
        (vec![("content-type", "application/jsonx")], Err(Refusal::MediaType)),
        (vec![("content-type", "text/plain")], Err(Refusal::MediaType)),
        (vec![("content-type", "")], Err(Refusal::MediaType)),
        (vec![], Err(Refusal::MediaType)),
        (vec![json, json], Err(Refusal::MediaType)),
        (vec![json, ("content-encoding", "identity")], Ok(())),
        (vec![json, ("content-encoding", "gzip")], Err(Refusal::Encoded)),
        (vec![json, ("content-encoding", "identity, br")], Err(Refusal::Encoded)),
        (vec![json, ("content-length", "1048576")], Ok(())),
        (vec![json, ("content-length", "1048577")], Err(Refusal::TooLarge { announced: true })),
    ] {
        let headers = Headers::from_pairs(&pairs);
        assert_eq!(guard(&[], &[]).admit(&headers, false), want, "{pairs:?}");
        assert_eq!(guard(&[], &[]).admit(&headers, true), Err(Refusal::NoBody));
    }
}

/// Documents, and texts that nearly are: JSON with a byte changed, removed or put in.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| serde_json::json!(n).to_string()),
        any::<String>().prop_map(|s| serde_json::json!(s).to_string()),
        Just(r#""\ud83d\ude00\u0000""#.to_owned()),
    ];
    let name = prop_oneof![Just("data".to_owned()), Just("input_data".to_owned()), ".{0,3}"];
    let document = leaf.prop_recursive(4, 40, 6, move |inner| {
        let list = prop::collection::vec(inner.clone(), 0..6);
        let members = prop::collection::vec((name.clone(), inner), 0..4);
        prop_oneof![
            list.prop_map(|items| format!("[{}]", items.join(" , "))),
            members.prop_map(|members| {
                let member = |(n, v): &(String, String)| format!("{}:{v}", serde_json::json!(n));
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }),
        ]
    });
    (document, any::<prop::sample::Index>(), any::<u8>(), 0..4_u8).prop_map(
        |(document, at, byte, change)| {
            let mut bytes = document.into_bytes();
            let at = at.index(bytes.len());
            match change {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => {}
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_way_to_cut_a_body_gives_the_same_verdict(body in text(), cuts in any::<[u8; 8]>()) {
        let guard = guard(&["/input_data/data", "/data"], &["/data", "/input_data"]);
        let whole = judge(&guard, &body, body.len());
        prop_assert_eq!(judge(&guard, &body, 1), whole);
        let mut check = guard.check();
        let (mut rest, mut failed) = (&body[..], None);
        for cut in cuts.iter().cycle() {
            let (piece, after) = rest.split_at((*cut as usize % 9).max(1).min(rest.len()));
            failed = check.feed(&guard, piece).err();
            rest = after;
            if rest.is_empty() || failed.is_some() {
                break;
            }
        }
        prop_assert_eq!(failed.map_or_else(|| check.finish(&guard), Err), whole);
    }

    #[test]
    fn a_document_read_whole_or_byte_by_byte_has_the_same_flaw_in_the_same_place_and_the_same_finds(
        inside in text(),
        depth in 0..140_usize,
        words in "[ -~é€😀]{0,90}",
    ) {
        let pointers = pointers(&["/data", "/1", "/0/1", "/data/1", "/0/0/data", "/data/é"]);
        let bracket = |level: usize| if level % 3 == 1 { ("{\"data\":", "}") } else { ("[", "]") };
        let (open, close): (String, Vec<&str>) = (0..depth).map(bracket).unzip();
        let words = serde_json::json!(words).to_string();
        let around = [open, format!("[{words},"), "]".into(), close.into_iter().rev().collect()];
        let [open, first, end, close] = around.map(String::into_bytes);
        let body = [open, first, inside, end, close].concat();
        let read = |size: usize| {
            let mut scanner = Scanner::new(&pointers, 128);
            let fed = body.chunks(size).try_for_each(|piece| scanner.feed(&pointers, piece));
            let verdict = fed.and_then(|()| scanner.finish());
            (verdict, scanner.found().to_vec(), scanner.elements())
        };
        prop_assert_eq!(read(1), read(body.len()));
    }

    #[test]
    fn what_is_json_is_what_the_reference_parser_takes(body in text()) {
        let guard = Guard { max_depth: 127, max_rows: None, ..guard(&[], &[]) };
        let reference = serde_json::from_slice::<serde_json::Value>(&body);
        // A number past the range of f64 is JSON (RFC 8259 §6). The reference stops there and says
        // nothing of the rest.
        prop_assume!(!reference.as_ref().is_err_and(|e| e.to_string().contains("out of range")));
        prop_assert_eq!(judge(&guard, &body, 5).is_ok(), reference.is_ok());
    }
}
