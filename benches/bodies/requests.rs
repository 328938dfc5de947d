//! Bodies of requests, and the guards that check them.

use tollgate::body::{Guard, IncludeUsage, pointers_to_follow, usage};

use super::SIZE;
use super::random::{Random, list};

pub struct Request {
    pub name: &'static str,
    pub guard: Guard,
    pub body: String,
}

pub fn all() -> Vec<Request> {
    let mut random = Random(1);
    let r = &mut random;
    let chat = |name, inside: String| Request {
        name,
        guard: chat(),
        body: format!(r#"{{"model":"gpt-4o","stream":true,{inside},"max_tokens":300}}"#),
    };
    let rows = |name, inside: String| Request {
        name,
        guard: rows(),
        body: format!(r#"{{"data":[{inside}],"parameters":{{}}}}"#),
    };
    let messages = |inside: String| format!(r#""messages":[{inside}]"#);
    vec![
        chat("chat messages of some KB", {
            messages(list(SIZE, || {
                let words = r
                    .words(4000)
                    .replace("table. ", "table.\\n")
                    .replace("however", "\\\"however\\\"");
                format!(r#"{{"role":"user","content":"{words}"}}"#)
            }))
        }),
        chat("text in Chinese", {
            messages(list(SIZE, || {
                let all = ["数据", "的", "模型", "请求，", "是", "回答。", "我们", "在", "GPU "];
                format!(r#"{{"role":"user","content":"{}"}}"#, r.pieces(&all, 300))
            }))
        }),
        chat("an image in base64", {
            let all = ["iVBORw0KGgo", "AAAANSUhEUg", "x7+/", "Qk2Zz", "9aBc", "e"];
            let image = r.pieces(&all, SIZE as u64 / 6);
            messages(format!(
                r#"{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{image}"}}}}]}}"#
            ))
        }),
        chat("messages of thirty bytes", messages(list(SIZE, || message(r)))),
        chat("the same, written by Python", {
            messages(list(SIZE, || {
                message(r).replace("\",\"", "\", \"").replace("\":\"", "\": \"")
            }))
        }),
        chat("tool schemas of a chat request", format!(r#""tools":[{}]"#, list(SIZE, || tool(r)))),
        chat("the same, indented", {
            format!("\n  \"tools\": [{}\n  ]\n", list(SIZE, || indented(&tool(r), 2)))
        }),
        rows("records of four members, counted as rows", {
            list(SIZE, || {
                let city = r.pick(&["Berlin", "Oslo", "New York", "Rome"]);
                let (id, score) = (r.below(100_000), r.unit() * 100.0);
                let active = r.pick(&["true", "false"]);
                format!(r#"{{"id":{id},"city":"{city}","score":{score:.2},"active":{active}}}"#)
            })
        }),
        rows("rows of eight numbers, seventeen digits each", {
            list(SIZE, || format!("[{}]", list(150, || format!("{:?}", r.unit() * 10.0))))
        }),
        rows("rows of forty small integers", {
            list(SIZE, || format!("[{}]", list(130, || r.below(256).to_string())))
        }),
        chat("short values of all kinds in random order", messages(list(SIZE, || value(r, 4)))),
        chat("embeddings, arrays of numbers", {
            let vectors = list(SIZE, || {
                format!("[{}]", list(SIZE.min(17_000), || format!("{:.9}", r.unit())))
            });
            format!(r#""input":[{vectors}]"#)
        }),
        rows("hostile: brackets, 30 deep", {
            list(SIZE, || format!("{}{}", "[".repeat(30), "]".repeat(30)))
        }),
        chat("hostile: names that resemble a pointer's", {
            let names = list(SIZE, || format!(r#""messageS{}":0"#, r.below(1000)));
            format!(r#""messages":[],{names}"#)
        }),
        chat("hostile: members that are empty arrays", {
            format!(r#""messages":[],{}"#, list(SIZE, || r#""m":[]"#.to_owned()))
        }),
        rows("hostile: records with a shape", {
            list(SIZE, || r#"{"id":[1,2],"x":"a","shape":[]}"#.to_owned())
        }),
        chat("token ids", format!(r#""input":[{}]"#, list(SIZE, || r.below(100_000).to_string()))),
    ]
}

fn message(r: &mut Random) -> String {
    let (role, bytes) = (r.pick(&["user", "assistant"]), r.below(16));
    format!(r#"{{"role":"{role}","content":"{}"}}"#, r.words(bytes))
}

/// The declaration of a function with some parameters.
fn tool(r: &mut Random) -> String {
    let names = ["location", "unit", "query", "limit", "user_id", "start_date", "q", "sort_by"];
    let count = r.below(5) + 1;
    let properties: Vec<String> = (0..count)
        .map(|index| {
            let (name, words) = (r.pick(&names), r.below(60));
            let words = r.words(words);
            let rest = match r.below(4) {
                0 => format!(
                    r#""type":"string","enum":["celsius","fahrenheit"],"description":"{words}""#
                ),
                1 => format!(
                    r#""type":"integer","minimum":0,"maximum":{},"default":10"#,
                    r.below(1000)
                ),
                2 => r#""type":"array","items":{"type":"string"}"#.to_owned(),
                _ => format!(r#""type":"string","description":"{words}""#),
            };
            format!(r#""{name}{index}":{{{rest}}}"#)
        })
        .collect();
    let (name, words) = (r.pick(&names), r.words(80));
    format!(
        r#"{{"type":"function","function":{{"name":"get_{name}","description":"{words}","parameters":{{"type":"object","properties":{{{}}},"required":["{name}0"],"additionalProperties":false}},"strict":true}}}}"#,
        properties.join(",")
    )
}

/// The same document with line feeds and indentation; its strings hold no brackets.
fn indented(text: &str, level: usize) -> String {
    let (mut level, mut all) = (level, String::new());
    let mut after = ' ';
    let line = |all: &mut String, level: usize| {
        all.push('\n');
        all.extend(std::iter::repeat_n("  ", level));
    };
    for (index, byte) in text.char_indices() {
        let next = text.get(index + 1..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
        match byte {
            '{' | '[' => {
                all.push(byte);
                level += 1;
                line(&mut all, level);
            }
            '}' | ']' => {
                level -= 1;
                line(&mut all, level);
                all.push(byte);
            }
            ',' if next != ' ' => {
                all.push(byte);
                line(&mut all, level);
            }
            ':' if after == '"' => all.push_str(": "),
            _ => all.push(byte),
        }
        after = byte;
    }
    all
}

/// A value of at most so many levels.
fn value(r: &mut Random, levels: u64) -> String {
    let count = r.below(4);
    match r.below(if levels > 0 { 8 } else { 6 }) {
        0 => format!("\"{}\"", r.words(count * 3)),
        1 => r.below(100_000).to_string(),
        2 => format!("{:.3}", r.unit()),
        3 => "true".to_owned(),
        4 => "null".to_owned(),
        5 => "\"\"".to_owned(),
        6 => {
            let all: Vec<String> = (0..count).map(|_| value(r, levels - 1)).collect();
            format!("[[{}]]", all.join(","))
        }
        _ => {
            let member = |index: u64| format!("\"{index}a\":{}", value(r, levels - 1));
            let all: Vec<String> = (0..count).map(member).collect();
            format!("[{{{}}}]", all.join(","))
        }
    }
}

fn split(list: &[&str]) -> Vec<Vec<String>> {
    let split = |pointer: &&str| pointer.split('/').skip(1).map(str::to_owned).collect();
    list.iter().map(split).collect()
}

/// The guard of a chat API.
fn chat() -> Guard {
    let mut guard = guard(&[], &["/messages", "/input", "/prompt", "/tools"], false);
    guard.pointers.note(&split(&["/max_tokens", "/max_completion_tokens"]));
    guard.pointers.capture(&[usage::pointers(), split(&["/model"])].concat());
    guard
}

/// The guard of a server whose requests cost as much as they have rows.
fn rows() -> Guard {
    guard(&["/data", "/input_data/data", "/instances"], &[], true)
}

fn guard(rows: &[&str], required: &[&str], bounded: bool) -> Guard {
    let (pointers, required) =
        pointers_to_follow(&split(rows), &split(required), bounded).unwrap_or_default();
    Guard {
        reads: true,
        needs_body: Vec::new(),
        content_types: None,
        max_bytes: 4 << 20,
        max_depth: 64,
        max_rows: None,
        pointers,
        required,
        include_usage: IncludeUsage::Off,
    }
}
