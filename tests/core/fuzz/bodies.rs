//! Bodies of requests, and the usage in replies.

use serde_json::{Value, json};
use tollgate::body::json::pointers::Pointers;
use tollgate::body::meter::{Measure, Part, Preset, ResponseMeter};
use tollgate::body::{Guard, IncludeUsage, Refusal, pointers_to_follow, usage as asked};
use tollgate::request::headers::Headers;

/// Any cut of a body gives one verdict, an accepted body is JSON, no reading of it has more rows, and the values
/// that are kept are those of another parser.
pub fn body(data: &[u8]) {
    let name = |text: &str| text.to_owned();
    let rows = [vec![name("data")], vec![name("inputs")], vec![name("input_data"), name("data")]];
    let (mut pointers, required) =
        pointers_to_follow(&rows, &[vec![name("input_data")]], true).unwrap();
    let kept = [vec![name("model")], vec![name("data"), name("0")]];
    pointers.capture(&kept);
    let guard = Guard {
        reads: true,
        needs_body: Vec::new(),
        content_types: None,
        max_bytes: 4096,
        max_depth: 32,
        max_rows: Some(100),
        pointers,
        required,
        include_usage: IncludeUsage::Off,
    };
    let judge = |headers: &Headers, size: usize| -> Result<u64, Refusal> {
        let mut check = guard.check(headers);
        data.chunks(size).try_for_each(|piece| check.feed(&guard, piece))?;
        check.finish(&guard)
    };
    let values = |size: usize| {
        let mut check = guard.check(&Headers::default());
        data.chunks(size).try_for_each(|piece| check.feed(&guard, piece)).ok()?;
        check.finish(&guard).ok()?;
        let value = |pointer: &Vec<String>| Some(check.captured(&guard, pointer)?.to_vec());
        Some(kept.each_ref().map(value))
    };
    let read = values(usize::MAX);
    assert_eq!((values(1), values(7)), (read.clone(), read.clone()));
    let csv = Headers::from_pairs(&[("content-type", "text/csv")]);
    for headers in [&Headers::default(), &csv] {
        let whole = judge(headers, usize::MAX);
        assert_eq!(judge(headers, 1), whole);
        assert_eq!(judge(headers, 7), whole);
        assert!(whole.is_err() || data.len() <= 4096);
    }
    // An empty body is none.
    if let (Ok(rows), false) = (judge(&Headers::default(), usize::MAX), data.is_empty()) {
        serde_json::from_slice::<serde::de::IgnoredAny>(data).expect("what passes is JSON");
        // Numbers out of range and lone surrogates are not for this parser to judge.
        if let Ok(document) = serde_json::from_slice::<Value>(data) {
            for (pointer, value) in
                ["/model", "/data/0"].into_iter().zip(read.into_iter().flatten())
            {
                let parsed = document
                    .pointer(pointer)
                    .filter(|value| !value.is_null() && !value.is_array() && !value.is_object());
                let same =
                    value.as_ref().map(|json| serde_json::from_slice::<Value>(json).unwrap());
                assert!(value.is_none() || same.as_ref() == parsed, "{pointer}: {document}");
            }
            for pointer in ["/data", "/inputs", "/input_data/data"] {
                let value = document.pointer(pointer).unwrap_or(&Value::Null);
                assert!(value.is_null() || fewest_rows(value) <= rows, "{rows}: {document}");
            }
        }
    }
    // Without quotation marks, each line is a record in every reading.
    if let Ok(Refusal::Rows(rows)) | Err(Refusal::Rows(rows)) =
        judge(&csv, usize::MAX).map(Refusal::Rows)
        && !data.contains(&b'"')
    {
        let lines = data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        assert!(rows + 1 >= lines as u64);
    }
}

/// A body that `include_usage: add` changes parses to the same document plus the member, is not changed again and passes
/// `require`; every other body stays as it is. The cuts of the body change nothing.
pub fn rewrite(data: &[u8]) {
    let rewrite = |wanted: IncludeUsage, data: &[u8], size: usize| -> Result<Vec<u8>, Refusal> {
        let mut pointers = Pointers::new([]);
        pointers.capture(&asked::pointers());
        let guard = Guard {
            reads: true,
            needs_body: Vec::new(),
            content_types: None,
            max_bytes: 16_384,
            max_depth: 32,
            max_rows: None,
            pointers,
            required: 0..0,
            include_usage: wanted,
        };
        let mut check = guard.check(&Headers::default());
        data.chunks(size).try_for_each(|piece| check.feed(&guard, piece))?;
        check.finish(&guard)?;
        let Some(edit) = check.edit(&guard) else { return Ok(data.to_vec()) };
        let (start, end) = (edit.place.start as usize, edit.place.end as usize);
        let new = [&data[..start], edit.text.as_bytes(), &data[end..]].concat();
        assert_eq!((edit.size, edit.new_size()), (data.len() as u64, new.len() as u64));
        Ok(new)
    };
    let whole = rewrite(IncludeUsage::Add, data, usize::MAX);
    for size in [1, 7, 64] {
        assert_eq!(rewrite(IncludeUsage::Add, data, size), whole, "{size}");
    }
    let Ok(new) = whole else { return };
    let required = rewrite(IncludeUsage::Require, data, usize::MAX);
    if new == data {
        assert_eq!(required.as_deref(), Ok(data));
        return;
    }
    assert_eq!(required, Err(Refusal::NoUsage));
    for wanted in [IncludeUsage::Add, IncludeUsage::Require] {
        assert_eq!(rewrite(wanted, &new, usize::MAX).as_ref(), Ok(&new));
    }
    // Numbers out of range and lone surrogates are not for this parser to judge.
    let (Ok(mut before), Ok(after)) =
        (serde_json::from_slice::<Value>(data), serde_json::from_slice::<Value>(&new))
    else {
        return;
    };
    assert!(!matches!(before["stream"], Value::Null | Value::Bool(false)), "{before}");
    let options = &mut before["stream_options"];
    if options.is_null() {
        *options = json!({});
    }
    options["include_usage"] = json!(true);
    assert_eq!(before, after);
}

