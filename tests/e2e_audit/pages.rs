//! The pages name fields of the audit line, and only those that every example has.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::docs::{self, Block};
use support::root;

use super::azure;
use super::definition::{AZURE_ML, Kind, definition, required};
use super::kusto;

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

pub fn blocks(language: &str) -> Vec<(String, Block)> {
    let files = std::fs::read_dir(root().join("docs")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let pages = names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}"));
    let pages = pages.chain(["README.md".to_owned()]);
    let blocks = pages
        .flat_map(|page| docs::blocks(&page).into_iter().map(move |block| (page.clone(), block)));
    blocks.filter(|(_, block)| block.language == language).collect()
}

/// The tables of the queries: the audit line as every example has it, its table in Azure Monitor, and three of Azure.
fn tables() -> Value {
    let audit = definition().into_iter().filter(|field| !field.optional);
    let audit: Vec<_> = audit.map(|field| (field.name.clone(), field.kusto())).collect();
    let azure_ml = AZURE_ML.map(|name| {
        let number = ["Ms", "Size", "StatusCode", "ResponseCode"];
        let kind = if name == "TimeGenerated" { "datetime" } else { "string" };
        let is_number = number.iter().any(|end| name.ends_with(end));
        (name.to_owned(), if is_number { "int" } else { kind })
    });
    json!({
        "TollgateAudit": kusto::table(&audit),
        "TollgateAudit_CL": kusto::table(&azure::table()),
        "AmlOnlineEndpointTrafficLog": kusto::table(&azure_ml),
        "ContainerLogV2": azure::CONTAINER_LOG,
    })
}

/// Also of names and types: a field that an example may lack is no column.
#[test]
fn microsofts_parser_accepts_every_query() {
    let queries = blocks("kusto");
    // A script that only defines a table gets a query of it.
    let texts = queries.iter().map(|(_, block)| match block.text.trim_end().ends_with(';') {
        true => format!("{}\nTollgateAudit", block.text),
        false => block.text.clone(),
    });
    let Some(found) = kusto::check(&tables(), &texts.collect::<Vec<_>>()) else { return };
    for ((page, block), found) in queries.iter().zip(found) {
        assert!(found.findings.is_empty(), "{page}:{}: {:?}", block.line, found.findings);
    }
    let count = |page: &str| queries.iter().filter(|(name, _)| name == page).count();
    assert!(count(PAGE) >= 5 && count("docs/azure-ml.md") >= 1);
    for wrong in [
        "TollgateAudit | where Endpoint == ''",
        "TollgateAudit | where Decision = ''",
        "TollgateAudit_CL | extend Hour = hourofday(Remaining)",
        "TollgateAudit_CL | summarize count() by Caller",
    ] {
        let found = kusto::check(&tables(), &[wrong.to_owned()]).unwrap();
        assert!(!found[0].findings.is_empty(), "{wrong}");
    }
}

/// The members that a program of `jq` reads: `.Rule`, in texts too, and `{Rule}`. Functions such as
/// `IN` have no small letter.
fn members(program: &str) -> BTreeSet<String> {
    let word = |c: char| !c.is_ascii_alphanumeric();
    let named = program.split('.').skip(1).filter_map(|rest| rest.split(word).next());
    let named = named.filter(|name| name.starts_with(|c: char| c.is_uppercase()));
    let outside: String = program.split('"').step_by(2).collect();
    let words = outside.split(word).filter(|word| word.starts_with(|c: char| c.is_uppercase()));
    let words = words.filter(|word| word.contains(|c: char| c.is_lowercase()));
    let mut members: BTreeSet<_> = words.map(str::to_owned).collect();
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
fn members_of_a_jq_program_are_read_in_texts_too() {
    let found = members(r#"select(.Reason | IN("a", "Time")) | {Rule} | "\(.Agent) x""#);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["Agent", "Reason", "Rule"]);
}
