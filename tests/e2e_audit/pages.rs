//! The pages name fields of the audit line, and only those that every example has.

use std::collections::BTreeSet;

use support::docs::{self, Block};
use support::root;

use super::definition::{AZURE_ML, Kind, definition, required};

const PAGE: &str = "docs/telemetry.md";

#[test]
fn the_table_of_the_page_is_the_definition() {
    let text = std::fs::read_to_string(root().join(PAGE)).unwrap();
    let start = "| Field | Kind | Content | Azure ML |\n|---|---|---|---|\n";
    let (_, table) = text.split_once(start).unwrap();
    let rows = definition().into_iter().map(|field| {
        let kind = match field.kind {
            Kind::Text => "text",
            Kind::Number => "number",
            Kind::Digits => "digits",
        };
        let azure_ml = if field.azure_ml { " yes" } else { "" };
        format!("| `{}` | {kind} | {} |{azure_ml} |", field.name, field.content)
    });
    let rows: Vec<_> = rows.collect();
    let found: Vec<_> = table.lines().take_while(|line| line.starts_with('|')).collect();
    assert_eq!(found, rows);
}

/// The words of a text that can be fields: they begin with a capital letter and contain none but
/// letters. Comments and texts in quotes are left out.
fn words(text: &str) -> BTreeSet<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = code.map(|line| format!("{line}\n")).collect();
    let outside: String = code.split('"').step_by(2).collect();
    let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let words = outside.split(word).filter(|word| word.starts_with(|c: char| c.is_uppercase()));
    words.map(str::to_owned).collect()
}

/// The names that a query gives: `name = …`, and those of its tables.
fn given(block: &Block) -> BTreeSet<String> {
    let mut names: BTreeSet<_> = ["TollgateAudit", "AmlOnlineEndpointTrafficLog", "ContainerLogV2"]
        .map(str::to_owned)
        .into();
    if block.text.contains("ContainerLogV2") {
        names.extend(["ContainerName", "LogMessage"].map(str::to_owned));
    }
    if block.text.contains("AmlOnlineEndpointTrafficLog") {
        names.extend(AZURE_ML.map(str::to_owned));
    }
    let before = block.text.split(" = ").map(|part| part.rsplit([' ', '(', ',']).next().unwrap());
    names.extend(before.map(str::to_owned));
    names
}

fn blocks(language: &str) -> Vec<(String, Block)> {
    let files = std::fs::read_dir(root().join("docs")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let pages = names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}"));
    let pages = pages.chain(["README.md".to_owned()]);
    let blocks = pages
        .flat_map(|page| docs::blocks(&page).into_iter().map(move |block| (page.clone(), block)));
    blocks.filter(|(_, block)| block.language == language).collect()
}

#[test]
fn every_query_uses_fields_that_every_example_has() {
    let required = required();
    let queries = blocks("kusto");
    for (page, block) in &queries {
        let given = given(block);
        for word in words(&block.text) {
            let known = required.contains(&word) || given.contains(&word);
            assert!(known, "{page}:{}: {word}", block.line);
        }
    }
    let count = |page: &str| queries.iter().filter(|(name, _)| name == page).count();
    assert!(count(PAGE) >= 5 && count("docs/azure-ml.md") >= 1);
}

/// The members that a program of `jq` reads: `.Rule`, in texts too, and `{Rule}`. Functions such as
/// `IN` have no small letter.
fn members(program: &str) -> BTreeSet<String> {
    let named = program.split('.').skip(1);
    let named = named.filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next());
    let named = named.filter(|name| name.starts_with(|c: char| c.is_uppercase()));
    let mut members = words(program);
    members.retain(|word| word.contains(|c: char| c.is_lowercase()));
    members.extend(named.map(str::to_owned));
    members
}

/// The programs of `jq` in all pages, each in single quotes.
#[test]
fn every_jq_line_uses_fields_that_every_example_has() {
    let required = required();
    let mut count = 0;
    for (page, block) in ["", "sh", "bash", "console"].into_iter().flat_map(blocks) {
        for call in block.text.split("jq ").skip(1) {
            let Some(program) = call.split('\'').nth(1) else { continue };
            for word in members(program) {
                assert!(required.contains(&word), "{page}:{}: {word} in {program}", block.line);
                count += 1;
            }
        }
    }
    assert!(count > 5, "{count}");
}

#[test]
fn a_field_that_only_some_examples_have_is_noticed() {
    let query = "TollgateAudit\n// Time\n| where Rule == \"Text\" | project Spent, EndpointName";
    let found = words(query);
    let unknown: Vec<_> = found.difference(&required()).cloned().collect();
    assert_eq!(unknown, ["EndpointName", "Spent", "TollgateAudit"]);
    let found = members(r#"select(.Reason | IN("a")) | {Rule} | "\(.Agent) x""#);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["Agent", "Reason", "Rule"]);
}