/// The rows that each program finds in a value that passes: an array that is no list of tensors has
/// as many as elements.
fn fewest_rows(value: &Value) -> u64 {
    let length = |value: &Value| match value {
        Value::Array(list) => list.len() as u64,
        Value::Object(members) => members.len() as u64,
        _ => 0,
    };
    let tensor = |value: &Value| value.get("shape").is_some_and(Value::is_array);
    match value {
        Value::Array(list) if list.iter().any(tensor) => {
            list.iter().filter_map(|tensor| tensor["shape"][0].as_u64()).max().unwrap_or(0)
        }
        Value::Array(list) => list.len() as u64,
        Value::Object(columns) => columns.values().map(length).max().unwrap_or(0),
        other => panic!("{other} passes as rows"),
    }
}

/// The number of a response is the same however the response is cut, and that of its last documents with one
/// whatever framing holds them.
pub fn usage(data: &[u8]) {
    let name = |text: &str| text.to_owned();
    let pointers = vec![
        vec![name("usage"), name("total_tokens")],
        vec![name("n")],
        vec![name("m"), name("1")],
    ];
    let measure = Measure::new(vec![vec![Part { pointers, weight: 1 }]], false).unwrap();
    let read = |measure: &Measure, content_type: &str, text: &[u8], size: usize| {
        let mut meter = ResponseMeter::new(measure, content_type.as_bytes());
        text.chunks(size.max(1)).for_each(|piece| meter.feed(measure, piece));
        meter.finish(measure)
    };
    const JSON: &str = "application/json";
    const LINES: &str = "application/x-ndjson";
    const EVENTS: &str = "text/event-stream";
    for measure in [&measure, &Preset::Any.measure().unwrap()] {
        for content_type in [JSON, LINES, EVENTS, ""] {
            let whole = read(measure, content_type, data, usize::MAX);
            for size in [1, 2, 7, 64] {
                assert_eq!(read(measure, content_type, data, size), whole, "{content_type}");
            }
        }
    }
    let is_object = |document: &Value| document.is_object();
    let documents: Vec<Value> = match serde_json::from_slice(data) {
        Ok(document @ Value::Object(_)) => vec![document],
        _ => data
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok().filter(is_object))
            .collect(),
    };
    let plain = |value: &Value, wanted: &[&str]| {
        let names = value.as_object().into_iter().flat_map(|members| members.keys());
        let mut others = names.filter(|name| !wanted.contains(&name.as_str()));
        others.all(|name| name.is_ascii() && !wanted.contains(&&*name.to_ascii_lowercase()))
    };
    // Members that differ by letter case leave a document without a number.
    let plain = |document: &Value| {
        plain(document, &["usage", "n", "m"]) && plain(&document["usage"], &["total_tokens"])
    };
    let mut last = [None; 3];
    for document in &documents {
        for (last, pointer) in last.iter_mut().zip(["/usage/total_tokens", "/n", "/m/1"]) {
            let number = document.pointer(pointer).and_then(Value::as_number);
            match number.map(|number| (number.as_u64(), number.as_f64())) {
                None => {}
                // A zero erases nothing.
                Some((Some(0), _)) if last.is_some() => {}
                Some((Some(whole), _)) => *last = Some(whole),
                // The integers that a double represents exactly.
                Some((None, Some(n))) if n.abs() < 1e15 => match n.max(0.0).ceil() as u64 {
                    0 if last.is_some() => {}
                    whole => *last = Some(whole),
                },
                Some(_) => return,
            }
        }
    }
    if documents.is_empty() || !documents.iter().all(plain) {
        return;
    }
    let want = last.into_iter().flatten().next();
    // Written anew, each on one line, with no member twice.
    let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
    let lines = texts.join("\r\n");
    let other = r#"{"choices":[{"text":"a \"n\" b\u2019"}],"usage":null}"#;
    let events = format!("event: x\ndata: {other}\n\n").repeat(8);
    let event = |text: &String| format!("data: {text}\r\n\r\n{events}");
    for (content_type, reply) in [
        (JSON, texts.concat()),
        (JSON, format!("\u{feff}[{{}},\n{}]", texts.join(" , "))),
        (LINES, format!("{{}}\n{{\"cut\":\n{lines}\r\n{other}\n{other}")),
        (
            EVENTS,
            format!("{events}{}data: [DONE]\n\n", texts.iter().map(event).collect::<String>()),
        ),
    ] {
        for size in [5, 300, usize::MAX] {
            let got = read(&measure, content_type, reply.as_bytes(), size);
            assert_eq!(got, want, "{content_type}: {reply}");
        }
    }
}
