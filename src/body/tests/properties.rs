//! Laws for generated documents.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::json::scanner::Scanner;
use super::*;

/// JSON documents, some with a byte changed, removed or inserted.
pub(super) fn text() -> impl Strategy<Value = Vec<u8>> {
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
    changed(document, 4)
}

/// Documents, of which three in `all` have a byte changed, removed or inserted.
pub(super) fn changed(
    document: impl Strategy<Value = String>,
    all: u8,
) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..all);
    (document, change).prop_map(|(document, (at, byte, change))| {
        let mut bytes = document.into_bytes();
        let at = at.index(bytes.len());
        match change {
            0 => bytes[at] = byte,
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, byte),
            _ => {}
        }
        bytes
    })
}

/// Documents without duplicate members, with the names that matter for rows.
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

/// The rows of a parsed value; `None` if programs do not agree on them.
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

/// The rows of labels, in one level or several; `None` if programs do not agree on them.
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

/// The rows of a record that may be a tensor, and whether it has no other members; `None` for an
/// invalid `shape`.
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
    fn a_document_has_the_same_flaw_and_values_whole_and_byte_by_byte(
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
            // The values found in a malformed document are not used.
            (verdict, verdict.is_ok().then(|| (scanner.found().to_vec(), scanner.elements())))
        };
        prop_assert_eq!(read(1), read(body.len()));
    }

    #[test]
    fn rows_are_the_same_in_a_parsed_document(document in tree()) {
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
    fn json_is_what_the_reference_parser_accepts(body in text()) {
        let guard = Guard { max_depth: 127, max_rows: None, ..guard(&[], &[]) };
        let reference = serde_json::from_slice::<serde_json::Value>(&body);
        // A number beyond the range of f64 is JSON (RFC 8259 §6), but the reference stops there.
        prop_assume!(!reference.as_ref().is_err_and(|e| e.to_string().contains("out of range")));
        prop_assert_eq!(judge(&guard, &body, 5).is_ok(), reference.is_ok());
    }
}
