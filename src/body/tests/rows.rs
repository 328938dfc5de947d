//! The rows of documents, tensors and CSV bodies.

use super::*;

#[test]
fn rows_are_counted_in_the_forms_that_endpoints_accept() {
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
fn rows_of_tensors_are_the_largest_first_dimension_or_the_rows_of_data() {
    let guard = Guard { max_rows: None, ..guard(&["/inputs"], &[]) };
    let tensor = |more: &str| format!(r#"{{"name":"x","datatype":"FP32",{more}}}"#);
    let flat = |values: usize| format!("[{}]", vec!["0.5"; values].join(","));
    let pairs = |rows: usize| format!("[{}]", vec!["[1,2]"; rows].join(","));
    for (inputs, want) in [
        (tensor(r#""shape":[3000,2]"#), 3000),
        (format!("{},{}", tensor(r#""shape":[2,2]"#), tensor(r#""shape":[5]"#)), 5),
        // Several tensors with one row each are one row.
        (vec![tensor(r#""shape":[1,2],"data":[1,2]"#); 3].join(","), 1),
        (tensor(&format!(r#""parameters":{{}},"shape":[1,30],"data":{}"#, flat(30))), 1),
        (tensor(&format!(r#""shape":[3,2],"data":{}"#, pairs(3))), 3),
        (tensor(r#""shape":[],"data":[1]"#), 1),
        (tensor(r#""shape":[4.0,1e1]"#), 4),
        (tensor(r#""sh\u0061pe":[7]"#), 7),
        // More data than the shape describes.
        (tensor(&format!(r#""shape":[1],"data":{}"#, flat(30))), 30),
        (tensor(&format!(r#""data":{},"shape":[1,2]"#, flat(31))), 16),
        (tensor(&format!(r#""shape":[1,2],"data":{}"#, pairs(30))), 30),
        (tensor(&format!(r#""shape":[1,0],"data":{}"#, flat(30))), 30),
        (tensor(&format!(r#""shape":[1,99999999999999999999],"data":{}"#, flat(9))), 1),
        // Twice, or in a letter case that some servers accept too.
        (tensor(r#""shape":[1],"shape":[9]"#), 9),
        (tensor(r#""shape":[9],"Shape":[1]"#), 9),
        (tensor(r#""\u017fhape":[9]"#), 9),
        (tensor(&format!(r#""shape":[1],"data":[1],"DATA":{}"#, flat(30))), 30),
        // Tensors with other members, which a server may read as records.
        ([r#"{"a":1,"shape":[1]}"#; 4].join(","), 4),
        ([r#"{"a":1,"name":"n","datatype":"d","shape":[1]}"#; 4].join(","), 4),
        (r#"{"a":1,"shape":[9]},{"a":1}"#.into(), 9),
        // Records with a column named `shape`.
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
    // A pointer to the data frame itself finds them too.
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
        // An index alone does not satisfy `require_any`.
        let refused = if body.contains("data\":[") || body.contains("data\":{\"x") {
            Refusal::Rows(want)
        } else {
            Refusal::Lacking
        };
        assert_eq!(judged(&narrow, body), Err(refused), "{body}");
    }
}

#[test]
fn the_pointer_with_the_most_rows_counts() {
    let guard = guard(&["/input_data/data", "/data"], &["/input_data", "/more"]);
    let rows = |count: usize| format!("[{}]", vec!["[1]"; count].join(","));
    for (body, cost, all) in [
        (format!(r#"{{"input_data":{{"data":{}}},"data":{}}}"#, rows(1), rows(30)), 30, 30),
        (format!(r#"{{"data":{},"input_data":{{"data":{}}}}}"#, rows(30), rows(1)), 30, 30),
        (format!(r#"{{"data":{},"input_data":null,"more":"text"}}"#, rows(3)), 3, 3),
        // The rows at pointers of `require_any` alone cost nothing but are bounded.
        (format!(r#"{{"data":{},"more":{}}}"#, rows(3), rows(30)), 3, 30),
        (format!(r#"{{"data":{},"more":{{"x":{}}}}}"#, rows(3), rows(30)), 3, 30),
    ] {
        assert_eq!(judged(&guard, &body), Ok(cost), "{body}");
        let narrow = Guard { max_rows: Some(all - 1), ..guard.clone() };
        assert_eq!(judged(&narrow, &body), Err(Refusal::Rows(all)), "{body}");
    }
}

#[test]
fn a_body_without_rows_costs_the_most_and_exceeds_every_bound() {
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
fn a_value_without_rows_is_malformed_where_rows_are_counted() {
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
        // Any value passes where rows are not counted.
        let pointers = pointers(&["/data"]);
        let free = Guard { max_rows: None, pointers, required: 0..1, ..bounded.clone() };
        assert!(judged(&free, &body).is_ok(), "{body}");
        // A required member need not have rows.
        let beside = guard(&["/rows"], &["/data"]);
        let text = format!(r#"{{"rows":[1,2],"data":{data}}}"#);
        if !data.contains(['[', '{']) {
            assert_eq!(judged(&beside, &text), Ok(2), "{text}");
        }
    }
}

#[test]
fn a_csv_body_has_a_row_for_each_record_but_the_header() {
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
        // No listed media type admits a body without members.
        assert_eq!(judge(&any, content_type, body), Err(Refusal::Lacking));
    }
    assert_eq!(judge(&named, "text/csv; header=ABSENT", body), Ok(3));
    assert_eq!(judge(&named, "text/csv; charset=utf-16", body), Err(Refusal::Charset));
    assert_eq!(judge(&named, "text/csv", &"1\n".repeat(102)), Err(Refusal::Rows(101)));
    assert_eq!(judge(&named, "text/csv", ""), Ok(0));
    let flaw = |verdict: Result<u64, Refusal>| match verdict {
        Err(Refusal::Malformed(Malformed { flaw, .. })) => Some(flaw),
        _ => None,
    };
    assert_eq!(flaw(judge(&named, "application/json", body)), Some(Flaw::Value));
    assert_eq!(flaw(judge(&named, "text/csv", "{\"data\":[1,2,3]}")), Some(Flaw::Bracket));
    // Where rows are not counted, every body is read as JSON.
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
