//! SECURITY.md's table of threats and the control map: each row names evidence that exists, or says why there is none.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn security() -> String {
    fs::read_to_string(root().join("SECURITY.md")).unwrap()
}

/// One row of the table.
struct Row {
    number: usize,
    /// The advisory or issue.
    source: String,
    /// The tests that show it, or why there is none.
    shown: String,
}

impl Row {
    /// `file::function`, as they stand between backquotes.
    fn tests(&self) -> Vec<&str> {
        self.shown.split('`').skip(1).step_by(2).filter(|text| text.contains("::")).collect()
    }
}

/// The cells of each line of a table whose first cell is a number.
fn numbered(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    text.lines().filter_map(|line| {
        let cells: Vec<&str> = line
            .strip_prefix('|')?
            .trim_end()
            .strip_suffix('|')?
            .split(" | ")
            .map(str::trim)
            .collect();
        Some((cells.first()?.parse().ok()?, cells))
    })
}

fn rows() -> Vec<Row> {
    let text = security();
    let row = |(number, cells): (usize, Vec<&str>)| {
        assert_eq!(cells.len(), 4, "row {number} of SECURITY.md");
        Row { number, source: cells[1].to_owned(), shown: cells[3].to_owned() }
    };
    numbered(&text).map(row).collect()
}

/// Whether a file has a test of this name: that file, or a file of that folder, under `src/`, `tests/`,
/// the folder of a package in `tests/`, or its folder `suites`.
fn is_test(file: &str, function: &str) -> bool {
    let claim = format!("fn {function}(");
    let [tests, src] = ["tests", "src"].map(|folder| root().join(folder));
    let packages = fs::read_dir(&tests).unwrap().map(|entry| entry.unwrap().path());
    let packages = packages.filter(|folder| folder.join("Cargo.toml").is_file());
    let packages = packages.flat_map(|folder| [folder.join("suites"), folder]);
    let paths: Vec<_> =
        packages.chain([tests.clone(), src]).map(|folder| folder.join(file)).collect();
    let files = |path: &PathBuf| {
        let folder = fs::read_dir(path).into_iter().flatten();
        let inside: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
        [path.with_extension("rs")].into_iter().chain(inside)
    };
    let mut texts = paths.iter().flat_map(files).filter_map(|path| fs::read_to_string(path).ok());
    texts.any(|text| {
        text.find(&claim).is_some_and(|at| {
            let before = &text[..at];
            let attribute = before.rfind("#[").map_or("", |from| &before[from..]);
            // The attribute stands directly before the function, doc comments aside.
            attribute.contains("test")
        })
    })
}

#[test]
fn every_row_names_tests_that_exist_or_says_why_there_is_none() {
    let rows = rows();
    assert!(rows.len() >= 78, "{}", rows.len());
    let mut complaints = Vec::new();
    for row in &rows {
        let tests = row.tests();
        let reasoned =
            ["cannot apply: ", "not shown yet: "].iter().any(|word| row.shown.starts_with(word));
        if tests.is_empty() && !reasoned {
            complaints.push(format!("row {}: neither a test nor a reason", row.number));
        }
        for test in tests {
            let (file, function) = test.rsplit_once("::").unwrap();
            if !is_test(file, function) {
                complaints.push(format!("row {}: there is no test {test}", row.number));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn what_is_not_shown_yet_is_counted_and_only_falls() {
    let text = security();
    for (words, prefix) in [("Not shown yet", "not shown yet: "), ("Shown in part", "in part: ")] {
        let stated = text.lines().find_map(|line| {
            line.strip_prefix(words)?.strip_prefix(": ")?.split(' ').next()?.parse().ok()
        });
        let counted = rows().iter().filter(|row| row.shown.starts_with(prefix)).count();
        assert_eq!(stated, Some(counted), "{words:?} in SECURITY.md");
    }
}

#[test]
fn every_threat_of_the_list_has_its_row() {
    let Some(list) = support::skip::shared("THREATS.md") else { return };
    let rows = rows();
    let mut complaints = Vec::new();
    for (number, cells) in numbered(&fs::read_to_string(list).unwrap()) {
        let Some(row) = rows.iter().find(|row| row.number == number) else {
            complaints.push(format!("row {number} is missing"));
            continue;
        };
        // The row is about the same report: the name of its source is in the list's row.
        let listed = cells.join(" ");
        let last = row.source.rsplit(' ').next().unwrap();
        let numbers = last.rsplit_once('-').map_or(last, |(_, number)| number);
        if !listed.contains(numbers) {
            complaints
                .push(format!("row {number} is about {}, the list about {listed}", row.source));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The crates of the module are those that SECURITY.md lists as trusted, and none that a row
/// calls absent.
#[test]
fn every_crate_of_the_module_is_named_and_the_denied_ones_are_absent() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--package", "tollgate", "--edges", "normal"])
        .args(["--target", "wasm32-wasip1", "--prefix", "none", "--format", "{lib}|{p}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let name = |line: &str| line.rsplit('|').next()?.split(' ').next().map(str::to_owned);
    let linked: BTreeSet<String> = tree.lines().filter_map(name).collect();
    assert!(linked.contains("serde_json"), "{linked:?}");
    for absent in ["regex", "wee_alloc", "lru", "ring", "openssl", "reqwest"] {
        assert!(!linked.contains(absent), "{absent} is linked");
    }
    let text = security();
    let page = text.split("## Supply chain").nth(1).unwrap();
    let named: BTreeSet<&str> = page.split('`').skip(1).step_by(2).collect();
    let unnamed: Vec<&String> = linked
        .iter()
        .filter(|name| *name != "tollgate" && !named.contains(name.as_str()))
        .collect();
    assert!(unnamed.is_empty(), "SECURITY.md does not say why these are trusted: {unnamed:?}");
}

/// The control map has two tables of four cells; the third cell is the evidence.
#[test]
fn every_piece_of_evidence_in_the_control_map_exists() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let page = read("docs/controls.md");
    let known: BTreeSet<String> = [
        words(&read("docs/audit.json"), '"'),
        words(&read("docs/telemetry.md"), '`'),
        words(&read("docs/runbook.md"), '`'),
        read("envoy/prometheus/alerts.yaml")
            .lines()
            .filter_map(|line| Some(line.trim().strip_prefix("- alert: ")?.to_owned()))
            .collect(),
    ]
    .concat()
    .into_iter()
    .collect();
    let mut rows = 0;
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 4, "{line}");
        rows += 1;
        for evidence in words(cells[2], '`') {
            match evidence.rsplit_once("::") {
                Some((file, function)) => assert!(is_test(file, function), "{evidence}"),
                None if evidence.starts_with("tollgate ") => {}
                None => assert!(known.contains(&evidence), "{evidence}"),
            }
        }
    }
    assert!(rows > 30, "{rows}");
}

/// The texts between pairs of a mark, line by line.
fn words(text: &str, mark: char) -> Vec<String> {
    text.lines().flat_map(|line| line.split(mark).skip(1).step_by(2)).map(str::to_owned).collect()
}
