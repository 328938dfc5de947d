//! Bodies in which a program may find more rows than a guard does.

use support::prelude::*;
use support::servers::Kind;

use super::row::Row;

/// Where a program of the field looks for rows.
const PLACES: [&str; 6] =
    ["data", "inputs", "instances", "dataframe_records", "input_data", "dataframe_split"];

/// Rows in which all formats agree: two numbers each.
fn list(count: usize) -> String {
    format!("[{}]", vec!["[1,2]"; count].join(","))
}

fn records(count: usize) -> String {
    format!("[{}]", vec![r#"{"a":1,"b":2}"#; count].join(","))
}

/// The same as columns, each of which is a list.
fn columns(count: usize) -> String {
    let column = vec!["1"; count].join(",");
    format!(r#"{{"a":[{column}],"b":[{column}]}}"#)
}

/// Columns by the name of each row, as `DataFrame.to_dict()` writes them.
fn cells(count: usize) -> String {
    let cells = (0..count).map(|row| format!(r#""{row}":1"#)).collect::<Vec<_>>().join(",");
    format!(r#"{{"a":{{{cells}}},"b":{{{cells}}}}}"#)
}

fn tensors(count: usize) -> String {
    let tensor = |name: &str| {
        format!(r#"{{"name":"{name}","shape":[{count},1],"datatype":"FP64","data":[1]}}"#)
    };
    format!("[{},{}]", tensor("a"), tensor("b"))
}

/// A member with rows, as text of an object without its braces.
fn member(place: &str, name: &str, rows: &str) -> String {
    match place {
        "input_data" => format!(r#""{name}":{{"data":{rows}}}"#),
        "dataframe_split" => format!(r#""{name}":{{"columns":["a","b"],"data":{rows}}}"#),
        _ => format!(r#""{name}":{rows}"#),
    }
}

/// Names that some reader takes for this one: letter case as Go and others fold it, with the two
/// letters past ASCII that fold to `s` and `k` (Unicode's simple case folding), and escapes.
fn aliases(name: &str) -> Vec<String> {
    let first = &name[..1];
    let mut aliases = vec![
        name.to_uppercase(),
        format!("{}{}", first.to_uppercase(), &name[1..]),
        format!("{}{}", &name[..name.len() - 1], name[name.len() - 1..].to_uppercase()),
        format!("\\u{:04x}{}", first.as_bytes()[0], &name[1..]),
        format!("\\u{:04X}{}", first.to_uppercase().as_bytes()[0], &name[1..]),
        format!("{name}\\u0000"),
        format!("{name} "),
    ];
    if name.contains('s') {
        aliases.push(name.replace('s', "\u{17f}"));
        aliases.push(name.replace('s', "\\u017f"));
    }
    aliases
}

/// Every document, with the number of rows that is in none of its readings when it is good.
fn documents() -> Vec<(String, bool)> {
    let mut documents = Vec::new();
    let mut add = |text: String, good: bool| documents.push((text, good));
    let (one, many) = (list(1), list(13));
    for place in PLACES {
        let of = |name: &str, rows: &str| member(place, name, rows);
        add(format!("{{{}}}", of(place, &one)), false);
        for rows in [many.clone(), records(13), columns(13), cells(13), tensors(13)] {
            add(format!("{{{}}}", of(place, &rows)), false);
        }
        for alias in aliases(place) {
            add(format!("{{{},{}}}", of(place, &one), of(&alias, &many)), false);
            add(format!("{{{},{}}}", of(&alias, &many), of(place, &one)), false);
            add(format!("{{{}}}", of(&alias, &many)), false);
        }
        add(format!("{{{},{}}}", of(place, &one), of(place, &many)), false);
        add(format!("{{{},{}}}", of(place, &many), of(place, &one)), false);
        for other in PLACES {
            let other = member(other, other, &many);
            add(format!("{{{},{other}}}", of(place, &one)), false);
            add(format!("{{{other},{}}}", of(place, &one)), false);
        }
        for rows in [
            "13",
            "\"13\"",
            "null",
            "true",
            "{}",
            "[]",
            "[[]]",
            "[1,[2]]",
            "{\"a\":1}",
            "{\"a\":[1],\"b\":[1,1,1,1,1,1,1,1,1,1,1,1,1]}",
            "{\"a\":{\"0\":1},\"b\":[1,1,1,1,1,1]}",
            "[{\"shape\":[13]}]",
            "[{\"shape\":[1.3e1,1]}]",
            "[{\"shape\":[\"13\",1]}]",
            "[{\"shape\":[1,13]},{\"shape\":[13,1]}]",
            "[{\"Shape\":[13,1],\"shape\":[1,1]}]",
            "[{\"shape\":[1],\"shape\":[13]}]",
            "[{\"shape\":[-13,1]}]",
        ] {
            add(format!("{{{}}}", of(place, rows)), false);
        }
    }
    // Formats that the servers of this test take.
    for text in [
        format!("{{{},{}}}", member("inputs", "inputs", &columns(1)), member("data", "data", &one)),
        format!("{{{}}}", member("inputs", "inputs", &columns(5))),
        format!("{{{}}}", member("dataframe_split", "dataframe_split", &list(5))),
        format!("{{{}}}", member("dataframe_records", "dataframe_records", &records(5))),
    ] {
        add(text, true);
    }
    // The labels of a frame make rows of their own, independent of `data`.
    let labels = (0..13).map(|n| format!("\"{n}\":null")).collect::<Vec<_>>().join(",");
    let levels = format!("[{},{}]", numbers(13), numbers(13));
    for data in ["[]", "[[1,2]]", "null", "5", "{\"a\":5}", "{\"a\":[1]}", "[{\"a\":1}]", "\"x\""] {
        for index in
            [numbers(13), levels.clone(), format!("{{{labels}}}"), "\"abcdefghijklm\"".into()]
        {
            let split = format!(r#"{{"columns":["a","b"],"data":{data},"index":{index}}}"#);
            add(format!(r#"{{"dataframe_split":{split}}}"#), false);
            add(format!(r#"{{"input_data":{split}}}"#), false);
            add(split, false);
        }
    }
    add(format!(r#"{{"dataframe_split":{{"columns":["a","b"],"index":{levels}}}}}"#), false);
    let hidden = format!("{{{}}}", member("data", "data", &many));
    let open = format!("{{{}}}", member("data", "data", &one));
    for text in [
        format!("{open}{hidden}"),
        format!("{open}\n{hidden}"),
        format!("{hidden}\u{0}{open}"),
        format!("\u{feff}{hidden}"),
        format!("/* {open} */ {hidden}"),
        format!("[{open},{hidden}]"),
        format!("\"{}\"", hidden.replace('"', "\\\"")),
        format!(r#"{{"data":[1],"x":{{"data":{many}}}}}"#),
        format!(r#"{{"data":[1],"data/":{many}}}"#),
        format!(r#"{{"input_data":{{"data":[1],"Data":{many}}}}}"#),
        format!(r#"{{"input_data":{{"data":[1]}},"Input_Data":{{"data":{many}}}}}"#),
        format!(r#"{{"dataframe_split":{{"columns":["a","b"],"data":{}}}}}"#, columns(13)),
        format!(r#"{{"data":{many},}}"#),
        format!("{{data:{many}}}"),
        format!("{{'data':{many}}}"),
        format!(r#"{{"data":{many}"#),
        r#"{"data":[1,2,3,4,5,6,7,8,9,10,11,12,NaN]}"#.to_owned(),
        r#"{"data":[1],"params":{"data":[1,2,3,4,5,6,7,8,9,10,11,12,13]}}"#.to_owned(),
        String::new(),
        "null".to_owned(),
    ] {
        add(text, false);
    }
    documents
}

fn numbers(count: usize) -> String {
    format!("[{}]", (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(","))
}

/// CSV bodies: thirteen records wherever some reader finds more than one.
fn tables() -> Vec<(Vec<u8>, bool)> {
    let lines = |end: &str, line: &str, count: usize| {
        format!("a,b{end}{}", format!("{line}{end}").repeat(count))
    };
    let mut tables: Vec<(String, bool)> = vec![
        (lines("\n", "1,2", 1), true),
        (lines("\r\n", "1,2", 5), true),
        // Some readers take a name with a line break in it, and the header is one record.
        ("\"a\",\"b\"\n\"1\",\"2\"\n".to_owned(), true),
    ];
    for text in [
        lines("\n", "1,2", 13),
        lines("\r\n", "1,2", 13),
        lines("\r", "1,2", 13),
        lines("\n\r", "1,2", 13),
        lines("\n\n", "1,2", 13),
        lines("\n", "1,2\"", 13),
        lines("\n", "1\",2", 13),
        lines("\n", "1, \"2", 13),
        lines("\n", "1,\"2\"x\"", 13),
        lines("\n", "1,\"2\"\"", 13),
        lines("\n", "1,\"\\\"", 13),
        lines("\n", "1,2\\", 13),
        lines("\n", "1,'2", 13),
        lines("\n", "1,\u{0}\"2", 13),
        lines("\n", "#1,2", 13),
        lines("\n", "1\t\"2", 13),
        lines("\n", "1;\"2", 13),
        lines("\u{2028}", "1,2", 13),
        lines("\u{85}", "1,2", 13),
        lines("\u{b}", "1,2", 13),
        lines("\u{c}", "1,2", 13),
        lines("\u{1e}", "1,2", 13),
        lines("\n", "", 13),
        lines("\n", ",", 13),
        lines("\n", " ", 13),
        format!("a,b\"\n{}", "1,2\n".repeat(13)),
        format!("a, \"b\n{}", "1,2\n".repeat(13)),
        format!("\u{feff}\"a,b\n{}", "1,2\n".repeat(13)),
        format!("\u{feff}\"a\",b\n{}", "1,2\n".repeat(13)),
        format!("\"a,b\n{}", "1,2\n".repeat(13)),
        format!("\"a\nb\",c\n{}", "1,2\n".repeat(13)),
        format!("\n\n\n\na,b\n{}", "1,2\n".repeat(13)),
        format!("a,b\n1,\"2\n{}\"", "1,2\n".repeat(13)),
        format!("a,b\n1,\"2\n{}", "1,2\n".repeat(13)),
        format!("a,b\n1,\"2\"\n{}", "1,\"\n\"\n".repeat(13)),
        format!("a,b\n1,\"2\"x\n{}\"\n", "1,2\n".repeat(13)),
        format!("a,b\n1,x\"\n{}\"\n", "1,2\n".repeat(13)),
        format!("a,b\n1,2\u{0}\n{}", "1,2\n".repeat(13)),
        format!("a,b\n1,2\u{1a}\n{}", "1,2\n".repeat(13)),
        "1,2\n".repeat(13),
        "1,2".to_owned(),
        String::new(),
    ] {
        tables.push((text, false));
    }
    tables.into_iter().map(|(text, good)| (text.into_bytes(), good)).collect()
}

/// One row as JSON, thirteen records as CSV.
const TWO_FACED: &str =
    "{\"inputs\":\n{\"a\":\n[\n1\n]\n,\n\"b\":\n[\n1\n]\n}\n,\n\"data\":\n[\n1\n]\n}";

pub fn rows(kind: Kind) -> Vec<Row> {
    let path = if kind == Kind::Mlflow { "/invocations" } else { "/score" };
    let post = |body: &[u8]| Row::new(Request::post(path, body)).token();
    let typed = |body: &[u8], media: &str| post(body).header("content-type", media);
    let mut rows = Vec::new();
    for (text, good) in documents() {
        let row = typed(text.as_bytes(), "application/json");
        rows.push(Row { served: good, ..row });
    }
    for (bytes, good) in tables() {
        let row = typed(&bytes, "text/csv");
        rows.push(Row { served: good, ..row.clone() });
        rows.push(typed(&bytes, "text/csv; charset=utf-8"));
    }
    let hidden = format!("{{{}}}", member("data", "data", &list(13)));
    for media in [
        "application/JSON",
        "application/json; charset=utf-16",
        "application/json;charset=utf-7",
        "application/json ; charset=utf-8",
        "application/json,text/csv",
        "application/json, text/csv",
        "text/csv, application/json",
        "text/csv;application/json",
        "application/json;x=text/csv",
        "TEXT/CSV",
        "text/csv;header=absent",
        "text/csv\t",
        "application/jsonl",
        "application/json-patch+json",
        "application/vnd.x+json",
        "text/json",
        "",
        "*/*",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
    ] {
        rows.push(typed(hidden.as_bytes(), media));
        rows.push(typed(TWO_FACED.as_bytes(), media));
        rows.push(typed(&tables()[3].0, media));
    }
    rows.push(post(hidden.as_bytes()));
    rows.push(post(TWO_FACED.as_bytes()));
    for (first, second) in [
        ("application/json", "text/csv"),
        ("text/csv", "application/json"),
        ("application/json", "application/json"),
        ("application/json", ""),
    ] {
        let two = |name: &str| typed(TWO_FACED.as_bytes(), first).header(name, second);
        rows.push(two("content-type"));
        rows.push(two("content_type"));
        rows.push(two("content~type"));
    }
    for coding in ["gzip", "deflate", "br", "identity", "x"] {
        let row = typed(hidden.as_bytes(), "application/json");
        rows.push(row.header("content-encoding", coding));
    }
    // Readers of JSON guess the encoding from the first bytes (RFC 4627 §3).
    let wide =
        |text: &str, of: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(of).collect::<Vec<_>>();
    let wider = |text: &str, of: fn(u32) -> [u8; 4]| {
        text.chars().map(u32::from).flat_map(of).collect::<Vec<_>>()
    };
    for text in [hidden.clone(), format!("\u{feff}{hidden}")] {
        for body in [
            wide(&text, u16::to_le_bytes),
            wide(&text, u16::to_be_bytes),
            wider(&text, u32::to_le_bytes),
            wider(&text, u32::to_be_bytes),
        ] {
            rows.push(typed(&body, "application/json"));
            rows.push(typed(&body, "application/json; charset=utf-16"));
        }
    }
    let broken = hidden.replace("data", "d\u{1}ata").into_bytes();
    let broken =
        broken.iter().map(|byte| if *byte == 1 { 0xff } else { *byte }).collect::<Vec<_>>();
    rows.push(typed(&broken, "application/json"));
    rows
}
