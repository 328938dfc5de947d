//! The tables of docs/personal-data.md name every field of every output.

use std::collections::BTreeSet;

use support::prelude::*;
use support::root;

use super::outputs::ABSENT;
use super::page;
use super::world::{self, World};

/// The filter's own states: those of the source that are no tags.
pub fn states() -> BTreeSet<String> {
    literals("b\"tollgate.")
}

/// The metrics of the source, and those of docs/telemetry.md: the scrape has no others
/// (`tests/e2e_telemetry`).
fn metrics() -> BTreeSet<String> {
    let mut names = literals("\"tollgate_");
    // The detail of a reply.
    assert!(names.remove("unconfigured"));
    let page = std::fs::read_to_string(root().join("docs/telemetry.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `tollgate_"));
    let rows: Vec<_> = rows.map(|row| row.split(" | ").next().unwrap()).collect();
    assert!(rows.len() > 10, "{rows:?}");
    let cells = rows.iter().flat_map(|cell| cell.split("`tollgate_"));
    names.extend(cells.map(|name| name.split('`').next().unwrap().to_owned()));
    names.into_iter().map(|name| format!("tollgate_{name}")).collect()
}

/// The words that follow a text in the strings of `src/shell`.
fn literals(start: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root().join("src/shell")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if name.ends_with("tests.rs") || name == "fake_host.rs" {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for rest in code.flat_map(|line| line.split(start).skip(1)) {
                let word = rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next();
                found.extend(word.filter(|word| !word.is_empty()).map(str::to_owned));
            }
        }
    }
    found
}

/// The headers of refusals and the tags of spans that a run had.
pub fn assert_named(world: &World, replies: &[Response]) {
    let named = page::names("Refusals");
    let own = replies.iter().filter(|reply| world::is_own(reply));
    let headers = own.flat_map(|reply| &reply.headers).map(|(name, _)| name.clone());
    let unnamed: BTreeSet<_> = headers.filter(|name| !named.contains(name)).collect();
    assert!(unnamed.is_empty(), "{unnamed:?} are not under *Refusals*");
    let unnamed: Vec<_> = world.span_tags().difference(&page::names("Spans")).cloned().collect();
    assert!(unnamed.is_empty(), "{unnamed:?} are not under *Spans*");
}

#[test]
fn the_page_names_every_field_of_the_audit_line_and_what_the_private_line_has() {
    let text = std::fs::read_to_string(root().join("docs/audit.json")).unwrap();
    let fields: Vec<Value> = serde_json::from_str(&text).unwrap();
    let part = support::sample::read(world::PRIVATE);
    let format = &part["access_log"][0]["typed_config"]["log_format"]["json_format"];
    let hashed = |operator: &str| {
        let mut tags = part["filter"]["tags"].as_array().unwrap().iter();
        let state =
            |tag: &Value| format!("%FILTER_STATE(wasm.tollgate.{}:", tag["name"].as_str().unwrap());
        tags.any(|tag| tag["hash"] == true && operator.starts_with(&state(tag)))
    };
    let expected = fields.iter().map(|field| {
        let name = field["name"].as_str().unwrap();
        let value = match format[name].as_str() {
            None => ABSENT,
            Some(operator) if hashed(operator) => "hash",
            Some(_) => "the same",
        };
        (format!("`{name}`"), value.to_owned())
    });
    let table = page::table("Audit line");
    let private = table[0].iter().position(|head| head == "private.yaml").unwrap();
    let found = table[1..].iter().map(|row| (row[0].clone(), row[private].clone()));
    assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn the_page_names_every_state_and_every_metric_of_the_source() {
    let own: BTreeSet<_> = states().iter().map(|name| format!("wasm.tollgate.{name}")).collect();
    let named = page::names("Filter state");
    assert!(own.is_subset(&named), "{own:?}, {named:?}");
    assert_eq!(own.len(), 10, "{own:?}");
    let named = page::names("Metrics");
    let unnamed: Vec<_> = metrics().difference(&named).cloned().collect();
    assert!(unnamed.is_empty(), "{unnamed:?} are not under *Metrics*");
}
