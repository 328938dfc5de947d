//! Microsoft's parser of KQL.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{root, skip};

/// What the parser says of a query.
#[derive(serde::Deserialize)]
pub struct Checked {
    pub findings: Vec<String>,
    /// Name and type of each column of the result.
    pub columns: Vec<(String, String)>,
}

/// A table with these columns, as KQL writes it.
pub fn table(columns: &[(String, &str)]) -> String {
    let columns: Vec<_> =
        columns.iter().map(|(name, kind)| format!("{name}: {}", kind.to_lowercase())).collect();
    format!("({})", columns.join(", "))
}

/// Checks queries of these tables; `None` after a note without the parser.
pub fn check(tables: &Value, queries: &[String]) -> Option<Vec<Checked>> {
    let packages = root().join("target/kusto/node_modules");
    let Some(node) = skip::program("node").filter(|_| packages.is_dir()) else {
        skip::absent("the parser of KQL is absent: run scripts/install/kusto");
        return None;
    };
    let input = json!({"tables": tables, "queries": queries}).to_string();
    let mut child = Command::new(node)
        .arg(root().join("tests/data/kusto/check.js"))
        .env("NODE_PATH", packages)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}
