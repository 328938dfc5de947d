//! The table of the page.

use support::root;

const PAGE: &str = "docs/failures.md";

/// The heading of Envoy Gateway's part.
const HEADING: &str = "\n## Envoy Gateway\n";

/// One row: what happens, and its cells.
pub struct Row {
    pub name: String,
    /// What callers get with `failOpen: false` and `failOpen: true`.
    pub answers: [String; 2],
    /// The status of the policy.
    pub policy: String,
    /// Where to look.
    pub look: String,
}

/// The rows in order.
pub fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(root().join(PAGE)).unwrap();
    let (_, part) = text.split_once(HEADING).unwrap();
    let part = part.split("\n## ").next().unwrap();
    let lines = part.lines().filter(|line| line.starts_with("| ")).skip(1);
    lines.map(row).collect()
}

fn row(line: &str) -> Row {
    let cells: Vec<_> =
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    let [name, closed, open, policy, look, cure] =
        cells.try_into().unwrap_or_else(|cells| panic!("{cells:?}"));
    assert!(!cure.is_empty(), "{name}: no cure");
    Row { name, answers: [closed, open], policy, look }
}

/// The texts in backticks.
pub fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}
