//! The part of docs/clients.md that is generated from a run.

use regex::Regex;
use support::root;

use super::clients::Shows;
use super::server::CASES;
use super::{Run, Seen};

const PAGE: &str = "docs/clients.md";
const MARK: &str = "<!-- From here on generated from a run of `make sdk`: see tests/sdk. -->\n";

/// Asserts that the page has what the run showed, or writes it with `TOLLGATE_UPDATE`.
pub fn current(runs: &[Run]) {
    let path = root().join(PAGE);
    let found = std::fs::read_to_string(&path).unwrap();
    let (head, _) = found.split_once(MARK).unwrap();
    let wanted = format!("{head}{MARK}{}{}", outcomes(runs), texts(runs));
    if std::env::var_os("TOLLGATE_UPDATE").is_some() {
        std::fs::write(&path, wanted).unwrap();
        return;
    }
    assert_eq!(found, wanted, "{PAGE} is out of date; update it: TOLLGATE_UPDATE=1 make sdk");
}

/// The table of clients and cases.
fn outcomes(runs: &[Run]) -> String {
    let heads: Vec<_> = CASES.iter().map(|case| case.title()).collect();
    let mut out =
        format!("\n| Client | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for run in runs {
        let cells: Vec<_> = run.seen.iter().map(outcome).collect();
        out += &format!("| {} {} | {} |\n", run.client.name, run.version, cells.join(" | "));
    }
    out
}

fn outcome(seen: &Seen) -> String {
    if seen.class.is_empty() {
        return match seen.refused {
            1 => "waits, then passes".to_owned(),
            count => format!("passes after {count} refusals"),
        };
    }
    let requests = match seen.refused {
        1 => String::new(),
        count => format!(", {count} requests"),
    };
    let hidden = if seen.shows().0 { "" } else { ", reason hidden" };
    format!("`{}`{requests}{hidden}", seen.class)
}

/// The table of clients and texts.
fn texts(runs: &[Run]) -> String {
    let heading = "\n## What is printed\n\nFor `scope_insufficient`, cut after 300 characters:\n\n";
    let mut out = format!("{heading}| Client | Token in | Shows | Text |\n|---|---|---|---|\n");
    let port = Regex::new(r"127\.0\.0\.1:\d+").unwrap();
    for run in runs {
        let seen = run.seen.iter().find(|seen| seen.case.name == "scope_insufficient").unwrap();
        let shows = match run.client.shows {
            Shows::Sentence => "reason and sentence",
            Shows::Reason => "reason",
            Shows::Nothing => "neither",
        };
        // The port differs from run to run.
        let text = port.replace_all(&seen.text, "127.0.0.1:10000");
        let text: String = text.chars().take(300).collect();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        let token = run.client.token;
        out += &format!("| {} | {token} | {shows} | {} |\n", run.client.name, code(&text));
    }
    out
}

/// Inline code that may contain backquotes.
fn code(text: &str) -> String {
    match text.contains('`') {
        true => format!("`` {text} ``"),
        false => format!("`{text}`"),
    }
}

#[test]
fn the_page_is_of_the_pinned_versions() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let (page, python) = (read(PAGE), read("tests/data/sdk/python/requirements.txt"));
    let node: serde_json::Value =
        serde_json::from_str(&read("tests/data/sdk/node/package.json")).unwrap();
    let python = python.lines().map(|line| line.split_once("==").unwrap().1);
    let node = node["dependencies"].as_object().unwrap().values();
    for version in python.chain(node.map(|version| version.as_str().unwrap())) {
        assert!(page.contains(&format!(" {version} | ")), "{PAGE} lacks {version}: make sdk");
    }
}
