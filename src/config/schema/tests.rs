//! The published schema and configuration reference are up to date.
//!
//! `TOLLGATE_UPDATE=1 cargo test --lib published` regenerates both.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::document::{self, ROOT};
use super::json::ORDER;
use crate::published_tests::current;

/// The start of the generated part; the text above it is written by hand.
const MARK: &str = "<!-- From here on generated from src/config/schema: see its tests.rs. -->\n";

#[test]
fn the_published_schema_is_current() {
    let mut text = serde_json::to_string_pretty(&document::document()).unwrap();
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

/// A section for each object, in the order of the document.
fn reference() -> String {
    let definitions = document::definitions();
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
    page.push_str("| Member | Type | Default | Meaning | Example |\n|---|---|---|---|---|\n");
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
        let examples = examples(member, schema, definitions);
        writeln!(page, "| `{member}` | {kind} | {default} | {meaning} | {examples} |").unwrap();
    }
    for member in order {
        let schema = &object["properties"][member];
        if let Some(name) = object_of(schema, definitions) {
            section(name, &below(path, member, schema), definitions, seen, page);
        }
    }
}

/// The examples of a member, as an operator writes them in YAML.
fn examples(member: &str, schema: &Value, definitions: &Map<String, Value>) -> String {
    let examples = schema["examples"].as_array().unwrap_or_else(|| panic!("{member}: no example"));
    let code = |value| cell(&format!("`{member}: {}`", flow(value, schema, definitions)));
    examples.iter().map(code).collect::<Vec<_>>().join(" or ")
}

/// A value in the flow style of YAML: members in their order, quotation marks only where needed.
fn flow(value: &Value, schema: &Value, definitions: &Map<String, Value>) -> String {
    let definition = object_of(schema, definitions).map(|name| &definitions[name]);
    match value {
        Value::Array(list) => {
            let items = list.iter().map(|item| flow(item, schema, definitions));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        Value::Object(object) => {
            let names: Vec<_> = match definition.and_then(|object| object[ORDER].as_array()) {
                Some(order) => order.iter().filter_map(Value::as_str).collect(),
                None => object.keys().map(String::as_str).collect(),
            };
            let members = names.into_iter().filter_map(|name| {
                let schema = definition.map_or(&Value::Null, |object| &object["properties"][name]);
                Some(format!("{name}: {}", flow(object.get(name)?, schema, definitions)))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Value::String(text) if plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a text is the same without quotation marks.
fn plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@+*|".contains(c))
        && !text.ends_with(':')
        && text.parse::<f64>().is_err()
}

/// The path of a member, with `[]` for a list.
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

/// The object type of a member, of its entries, or of one of its alternatives.
fn object_of<'a>(schema: &'a Value, definitions: &Map<String, Value>) -> Option<&'a str> {
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    let mut schemas = choices.chain([schema]).flat_map(|schema| [schema, &schema["items"]]);
    let name = schemas.find_map(referred)?;
    definitions[name].get(ORDER).map(|_| name)
}

/// The type of a member in words.
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
            "array" => match kind(&schema["items"], definitions) {
                items if items == "string" => "list of strings".into(),
                items => format!("list of {}", items.replace("[object]", "[objects]")),
            },
            "integer" => match (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
                (Some(low), Some(high)) => format!("integer, {low} to {high}"),
                (Some(low), None) => format!("integer, at least {low}"),
                _ => "integer".into(),
            },
            "object" if schema["additionalProperties"].is_object() => "object of strings".into(),
            other => other.into(),
        },
        _ => "string, number or boolean".into(),
    }
}

/// The path under which an object is described: the first path to it.
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

/// The anchor of a heading, as Markdown hosts generate it.
fn anchor(heading: &str) -> String {
    heading.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// Text escaped for a table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
