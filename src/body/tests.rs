//! The guard against documents and headers; JSONTestSuite is in `tests/json_suite.rs`.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::json::scanner::Scanner;
use super::*;

fn pointers(list: &[&str]) -> Pointers {
    let split =
        |pointer: &&str| -> Vec<String> { pointer.split('/').skip(1).map(str::to_owned).collect() };
    let lists: Vec<Vec<String>> = list.iter().map(split).collect();
    Pointers::new(lists.iter().map(Vec::as_slice))
}

fn guard(json_rows: &[&str], require_any: &[&str]) -> Guard {
    let lists = [json_rows, require_any].map(|list| {
        let split = |pointer: &&str| pointer.split('/').skip(1).map(str::to_owned).collect();
        list.iter().map(split).collect::<Vec<Vec<String>>>()
    });
    let (pointers, required) = looked_for(&lists[0], &lists[1], true).unwrap();
    Guard {
        content_types: Some(vec!["application/json".into()]),
        max_bytes: 1 << 20,
        max_depth: 32,
        max_rows: Some(100),
        pointers,
        required,
    }
}

fn judge(guard: &Guard, body: &[u8], size: usize) -> Result<u64, Refusal> {
    let mut check = guard.check(&Headers::default());
    body.chunks(size.max(1)).try_for_each(|piece| check.feed(guard, piece))?;
    check.finish(guard)
}

/// As [`judge`], the same for every way to cut the body.
fn judged(guard: &Guard, body: &str) -> Result<u64, Refusal> {
    let whole = judge(guard, body.as_bytes(), body.len());
    for size in [1, 2, 3, 7] {
        assert_eq!(judge(guard, body.as_bytes(), size), whole, "{size}: {body}");
    }
    whole
}

