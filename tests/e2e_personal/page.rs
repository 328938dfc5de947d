//! docs/personal-data.md.

use std::collections::BTreeSet;

use support::root;

pub const PAGE: &str = "docs/personal-data.md";

/// The cells of the table under a heading, its head first.
pub fn table(heading: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root().join(PAGE)).unwrap();
    let start = text.split_once(&format!("# {heading}\n"));
    let (_, section) = start.unwrap_or_else(|| panic!("{PAGE} has no heading {heading:?}"));
    let rows = section.lines().skip_while(|line| !line.starts_with('|'));
    let rows =
        rows.take_while(|line| line.starts_with('|')).filter(|line| !line.starts_with("|---"));
    let cells = |line: &str| {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    rows.map(cells).collect()
}

/// The names in backquotes in the first cells of a table.
pub fn names(heading: &str) -> BTreeSet<String> {
    let rows = table(heading);
    let cells = rows.iter().skip(1).map(|cells| &cells[0]);
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}
