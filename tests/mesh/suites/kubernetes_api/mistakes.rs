//! docs/manifest-mistakes.md: each mistake is noticed by exactly the tools that the page names, with the message
//! that it shows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use mesh::program::{Answer, run};
use mesh::{api, machine};
use serde_json::Value;
use support::root;

const PAGE: &str = "docs/manifest-mistakes.md";

/// A row: a mistake in place of what to write, who notices it, and a part of the message of the first.
struct Row {
    source: String,
    mistake: String,
    write: String,
    by: Vec<String>,
    message: String,
    /// The source has no configuration of the filter.
    outside: bool,
}

/// The code of a cell; nothing for words.
fn code(cell: &str) -> String {
    let text = match cell.strip_prefix("`` ") {
        Some(text) => text.strip_suffix(" ``"),
        None => cell.strip_prefix('`').and_then(|text| text.strip_suffix('`')),
    };
    text.unwrap_or_default().replace("\\|", "|")
}

fn rows() -> Vec<Row> {
    let page = std::fs::read_to_string(root().join(PAGE)).unwrap();
    let (mut rows, mut source) = (Vec::new(), String::new());
    for line in page.lines() {
        if let Some(named) = line.strip_prefix("In [`") {
            source = named.split('`').next().unwrap().to_owned();
        }
        let cells = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |"));
        let Some(cells) = cells.filter(|_| !source.is_empty()) else { continue };
        let [mistake, write, by, message] = cells.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        if mistake != "Mistake" {
            let by = by.split(", ").map(|tool| tool.trim_matches(['`', '*']).to_owned()).collect();
            let (mistake, write, message) = (code(mistake), code(write), code(message));
            let (source, outside) = (source.clone(), false);
            rows.push(Row { source, mistake, write, by, message, outside });
        }
    }
    rows
}

/// The text of a file, or of what a folder builds.
fn text(source: &str) -> String {
    let path = root().join(source);
    match path.is_dir() {
        true => api::kubectl(["kustomize", path.to_str().unwrap()]).ok(),
        false => std::fs::read_to_string(path).unwrap(),
    }
}

fn said(answer: Answer) -> String {
    if answer.good { String::new() } else { format!("{}{}", answer.stdout, answer.stderr) }
}

/// What each tool says against manifests: nothing where it accepts them. `istioctl` is asked about Istio's.
fn judge(path: &Path, source: &str, text: &str) -> [(&'static str, String); 4] {
    std::fs::write(path, text).unwrap();
    let path = path.to_str().unwrap();
    let istioctl = |arguments: &[&str]| match source.starts_with("istio/") {
        true => said(run(Command::new("istioctl").args(arguments).arg(path))),
        false => String::new(),
    };
    let mut check = Command::new(root().join("target/debug/tollgate"));
    let check = run(check.args(["check", "--json", path]));
    let result: Value = serde_json::from_str(&check.stdout).unwrap_or_else(|_| panic!("{check:?}"));
    let findings = result["findings"].as_array().unwrap().iter().map(|finding| {
        let text = |name: &str| finding[name].as_str().unwrap();
        (text("level"), format!("{}: {}\n", text("path"), text("message")))
    });
    // The digest of an image that is not known yet is no mistake.
    let findings =
        findings.filter(|(level, text)| *level != "note" && !text.contains("placeholder"));
    [
        ("kubectl apply", said(api::try_apply(&[], text))),
        ("istioctl analyze", istioctl(&["analyze", "--use-kube=false"])),
        ("istioctl validate", istioctl(&["validate", "--filename"])),
        ("tollgate check", findings.map(|(_, text)| text).collect()),
    ]
}

/// What `tollgate check` says of a file without a configuration, in which it looks for no mistakes.
const NO_CONFIGURATION: &str = "contains no configuration of tollgate";

/// What is wrong about a row of the page.
fn flaw(row: &Row, path: &Path) -> Option<String> {
    let text = text(&row.source);
    if !text.contains(&row.write) {
        return Some(format!("{} has no {:?}", row.source, row.write));
    }
    let text = text.replacen(&row.write, &row.mistake, 1);
    let mut said = judge(path, &row.source, &text);
    if row.outside {
        said[3].1.clear();
    }
    let noticed: Vec<_> = said.iter().filter(|(_, text)| !text.is_empty()).collect();
    let by: Vec<_> = noticed.iter().map(|(tool, _)| (*tool).to_owned()).collect();
    let by = if by.is_empty() { vec!["nobody".to_owned()] } else { by };
    let shown = noticed.first().is_none_or(|(_, text)| text.contains(&row.message));
    (by != row.by || !shown || row.message.is_empty() != noticed.is_empty())
        .then(|| format!("{}: {:?}: by {by:?}: {noticed:?}", row.source, row.mistake))
}

#[test]
fn each_mistake_in_a_manifest_is_noticed_by_whom_the_page_names() {
    if super::started().is_none() {
        return;
    }
    let _alone = super::alone();
    for name in ["models", "envoy-gateway-system"] {
        super::namespace(name);
    }
    let folder = machine::folder().join("mistakes");
    std::fs::create_dir_all(&folder).unwrap();
    let mut rows = rows();
    let sources: BTreeSet<_> = rows.iter().map(|row| row.source.clone()).collect();
    for (number, source) in sources.into_iter().enumerate() {
        let [others @ .., (_, check)] =
            judge(&folder.join(format!("right-{number}.yaml")), &source, &text(&source));
        assert!(others.iter().all(|(_, text)| text.is_empty()), "{source}: {others:#?}");
        let outside = check.contains(NO_CONFIGURATION);
        assert!(check.is_empty() || outside, "{source}: {check}");
        rows.iter_mut().filter(|row| row.source == source).for_each(|row| row.outside = outside);
    }
    let work = Mutex::new(rows.iter().enumerate());
    let flaws = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some((number, row)) = work.lock().unwrap().next() else { break };
                    let path: PathBuf = folder.join(format!("{number}.yaml"));
                    flaws.lock().unwrap().extend(flaw(row, &path));
                }
            });
        }
    });
    let flaws = flaws.into_inner().unwrap();
    assert!(flaws.is_empty(), "{} of {} rows:\n{}", flaws.len(), rows.len(), flaws.join("\n"));
    assert!(rows.len() >= 50, "{}", rows.len());
}