/// That there are no rows, whatever the place.
fn no_rows(verdict: Result<u64, Refusal>) -> bool {
    matches!(verdict, Err(Refusal::Malformed(Malformed { flaw: Flaw::Rows, .. })))
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
        (
            &scoring,
            r#"{"input_data":{"data":[1],"input_string":[{"role":"user"}],"parameters":{}}}"#
                .into(),
            1,
        ),
        (&chat, r#"{"input_data":{"input_string":[{"role":"user"},{"role":"x"}]}}"#.into(), 2),
        (&chat, r#"{"model":"m","messages":[{"role":"user","content":"[1,2]"}]}"#.into(), 1),
        (&plain, format!("[{rows}]"), 3),
        (&scoring, r#"{"\u0064at\u0061":[1,2]}"#.into(), 2),
    ] {
        assert_eq!(judged(guard, &body), Ok(want), "{body}");
    }
}

#[test]
fn rows_of_columns_are_those_of_the_longest_array_or_object_below_the_pointer() {
    let guard = guard(&["/data"], &[]);
    for (data, want) in [
        (r#"{"x":[1,2,3],"y":[1]}"#, 3),
        (r#"{"x":[1],"y":["a","b"],"z":null}"#, 2),
        (r#"{"x":{"0":1,"1":2,"2":3},"y":{"0":1}}"#, 3),
        (r#"{"x":{"0":[1,2,3,4,5],"1":{"a":[1,2,3]}},"y":[[1,2],[3]]}"#, 2),
        (r#"{"columns":["a","b"],"index":[0],"data":[[1,2],[3,4],[5,6]]}"#, 3),
        (r#"{"columns":["a","b","c"],"index":[0],"data":[[1,2,3]]}"#, 3),
        (r#"{"x":[]}"#, 0),
        (r#"{"x":{}}"#, 0),
        (r#"{}"#, 0),
        (r#"[[1,2,3],[4]]"#, 2),
        (r#"[{"a":[1,2,3]},{"a":{"b":1,"c":2}}]"#, 2),
        (r#"[1,"a",null,true]"#, 4),
    ] {
        assert_eq!(judged(&guard, &format!(r#"{{"data":{data}}}"#)), Ok(want), "{data}");
    }
}

#[test]
fn rows_of_tensors_are_the_largest_first_dimension_however_the_shape_lies() {
    let guard = Guard { max_rows: None, ..guard(&["/inputs"], &[]) };
    let tensor = |more: &str| format!(r#"{{"name":"x","datatype":"FP32",{more}}}"#);
    let flat = |values: usize| format!("[{}]", vec!["0.5"; values].join(","));
    let pairs = |rows: usize| format!("[{}]", vec!["[1,2]"; rows].join(","));
    for (inputs, want) in [
        (tensor(r#""shape":[3000,2]"#), 3000),
        (format!("{},{}", tensor(r#""shape":[2,2]"#), tensor(r#""shape":[5]"#)), 5),
        // Several tensors of one row are one row.
        (vec![tensor(r#""shape":[1,2],"data":[1,2]"#); 3].join(","), 1),
        (tensor(&format!(r#""parameters":{{}},"shape":[1,30],"data":{}"#, flat(30))), 1),
        (tensor(&format!(r#""shape":[3,2],"data":{}"#, pairs(3))), 3),
        (tensor(r#""shape":[],"data":[1]"#), 1),
        (tensor(r#""shape":[4.0,1e1]"#), 4),
        (tensor(r#""sh\u0061pe":[7]"#), 7),
        // More data than the shape has room for.
        (tensor(&format!(r#""shape":[1],"data":{}"#, flat(30))), 30),
        (tensor(&format!(r#""data":{},"shape":[1,2]"#, flat(31))), 16),
        (tensor(&format!(r#""shape":[1,2],"data":{}"#, pairs(30))), 30),
        (tensor(&format!(r#""shape":[1,0],"data":{}"#, flat(30))), 30),
        (tensor(&format!(r#""shape":[1,99999999999999999999],"data":{}"#, flat(9))), 1),
        // Twice, or in the letter case that some servers take as well.
        (tensor(r#""shape":[1],"shape":[9]"#), 9),
        (tensor(r#""shape":[9],"Shape":[1]"#), 9),
        (tensor(r#""\u017fhape":[9]"#), 9),
        (tensor(&format!(r#""shape":[1],"data":[1],"DATA":{}"#, flat(30))), 30),
        // Records that say they are tensors: a server may take them for records.
        ([r#"{"a":1,"shape":[1]}"#; 4].join(","), 4),
        ([r#"{"a":1,"name":"n","datatype":"d","shape":[1]}"#; 4].join(","), 4),
        (r#"{"a":1,"shape":[9]},{"a":1}"#.into(), 9),
        // Records with a column of that name.
        ([r#"{"shape":"round","size":3}"#; 4].join(","), 4),
        ([r#"{"name":"n","datatype":"d","shape":3}"#; 4].join(","), 4),
    ] {
        let body = format!(r#"{{"inputs":[{inputs}]}}"#);
        assert_eq!(judged(&guard, &body), Ok(want), "{body}");
    }
    let dimensions = format!("[1{}]", ",1".repeat(64));
    for shape in ["[-1,2]", "[\"3000\"]", "[[3000]]", "[{}]", "[null]", "[1,true]", &dimensions] {
        let body = format!(r#"{{"inputs":[{}]}}"#, tensor(&format!(r#""shape":{shape}"#)));
        assert!(no_rows(judged(&guard, &body)), "{body}");
    }
}

#[test]
fn an_index_beside_data_makes_rows_of_its_own() {
    let counted = guard(&["/data", "/input_data/data"], &[]);
    let bounded = guard(&[], &["/data", "/input_data/data"]);
    // A pointer to the frame itself finds them, too.
    let frame = guard(&["/input_data"], &[]);
    for (index, want) in [("[1,2,3]", 3), ("[[1,2,3],[4,5,6]]", 3), (r#"{"a":1,"b":2,"c":3}"#, 3)] {
        let body = format!(r#"{{"input_data":{{"columns":["a"],"index":{index},"data":[[1]]}}}}"#);
        assert_eq!(judged(&frame, &body), Ok(want), "{body}");
    }
    for (body, want) in [
        (r#"{"input_data":{"columns":["a"],"index":[1,2,3],"data":[]}}"#, 3),
        (r#"{"input_data":{"columns":["a"],"index":[1,2,3]}}"#, 3),
        (r#"{"index":[[1,2],[3,4]],"data":{"x":{"0":1}}}"#, 2),
        // Two levels of three labels, and the names of an object.
        (r#"{"index":[[1,2,3],[4,5,6]],"data":[]}"#, 3),
        (r#"{"index":{"a":null,"b":1,"c":"x"},"data":[1]}"#, 3),
        (r#"{"index":{"a":[1,2],"b":{"c":1}},"data":[1]}"#, 2),
        (r#"{"index":{},"data":[1]}"#, 1),
        (r#"{"index":"name","data":[1]}"#, 1),
        (r#"{"index":null,"data":[1]}"#, 1),
    ] {
        assert_eq!(judged(&counted, body), Ok(want), "{body}");
        let narrow = Guard { max_rows: Some(want - 1), ..bounded.clone() };
        // An index alone is none of `require_any`.
        let refused = if body.contains("data\":[") || body.contains("data\":{\"x") {
            Refusal::Rows(want)
        } else {
            Refusal::Lacking
        };
        assert_eq!(judged(&narrow, body), Err(refused), "{body}");
    }
}

#[test]
fn of_several_pointers_the_one_with_the_most_rows_counts() {
    let guard = guard(&["/input_data/data", "/data"], &["/input_data", "/more"]);
    let rows = |count: usize| format!("[{}]", vec!["[1]"; count].join(","));
    for (body, cost, all) in [
        (format!(r#"{{"input_data":{{"data":{}}},"data":{}}}"#, rows(1), rows(30)), 30, 30),
        (format!(r#"{{"data":{},"input_data":{{"data":{}}}}}"#, rows(30), rows(1)), 30, 30),
        (format!(r#"{{"data":{},"input_data":null,"more":"text"}}"#, rows(3)), 3, 3),
        // What only `require_any` names costs nothing, and is bounded.
        (format!(r#"{{"data":{},"more":{}}}"#, rows(3), rows(30)), 3, 30),
        (format!(r#"{{"data":{},"more":{{"x":{}}}}}"#, rows(3), rows(30)), 3, 30),
    ] {
        assert_eq!(judged(&guard, &body), Ok(cost), "{body}");
        let narrow = Guard { max_rows: Some(all - 1), ..guard.clone() };
        assert_eq!(judged(&narrow, &body), Err(Refusal::Rows(all)), "{body}");
    }
}

#[test]
fn where_no_pointer_leads_to_rows_the_body_costs_the_most_and_a_bound_refuses_it() {
    let counted = guard(&["/input_data/data", "/data"], &["/data", "/other"]);
    let bare = Guard { max_rows: None, ..guard(&["/input_data/data", "/data"], &[]) };
    let bounded = guard(&[], &[]);
    let none = Err(Refusal::Rows(UNKNOWN_ROWS));
    for (guard, body, want) in [
        (&counted, r#"{"data":null}"#, none),
        (&counted, r#"{"other":[1,2]}"#, Ok(UNKNOWN_ROWS)),
        (&bare, r#"{"other":[1,2]}"#, Ok(UNKNOWN_ROWS)),
        (&bare, r#"{"input_data":{"data":null}}"#, Ok(UNKNOWN_ROWS)),
        (&bare, r#"{"input_data":[[1],[2]]}"#, Ok(UNKNOWN_ROWS)),
        (&bare, "7", Ok(UNKNOWN_ROWS)),
        (&bare, "[1,2]", Ok(2)),
        (&bounded, r#"{"data":[1,2]}"#, none),
        (&bounded, "7", none),
        (&bounded, "[1,2]", Ok(2)),
    ] {
        assert_eq!(judged(guard, body), want, "{body}");
    }
    assert_eq!(Refusal::Rows(UNKNOWN_ROWS).reason(), Reason::RowsExceeded);
}

#[test]
fn what_is_neither_rows_nor_columns_is_malformed_where_rows_are_looked_for() {
    let counted = Guard { max_rows: None, ..guard(&["/data"], &[]) };
    let bounded = guard(&[], &["/data"]);
    for data in [
        "1",
        "-0.5",
        "\"1,2\\n3,4\"",
        "true",
        "false",
        "[1,[2,3]]",
        "[[1],2]",
        "[[1],null]",
        "[{},1]",
        "[[1],{}]",
        "[{\"a\":1},[2]]",
        "{\"x\":1}",
        "{\"x\":[1,2],\"y\":3}",
        "{\"x\":[1,2],\"y\":\"z\"}",
    ] {
        let body = format!(r#"{{"first":[],"data":{data}}}"#);
        assert!(no_rows(judged(&counted, &body)), "{body}");
        assert!(no_rows(judged(&bounded, &body)), "{body}");
        // Nothing is asked of it where rows are not counted.
        let pointers = pointers(&["/data"]);
        let free = Guard { max_rows: None, pointers, required: 0..1, ..bounded.clone() };
        assert!(judged(&free, &body).is_ok(), "{body}");
        // A member that must be there is not where the rows must be.
        let beside = guard(&["/rows"], &["/data"]);
        let text = format!(r#"{{"rows":[1,2],"data":{data}}}"#);
        if !data.contains(['[', '{']) {
            assert_eq!(judged(&beside, &text), Ok(2), "{text}");
        }
    }
}

#[test]
fn a_member_in_another_letter_case_on_the_way_of_a_pointer_is_a_flaw_as_a_duplicate_is() {
    let guard = guard(&["/inputs/tokens", "/data"], &["/data", "/inputs"]);
    for body in [
        r#"{"data":[1],"Data":[1,2,3]}"#,
        r#"{"DATA":[1,2,3],"data":[1]}"#,
        r#"{"Data":[1]}"#,
        r#"{"data":[1],"\u0044ata":[2]}"#,
        r#"{"data":[1],"inputſ":{"tokens":[2]}}"#,
        r#"{"data":[1],"input\u017f":{"tokens":[2]}}"#,
        r#"{"inputs":{"tokens":[1],"to\u212aens":[2,3]}}"#,
        r#"{"inputs":{"tokens":[1],"toKens":[2,3]}}"#,
        r#"{"inputs":{"tokens":[1],"Tokens":[2,3]}}"#,
    ] {
        let verdict = judged(&guard, body);
        assert!(
            matches!(verdict, Err(Refusal::Malformed(Malformed { flaw: Flaw::Case, .. }))),
            "{verdict:?}: {body}"
        );
        assert_eq!(verdict.unwrap_err().reason(), Reason::PayloadMalformed);
    }
    for (body, want) in [
        // Elsewhere letter case is nobody's business.
        (r#"{"data":[1],"x":{"Data":[1,2],"data":1},"Other":1,"other":2}"#, 1),
        (r#"{"inputs":{"tokens":[1,2],"Data":[1]}}"#, 2),
        (r#"{"data":[1],"dat":[1,2],"dataa":[1,2],"datä":[1,2]}"#, 1),
    ] {
        assert_eq!(judged(&guard, body), Ok(want), "{body}");
    }
    // Both are looked for.
    let both = self::guard(&["/data", "/Data"], &[]);
    assert_eq!(judged(&both, r#"{"data":[1],"Data":[1,2]}"#), Ok(2));
}

#[test]
fn a_csv_body_has_its_records_less_the_header_where_rows_are_counted() {
    let csv = ["application/json".to_owned(), "text/csv".to_owned()];
    let named = Guard { content_types: Some(csv.into()), ..guard(&["/data"], &["/data"]) };
    let any = Guard { content_types: None, ..named.clone() };
    let free = Guard { content_types: None, ..guard(&["/data"], &[]) };
    let judge = |guard: &Guard, content_type: &str, body: &str| {
        let headers = Headers::from_pairs(&[("content-type", content_type)]);
        guard.admit(&headers, false)?;
        let mut check = guard.check(&headers);
        body.as_bytes().chunks(3).try_for_each(|piece| check.feed(guard, piece))?;
        check.finish(guard)
    };
    let body = "a,b\r\n\"1\r\n2\",3\r\n4,5";
    for content_type in ["text/csv", "Text/CSV; charset=UTF-8", "text/csv ;header=present"] {
        for guard in [&named, &free] {
            assert_eq!(judge(guard, content_type, body), Ok(2), "{content_type}");
        }
        // Nothing said that a body without members may pass.
        assert_eq!(judge(&any, content_type, body), Err(Refusal::Lacking));
    }
    assert_eq!(judge(&named, "text/csv; header=ABSENT", body), Ok(3));
    assert_eq!(judge(&named, "text/csv; charset=utf-16", body), Err(Refusal::Charset));
    assert_eq!(judge(&named, "text/csv", &"1\n".repeat(102)), Err(Refusal::Rows(101)));
    assert_eq!(judge(&named, "text/csv", ""), Err(Refusal::NoBody));
    let flaw = |verdict: Result<u64, Refusal>| match verdict {
        Err(Refusal::Malformed(Malformed { flaw, .. })) => Some(flaw),
        _ => None,
    };
    assert_eq!(flaw(judge(&named, "application/json", body)), Some(Flaw::Value));
    assert_eq!(flaw(judge(&named, "text/csv", "{\"data\":[1,2,3]}")), Some(Flaw::Bracket));
    // Where rows are not counted all bodies are JSON.
    let uncounted = Guard { max_rows: None, content_types: None, ..guard(&[], &[]) };
    assert_eq!(flaw(judge(&uncounted, "text/csv", body)), Some(Flaw::Value));
    let json_only = guard(&["/data"], &[]);
    assert_eq!(judge(&json_only, "text/csv", body), Err(Refusal::MediaType));
}

#[test]
fn a_pointer_leads_through_arrays_and_escaped_names_only_where_it_says() {
    let guard = Guard { max_rows: None, ..guard(&["/a/1/b", "/x~y/é", "/00", "/2"], &[]) };
    for (body, want) in [
        (r#"{"a":[{"b":[1,2,3]},{"b":[1,2]},{"b":[]}]}"#, 2),
        (r#"{"a":{"1":{"b":[1,2,3,4]}}}"#, 4),
        (r#"{"x~y":{"\u00e9":[1,2]}}"#, 2),
        (r#"{"n":{"a":[0,{"b":[1,2]}]},"a":[[0],[0],{"b":[1,2]}]}"#, UNKNOWN_ROWS),
        (r#"{"aa":[0,{"b":[1,2]}],"":[0,{"b":[1,2]}]}"#, UNKNOWN_ROWS),
        (r#"[[1],[1],[1,2,3,4,5]]"#, 5),
    ] {
        assert_eq!(judge(&guard, body.as_bytes(), 1), Ok(want), "{body}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let guard = Guard { max_rows: None, ..guard(&[], &["/data"]) };
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
    let guard = self::guard(&[], &["/data"]);
    let many = format!(r#"{{"data":[{}1]}}"#, "1,".repeat(100));
    assert_eq!(judge(&guard, many.as_bytes(), 9), Err(Refusal::Rows(101)));
}

#[test]
fn a_body_is_refused_at_the_first_byte_too_many() {
    let guard = Guard { max_bytes: 10, ..guard(&[], &[]) };
    assert_eq!(judge(&guard, b"[1,2,3,45]", 3), Ok(4));
    for size in 1..12 {
        let mut check = guard.check(&Headers::default());
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
        (vec![json, ("content_type", "text/csv")], Err(Refusal::MediaType)),
        (vec![("content_type", "application/json")], Err(Refusal::MediaType)),
        (vec![json, ("content~encoding", "gzip")], Err(Refusal::Encoded)),
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
    let name = prop_oneof![
        Just("data".to_owned()),
        Just("input_data".to_owned()),
        Just("shape".to_owned()),
        Just("Data".to_owned()),
        ".{0,3}",
    ];
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

/// Documents in which each member stands once, of the names that matter where rows are counted.
fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        (0..40_i64).prop_map(Value::from),
        (-3..40_i64).prop_map(Value::from),
        Just(json!("a,b\n{[")),
        Just(json!(true)),
    ];
    let names = ["data", "index", "inputs", "name", "datatype", "shape", "parameters", "x", "y"];
    leaf.prop_recursive(5, 60, 5, move |inner| {
        let member = (prop::sample::select(names.to_vec()), inner.clone());
        let tensor = (prop::collection::vec(0..9_u64, 0..3), inner.clone()).prop_map(
            |(shape, data)| json!({"name": "n", "datatype": "d", "shape": shape, "data": data}),
        );
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec(tensor, 0..4).prop_map(Value::Array),
            prop::collection::vec(member, 0..6).prop_map(|list| {
                list.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}

/// The rows of a value, read at leisure; `None`: it has none that all programs agree on.
fn rows_of(value: &Value) -> Option<u64> {
    match value {
        Value::Array(list) => {
            let count = |of: fn(&Value) -> bool| list.iter().filter(|value| of(value)).count();
            let (arrays, objects) = (count(Value::is_array), count(Value::is_object));
            if arrays + objects > 0 && arrays != list.len() && objects != list.len() {
                return None;
            }
            let tensors: Option<Vec<_>> = list.iter().map(rows_of_record).collect();
            let tensors = tensors?;
            let largest = tensors.iter().map(|(rows, _)| *rows).max().unwrap_or(0);
            let all = !list.is_empty() && tensors.iter().all(|(_, tensor)| *tensor);
            Some(if all { largest } else { largest.max(list.len() as u64) })
        }
        Value::Object(members) => {
            let size = |value: &Value| match value {
                Value::Array(list) => Some(list.len() as u64),
                Value::Object(cells) => Some(cells.len() as u64),
                Value::Null => Some(0),
                _ => None,
            };
            let sizes: Option<Vec<u64>> = members.values().map(size).collect();
            Some(sizes?.into_iter().max().unwrap_or(0))
        }
        _ => None,
    }
}

/// The rows that labels make, in one level or several; `None` as above.
fn labels_of(value: &Value) -> Option<u64> {
    match value {
        Value::Array(list) => {
            let levels = list.iter().filter_map(Value::as_array).map(|level| level.len() as u64);
            Some(rows_of(value)?.max(levels.max().unwrap_or(0)))
        }
        Value::Object(members) => Some(members.len() as u64),
        _ => None,
    }
}

/// The rows of a tensor and whether it is nothing else; no rows of anything else. `None`: a `shape`
/// that is none.
fn rows_of_record(record: &Value) -> Option<(u64, bool)> {
    let Some(Value::Array(shape)) = record.get("shape") else { return Some((0, false)) };
    let shape: Option<Vec<u64>> = shape.iter().map(Value::as_u64).collect();
    let shape = shape?;
    let rest = shape.iter().skip(1).product::<u64>().max(1);
    let held = match record.get("data") {
        Some(Value::Array(data)) if data.iter().any(Value::is_array) => data.len() as u64,
        Some(Value::Array(data)) => (data.len() as u64).div_ceil(rest),
        _ => 0,
    };
    let members = record.as_object().unwrap();
    let own = ["name", "datatype", "shape", "data", "parameters"];
    let tensor = members.contains_key("name")
        && members.contains_key("datatype")
        && members.keys().all(|name| own.contains(&name.as_str()));
    Some((held.max(shape.first().copied().unwrap_or(0)), tensor))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_way_to_cut_a_body_gives_the_same_verdict(body in text(), cuts in any::<[u8; 8]>()) {
        let guard = guard(&["/input_data/data", "/data"], &["/input_data"]);
        let whole = judge(&guard, &body, body.len());
        prop_assert_eq!(judge(&guard, &body, 1), whole);
        let mut check = guard.check(&Headers::default());
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
        let pointers = pointers(&["/data", "/1", "/0/1", "/data/1", "/0/0/data", "/data/é"])
            .counting_rows(1, 5);
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
            // What was found in a malformed document means nothing.
            (verdict, verdict.is_ok().then(|| (scanner.found().to_vec(), scanner.elements())))
        };
        prop_assert_eq!(read(1), read(body.len()));
    }

    #[test]
    fn rows_are_those_that_a_reader_of_the_whole_document_finds(document in tree()) {
        let guard = Guard { max_rows: None, ..guard(&["/data", "/inputs", "/x/data"], &[]) };
        let mut most = document.as_array().map(|list| list.len() as u64);
        let mut malformed = false;
        let found = |pointer: &str| document.pointer(pointer).filter(|value| !value.is_null());
        for value in ["/data", "/inputs", "/x/data"].into_iter().filter_map(found) {
            let rows = rows_of(value);
            malformed |= rows.is_none();
            most = most.max(rows);
        }
        let labels = ["/data/index", "/index", "/inputs/index", "/x/data/index", "/x/index"];
        for value in labels.into_iter().filter_map(found) {
            let rows = labels_of(value);
            malformed |= rows.is_none() && value.is_array();
            most = most.max(rows);
        }
        let verdict = judged(&guard, &document.to_string());
        if malformed {
            prop_assert!(no_rows(verdict), "{:?}", verdict);
        } else {
            prop_assert_eq!(verdict, Ok(most.unwrap_or(UNKNOWN_ROWS)));
        }
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

#[test]
fn an_upgrade_has_no_body_to_wait_for() {
    let guard = Guard { content_types: None, ..guard(&["/data"], &[]) };
    let upgrade = ("upgrade", "websocket");
    for (headers, want) in [
        (vec![upgrade], Err(Refusal::NoBody)),
        (vec![upgrade, ("content-length", "2")], Ok(())),
        (vec![upgrade, ("transfer-encoding", "chunked")], Ok(())),
        (vec![], Ok(())),
    ] {
        assert_eq!(guard.admit(&Headers::from_pairs(&headers), false), want, "{headers:?}");
    }
}
