//! The page: its tables, its changes, and what a cell of a table says.

use std::collections::BTreeMap;

use support::prelude::*;
use support::{docs, root};

const PAGE: &str = "docs/identity-walk.md";

/// The rows of the page's table that begins with this header; there are at least so many.
pub fn table(header: &str, least: usize) -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(root().join(PAGE)).unwrap();
    let start = format!("{header}\n");
    let (_, rows) = page.split_once(&start).unwrap_or_else(|| panic!("no table {header}"));
    let rows = rows.lines().skip(1).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`'));
        cells.map(str::to_owned).collect()
    };
    let rows: Vec<_> = rows.map(cells).collect();
    assert!(rows.len() >= least, "{header}: {}", rows.len());
    rows
}

/// The only block of the page under a heading.
pub fn change(heading: &str) -> Value {
    let blocks = docs::blocks(PAGE);
    let found: Vec<_> = blocks.iter().filter(|block| block.heading == heading).collect();
    assert_eq!(found.len(), 1, "{heading}");
    found[0].documents().remove(0)
}

/// What the placeholders of the page stand for; those without a value stand for any text without a comma.
pub type Known = BTreeMap<&'static str, String>;

/// Whether a value is as a cell says.
pub fn is(cell: &str, value: Option<&str>, known: &Known) -> bool {
    let Some(value) = value else { return cell == "–" };
    let mut rest = value;
    let mut parts = cell.split('<');
    let Some(after) = rest.strip_prefix(parts.next().unwrap()) else { return false };
    rest = after;
    for part in parts {
        let (name, text) = part.split_once('>').unwrap();
        match known.get(name) {
            Some(known) => match rest.strip_prefix(known.as_str()) {
                Some(after) => rest = after,
                None => return false,
            },
            None => {
                let end = if text.is_empty() { Some(rest.len()) } else { rest.find(text) };
                let Some(end) = end.filter(|end| *end > 0) else { return false };
                if rest[..end].contains(',') {
                    return false;
                }
                rest = &rest[end..];
            }
        }
        let Some(after) = rest.strip_prefix(text) else { return false };
        rest = after;
    }
    rest.is_empty()
}
