use proptest::prelude::*;

use super::sieve::Sieve;
use super::*;

mod replies;
mod shortcuts;

/// The number of the first of these pointers.
fn pointers(list: &[&str]) -> Measure {
    measure(&[(list, 1)])
}

/// The sum of these parts with their weights.
fn measure(parts: &[(&[&str], u64)]) -> Measure {
    let split = |pointer: &&str| pointer.split('/').skip(1).map(str::to_owned).collect();
    let part = |(list, weight): &(&[&str], u64)| Part {
        pointers: list.iter().map(split).collect(),
        weight: *weight,
    };
    Measure::new(vec![parts.iter().map(part).collect()], false).unwrap()
}

/// The number, which must not depend on the pieces.
fn number_of(measure: &Measure, content_type: &str, text: &[u8]) -> Option<u64> {
    let read = |size: usize| {
        let mut meter = ResponseMeter::new(measure, content_type.as_bytes());
        text.chunks(size).for_each(|piece| meter.feed(measure, piece));
        meter.finish(measure)
    };
    let whole = read(text.len().max(1));
    for size in 1..text.len().min(40) {
        assert_eq!(read(size), whole, "{size}: {}", text.escape_ascii());
    }
    whole
}

fn number(content_type: &str, text: &[u8]) -> Option<u64> {
    number_of(&pointers(&["/usage/total_tokens"]), content_type, text)
}

const JSON: &str = "application/json";
const LINE: &str = "application/x-ndjson; charset=utf-8";
const EVENTS: &str = "Text/Event-Stream; charset=utf-8";

#[test]
fn a_json_response_carries_its_number() {
    for (text, want) in [
        (&b"{\"id\":1,\"usage\":{\"total_tokens\":42}}"[..], Some(42)),
        (b"{\"usage\":{\"total_tokens\":42,\"total_tokens\":43}}", None),
        (b"{\"usage\":{\"total_tokens\":\"42\"}}", None),
        (b"{\"usage\":{\"total_tokens\":null}}", None),
        (b"{\"usage\":{\"total_tokens\":[42]}}", None),
        (b"{\"usage\":{\"total_tokens\":01}}", None),
        (b"{\"usage\":null}", None),
        (b"{\"usage\":{\"total_tokens\":42}", None),
        (b"<html>", None),
        (b"", None),
    ] {
        assert_eq!(number(JSON, text), want, "{}", text.escape_ascii());
    }
}

/// The document before the last one.
const FIRST: &str = r#"{"usage":{"total_tokens":1}}"#;

/// Every framing, each with this document last.
fn framings(last: &str) -> Vec<(&'static str, String)> {
    let first = FIRST;
    vec![
        (JSON, last.to_owned()),
        (JSON, format!("\u{feff}{last}")),
        ("", format!(" \r\n{last}\n")),
        (JSON, format!("[{first},\n{last}]")),
        (JSON, format!("[{first}\n,\r\n{{}},\r\n{last}\n]\n")),
        // Incomplete: the last complete document counts.
        (JSON, format!("[{first},{last},{{\"usage\"")),
        (JSON, format!("{first}{last}")),
        (LINE, format!("{first}\n{last}\n")),
        (LINE, format!("\u{feff}{first}\r\n\r\n{last}")),
        (LINE, format!("{first}\n{{\"broken\":\n{last}\n<html>\n")),
        ("application/json-seq", format!("\u{1e}{first}\n\u{1e}{last}\n")),
        (EVENTS, format!("data: {first}\n\ndata: {last}\n\ndata: [DONE]\n\n")),
        (EVENTS, format!("\u{feff}data: {last}\r\n\r\n")),
        (EVENTS, format!("data: {last}")),
    ]
}

#[test]
fn every_number_is_read_in_every_framing() {
    for (text, want) in [
        ("300", 300),
        ("300.0", 300),
        ("3e2", 300),
        ("3.0E+2", 300),
        ("299.01", 300),
        ("0.2", 1),
        ("0", 0),
        ("-7", 0),
        ("-0.5", 0),
        ("18446744073709551616", u64::MAX),
        ("1e400", u64::MAX),
    ] {
        let document = format!("{{\"usage\":{{\"total_tokens\":{text}}}}}");
        for (content_type, reply) in framings(&document) {
            let got = number(content_type, reply.as_bytes());
            // A zero does not erase the number of a document before it.
            let want = if want == 0 && reply.contains(FIRST) { 1 } else { want };
            assert_eq!(got, Some(want), "{content_type}: {reply}");
        }
    }
}

