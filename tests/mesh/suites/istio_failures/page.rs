//! The table of the page.

use support::root;

const PAGE: &str = "docs/failures.md";

/// The heading of Istio's part.
const HEADING: &str = "\n## Istio\n";

/// One row.
pub struct Row {
    /// What happens.
    pub name: String,
    /// What callers get with each strategy, from a running pod and from a new one.
    pub answers: [[String; 2]; 3],
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
    let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
    let [name, close, reload, open, look, cure] = cells[..] else { panic!("{cells:?}") };
    assert!(!cure.is_empty(), "{name}: no cure");
    // One answer is that of both.
    let answers = [close, reload, open].map(|cell| match cell.split_once("; new pods: ") {
        Some((running, new)) => [running, new].map(str::to_owned),
        None => [cell; 2].map(str::to_owned),
    });
    Row { name: name.to_owned(), answers, look: look.to_owned() }
}

impl Row {
    /// The texts in backticks behind a word such as `log`, up to the next part.
    pub fn quoted(&self, place: &str) -> Vec<&str> {
        let part = self.look.split("; ").find_map(|part| part.strip_prefix(place));
        part.map(|part| part.split('`').skip(1).step_by(2).collect()).unwrap_or_default()
    }
}
