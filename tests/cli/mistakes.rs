//! `docs/mistakes.md`: every mistake gets the message shown, and none is found with what to write.

use std::path::Path;

use serde_json::Value;

use super::tollgate;

/// One row: the text to find in a document, its replacement, and the message.
struct Row {
    write: String,
    mistake: String,
    message: String,
}

/// A document, and the rows that change one place of it.
struct Section {
    name: String,
    document: String,
    rows: Vec<Row>,
}

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The content of a cell, which is code or in parentheses.
fn code(cell: &str) -> String {
    let text = match cell.strip_prefix("`` ") {
        Some(text) => text.strip_suffix(" ``"),
        None => cell.strip_prefix('`').and_then(|text| text.strip_suffix('`')),
    };
    text.unwrap_or_default().replace("\\|", "|")
}

fn row(line: &str) -> Option<Row> {
    let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
    let cells: Vec<&str> = cells.split(" | ").collect();
    let [mistake, message, write] = cells[..] else { panic!("{line}") };
    if message == "Message" {
        return None;
    }
    assert!(mistake == "(left out)" || mistake.contains('`'), "{line}");
    Some(Row { write: code(write), mistake: code(mistake), message: code(message) })
}

/// The sections of the page. The document of one is a block of the page, or a file that it names.
fn sections() -> Vec<Section> {
    let page = read("docs/mistakes.md");
    let mut sections: Vec<Section> = Vec::new();
    let mut block: Option<String> = None;
    for line in page.lines() {
        let of_file = line.strip_prefix("In [`").and_then(|line| line.split('`').next());
        match &mut block {
            Some(text) if line == "```" => {
                let document = std::mem::take(text);
                sections.push(Section { name: "page.yaml".into(), document, rows: Vec::new() });
                block = None;
            }
            Some(text) => text.extend([line, "\n"]),
            None if line == "```yaml" => block = Some(String::new()),
            None if of_file.is_some() => {
                let name = of_file.unwrap_or_default();
                let section = (name.replace('/', "-"), read(name));
                sections.push(Section { name: section.0, document: section.1, rows: Vec::new() });
            }
            None => {
                let row = Some(line).filter(|line| !line.starts_with("|--")).and_then(row);
                if let Some(section) = sections.last_mut() {
                    section.rows.extend(row);
                }
            }
        }
    }
    sections
}

/// `path: message` of each problem and warning.
fn findings(name: &str, document: &str) -> Vec<String> {
    let path = super::file(&format!("mistakes/{name}"), document);
    let (text, errors, _) = tollgate(&["check", "--json", path.to_str().unwrap()]);
    let result: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{errors}"));
    let findings = result["findings"].as_array().unwrap().iter();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let serious = findings.filter(|finding| finding["level"] != "note");
    serious.map(|f| format!("{}: {}", text(f, "path"), text(f, "message"))).collect()
}

#[test]
fn every_mistake_of_the_page_has_the_message_shown_and_none_with_the_line_to_write() {
    let mut wrong = Vec::new();
    let mut rows = 0;
    for Section { name, document, rows: of_section } in sections() {
        let known = findings(&name, &document);
        // What to write is in order. Only the digest of an image is not known yet.
        let placeholder = |finding: &&String| finding.contains("is a placeholder");
        let rest: Vec<&String> = known.iter().filter(|f| !placeholder(f)).collect();
        assert!(rest.is_empty(), "{name}: {rest:#?}");
        for Row { write, mistake, message } in of_section {
            rows += 1;
            assert!(document.contains(&write), "{name} has no {write:?}");
            let found = findings(&name, &document.replacen(&write, &mistake, 1));
            let told = found.iter().any(|finding| match message.strip_prefix('…') {
                Some(end) => finding.ends_with(end),
                None => *finding == message,
            });
            if !told || known.contains(&message) {
                wrong.push(format!("{name}: {mistake:?} for {write:?}: {message}\n{found:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(rows >= 80, "{rows} rows");
}
