//! `docs/mistakes.md`: every mistake gets the message shown, and none is found with what to write.

use serde_json::Value;
use support::mistakes::sections;

use super::tollgate;

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
    for section in sections() {
        let name = &section.name;
        let known = findings(name, &section.document);
        // What to write is in order. Only the digest of an image is not known yet.
        let placeholder = |finding: &&String| finding.contains("is a placeholder");
        let rest: Vec<&String> = known.iter().filter(|f| !placeholder(f)).collect();
        assert!(rest.is_empty(), "{name}: {rest:#?}");
        for row in &section.rows {
            rows += 1;
            let found = findings(name, &section.with(row));
            let told = found.iter().any(|finding| match row.message.strip_prefix('…') {
                Some(end) => finding.ends_with(end),
                None => *finding == row.message,
            });
            if !told || known.contains(&row.message) {
                let (mistake, write, message) = (&row.mistake, &row.write, &row.message);
                wrong.push(format!("{name}: {mistake:?} for {write:?}: {message}\n{found:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(rows >= 80, "{rows} rows");
}