#[test]
fn a_reply_without_a_well_formed_number_has_none_in_any_framing() {
    for usage in ["\"300\"", "null", "true", "[3]", "{}", "+3", "3.", ".3", "NaN", "0x3", "03"] {
        let document = format!("{{\"usage\":{{\"total_tokens\":{usage}}}}}");
        for (content_type, reply) in framings(&document) {
            let reply = reply.replace(FIRST, "{}");
            assert_eq!(number(content_type, reply.as_bytes()), None, "{content_type}: {reply}");
        }
    }
}

#[test]
fn the_first_pointer_with_a_number_counts() {
    let pointers = pointers(&["/usage/total_tokens", "/response/usage/total_tokens", "/n"]);
    for (text, want) in [
        (r#"{"usage":{"total_tokens":1},"response":{"usage":{"total_tokens":2}},"n":3}"#, Some(1)),
        (r#"{"n":3,"response":{"usage":{"total_tokens":2}}}"#, Some(2)),
        (r#"{"usage":null,"response":{"usage":{"total_tokens":2}}}"#, Some(2)),
        (r#"{"usage":{"total_tokens":"x"},"n":3}"#, Some(3)),
        (r#"{"m":3}"#, None),
        // Also in another document.
        (r#"[{"n":3},{"usage":{"total_tokens":1}},{"n":4}]"#, Some(1)),
        (r#"[{"n":3},{"n":4}]"#, Some(4)),
    ] {
        assert_eq!(number_of(&pointers, JSON, text.as_bytes()), want, "{text}");
    }
}

#[test]
fn an_array_is_one_document_if_a_pointer_leads_into_it() {
    let pointers = pointers(&["/1/n", "/n"]);
    for (text, want) in [
        (r#"[{"n":1},{"n":2},{"n":3}]"#, Some(2)),
        (r#"{"n":1}"#, Some(1)),
        (r#"{"n":1} {"n":2}"#, Some(2)),
        (r#"[{"n":1},{"n":2}"#, None),
    ] {
        assert_eq!(number_of(&pointers, JSON, text.as_bytes()), want, "{text}");
    }
}

#[test]
fn the_last_event_with_a_number_counts() {
    let last = r#"{"choices":[],"usage":{"total_tokens":7}}"#;
    for (text, want) in [
        (format!("data: {{\"usage\":null}}\n\ndata: {last}\n\ndata: [DONE]\n\n"), Some(7)),
        (format!("data:{last}\r\n\r\ndata: [DONE]\r\n\r\n"), Some(7)),
        (format!("\u{feff}data: {last}\r\rdata: [DONE]\r\r"), Some(7)),
        (format!(": hi\nevent: x\nid: 1\ndata: {last}\nretry: 5\n\n"), Some(7)),
        (format!("data: {last}"), Some(7)),
        (format!("data: {last}\n\ndata: {}\n\n", last.replace('7', "9")), Some(9)),
        ("data: {\"usage\":\ndata: {\"total_tokens\":\ndata: 5}}\n\n".to_owned(), Some(5)),
        (format!("database: {last}\n\n"), None),
        (format!(" data: {last}\n\n"), None),
        (String::new(), None),
    ] {
        assert_eq!(number(EVENTS, text.as_bytes()), want, "{text:?}");
    }
}

proptest! {
    #[test]
    fn the_last_document_with_a_number_counts_in_every_framing(
        numbers in prop::collection::vec(any::<u32>(), 1..5),
        text in "[ -~é€]{0,20}",
    ) {
        let document = |n: &u32| {
            serde_json::json!({"text": text, "usage": {"total_tokens": n}}).to_string()
        };
        let documents: Vec<String> = numbers.iter().map(document).collect();
        let events: String = documents.iter().map(|d| format!("data: {d}\n\n")).collect();
        let counts = |n: &&u32| **n > 0;
        let want = numbers.iter().rfind(counts).or(numbers.last()).map(|n| u64::from(*n));
        for (content_type, reply) in [
            (JSON, format!("[{}]", documents.join(","))),
            (JSON, documents.join("")),
            (LINE, documents.join("\n")),
            (EVENTS, events),
        ] {
            prop_assert_eq!(number(content_type, reply.as_bytes()), want, "{}", reply);
        }
    }
}

#[test]
fn the_last_event_of_an_api_is_known_at_every_cut_and_only_as_the_last() {
    let completed =
        format!("event: response.completed\ndata: {{\"response\":\"{}\"}}\n\n", "x".repeat(300));
    let other = "event: ping\ndata: {}\n\n";
    for (text, want) in [
        ("data: [DONE]\n\n", true),
        ("data:[DONE]", true),
        ("data: {}\n\ndata: [DONE]\n\n", true),
        ("data: {}\r\n\r\ndata: [DONE]\r\n\r\n", true),
        ("\u{feff}data: [DONE]\r\r", true),
        ("data: [DONE]\n\ndata: {}\n\n", false),
        ("data: [DONE", false),
        ("data: x data: [DONE]\n\n", false),
        ("data: {\"text\":\"\\ndata: [DONE]", false),
        ("id: [DONE]\n\n", false),
        ("{}\ndata: [DONE]", false),
        ("event: message_stop\ndata: {\"type\":\"message_stop\"  }\n\n", true),
        (&format!("{other}event:message_stop\ndata: {{}}\n\n"), true),
        (&format!("{other}event: message_stop\r\ndata: {{}}\r\n\r\n"), true),
        (&format!("{other}\n\r\nevent: message_stop\rdata: {{}}\r\r"), true),
        (&format!("\u{feff}{completed}"), true),
        (&format!("{other}{completed}"), true),
        (&format!("{other}{completed}\n\n").replace("completed", "incomplete"), true),
        (&completed.replace("completed", "failed"), true),
        (&format!("{completed}{other}"), false),
        (&format!("{completed}: \n\n"), false),
        (&completed.replace("completed", "completed2"), false),
        (&completed.replace("completed", "created"), false),
        // The event has not ended.
        (&completed[..completed.len() - 1], false),
        ("event: message_stop\n", false),
        (" event: message_stop\ndata: {}\n\n", false),
        ("event: message_stop\n\ndata: {}", false),
        ("data: event: message_stop\n\n", false),
        ("data: {}\nevent: message_stop\n\n", false),
        ("", false),
    ] {
        let measure = pointers(&["/usage/total_tokens"]);
        for size in 1..=text.len().max(1) {
            let mut meter = ResponseMeter::new(&measure, EVENTS.as_bytes());
            text.as_bytes().chunks(size).for_each(|piece| meter.feed(&measure, piece));
            assert_eq!(meter.is_done(), want, "{size}: {text:?}");
        }
    }
}

#[test]
fn the_last_line_of_ollama_is_known_at_every_cut_and_only_as_the_last() {
    let word = "{\"response\":\"a word\",\"done\":false}\n".repeat(20);
    let last = "{\"response\":\"\",\"done\":true,\"prompt_eval_count\":3,\"eval_count\":40}";
    let list = pointers(&["/prompt_eval_count", "/eval_count"]);
    let ollama = Preset::Ollama.measure().unwrap();
    for (text, measure, want) in [
        (format!("{word}{last}\n"), &ollama, true),
        (format!("{last}\r\n"), &list, true),
        (format!("{word}{last}"), &ollama, false),
        (format!("{word}{last}\n{word}"), &ollama, false),
        (format!("{last}\n{last}\n{{"), &ollama, false),
        (format!("{last}\nx\n"), &ollama, false),
        (word.clone(), &ollama, false),
        (format!("{word}{}\n", last.replace("eval", "x")), &ollama, false),
        (format!("{word}{last}\n"), &pointers(&["/prompt_eval_count"]), false),
        (String::new(), &ollama, false),
    ] {
        for size in 1..=text.len().max(1) {
            let mut meter = ResponseMeter::new(measure, LINE.as_bytes());
            text.as_bytes().chunks(size).for_each(|piece| meter.feed(measure, piece));
            assert_eq!(meter.is_done(), want, "{size}: {text:?}");
        }
    }
}
