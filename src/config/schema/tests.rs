//! What is published of the declarations: the schema, and the reference of the configuration.
//!
//! `TOLLGATE_UPDATE=1 cargo test --lib published` writes both anew.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::json::{self, ORDER, ROOT};

/// Where the reference is generated; what stands above is written by hand.
const MARK: &str = "<!-- From here on generated from src/config/schema: see its tests.rs. -->\n";

#[test]
fn the_published_schema_is_current() {
    let mut text = serde_json::to_string_pretty(&json::document()).unwrap();
    text.push('\n');
    current("docs/tollgate.schema.json", |_| text);
}

#[test]
fn the_published_reference_is_current() {
    current("docs/configuration.md", |found| {
        let (hand, _) = found.split_once(MARK).expect("the mark is in the page");
        [hand, MARK, &reference()].concat()
    });
}

/// Asserts that a file is what it should be, or makes it so.
fn current(name: &str, wanted: impl FnOnce(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let wanted = wanted(&found);
    if std::env::var_os("TOLLGATE_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, wanted).unwrap();
        return;
    }
    let update = "TOLLGATE_UPDATE=1 cargo test --lib published";
    assert!(found == wanted, "{name} is not what the declarations say; update it: {update}");
}

/// A section for each object, in the order of the document.
fn reference() -> String {
    let definitions = json::definitions();
    let mut page = String::new();
    let mut seen = HashSet::new();
    section(ROOT, "", &definitions, &mut seen, &mut page);
    page
}

fn section(
    name: &str,
    path: &str,
    definitions: &Map<String, Value>,
    seen: &mut HashSet<String>,
    page: &mut String,
) {
    if !seen.insert(name.to_owned()) {
        return;
    }
    let object = &definitions[name];
    let title = if path.is_empty() { "The document" } else { &format!("`{path}`") };
    let about = object["description"].as_str().unwrap();
    writeln!(page, "\n### {title}\n\n{about}\n").unwrap();
    page.push_str("| Member | Type | Default | Meaning |\n|---|---|---|---|\n");
    let required = object.get("required").and_then(Value::as_array);
    let order = object[ORDER].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    for member in order.clone() {
        let schema = &object["properties"][member];
        let default = match schema.get("default") {
            Some(default) => format!("`{default}`"),
            None if required.is_some_and(|list| list.iter().any(|name| name == member)) => {
                "required".to_owned()
            }
            None => String::new(),
        };
        let kind = kind(schema, definitions);
        let meaning = cell(schema["description"].as_str().unwrap());
        writeln!(page, "| `{member}` | {kind} | {default} | {meaning} |").unwrap();
    }
    for member in order {
        let schema = &object["properties"][member];
        if let Some(name) = object_of(schema, definitions) {
            section(name, &below(path, member, schema), definitions, seen, page);
        }
    }
}

/// The path of a member, with `[]` where it is a list.
fn below(path: &str, member: &str, schema: &Value) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    let mut lists = choices.chain([schema]).filter(|schema| schema["type"] == "array");
    let list = if lists.any(|list| referred(&list["items"]).is_some()) { "[]" } else { "" };
    format!("{path}{dot}{member}{list}")
}

/// The definition that a schema refers to.
fn referred(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// The object that a member is, holds entries of, or may be.
fn object_of<'a>(schema: &'a Value, definitions: &Map<String, Value>) -> Option<&'a str> {
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    let mut schemas = choices.chain([schema]).flat_map(|schema| [schema, &schema["items"]]);
    let name = schemas.find_map(referred)?;
    definitions[name].get(ORDER).map(|_| name)
}

/// What a member is, in words.
fn kind(schema: &Value, definitions: &Map<String, Value>) -> String {
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<_> = words.iter().map(|w| format!("`{}`", w.as_str().unwrap())).collect();
        return words.join(", ");
    }
    if let Some(name) = referred(schema) {
        return match definitions[name].get(ORDER) {
            Some(_) => format!("[object](#{})", anchor(&first_path(name, definitions))),
            None => format!("[{name}](#units)"),
        };
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let choices: Vec<_> = choices.iter().map(|c| kind(c, definitions)).collect();
        return choices.join(" or ");
    }
    if let Some(word) = schema["const"].as_str() {
        return format!("the word `{word}`");
    }
    match &schema["type"] {
        Value::String(name) => match name.as_str() {
            "string" => "text".into(),
            "array" => format!("list: {}", kind(&schema["items"], definitions)),
            "integer" => match (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
                (Some(low), Some(high)) => format!("whole number, {low} to {high}"),
                (Some(low), None) => format!("whole number, at least {low}"),
                _ => "whole number".into(),
            },
            "object" if schema["additionalProperties"].is_object() => "object of texts".into(),
            other => other.into(),
        },
        _ => "text, number or boolean".into(),
    }
}

/// The path under which an object is described: the first that leads to it.
fn first_path(wanted: &str, definitions: &Map<String, Value>) -> String {
    fn walk(
        name: &str,
        path: &str,
        wanted: &str,
        definitions: &Map<String, Value>,
    ) -> Option<String> {
        if name == wanted {
            return Some(path.to_owned());
        }
        let object = &definitions[name];
        object[ORDER].as_array()?.iter().find_map(|member| {
            let schema = &object["properties"][member.as_str()?];
            let path = below(path, member.as_str()?, schema);
            walk(object_of(schema, definitions)?, &path, wanted, definitions)
        })
    }
    walk(ROOT, "", wanted, definitions).unwrap()
}

/// The anchor that a heading gets on the usual hosts of Markdown.
fn anchor(heading: &str) -> String {
    heading.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// A text inside a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
