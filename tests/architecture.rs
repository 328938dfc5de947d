//! The plan of the source: which stage may use which, no circles, only the shell knows the proxy.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each stage and the stages that it may use. A stage stands below all that it uses, so that the
/// table itself has neither a circle nor an upward arrow.
const ALLOWED: [(&str, &[&str]); 15] = [
    ("reason", &[]),
    ("store", &[]),
    ("time", &[]),
    ("template", &[]),
    ("uri", &[]),
    ("request", &["template"]),
    ("verify", &["reason", "template", "time", "uri"]),
    ("body", &["reason", "request"]),
    ("keys", &["request", "store", "time", "uri", "verify"]),
    ("caller", &["reason", "template", "time", "verify"]),
    ("limit", &["body", "caller", "request", "store", "template", "time", "verify"]),
    ("policy", &["body", "caller", "limit", "reason", "request", "template", "uri", "verify"]),
    (
        "gate",
        &[
            "body", "caller", "limit", "policy", "reason", "request", "store", "template", "time",
            "verify",
        ],
    ),
    ("reply", &["gate", "policy", "reason", "request", "template", "uri"]),
    ("config", &["body", "caller", "limit", "policy", "request", "template", "uri", "verify"]),
];

/// The most lines of product code in a file, its unit tests apart.
const MOST_LINES: usize = 300;

/// A source file: its modules by name (`["verify", "jwk"]`), and its text without unit tests.
struct Source {
    path: PathBuf,
    module: Vec<String>,
    text: String,
}

impl Source {
    /// `verify::jwk`.
    fn name(&self) -> String {
        self.module.join("::")
    }

    fn stage(&self) -> &str {
        &self.module[0]
    }
}

/// Every file of the library, in its order, but for tests and what tests alone use.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    assert!(sources.len() > 100, "{}", sources.len());
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && stem != "bin" {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|end| end == "rs") && !is_test(&stem) {
            let inside = path.strip_prefix(root).unwrap().with_extension("");
            let mut module: Vec<String> =
                inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if module.last().is_some_and(|last| last == "mod") {
                module.pop();
            }
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            sources.push(Source { path, module, text });
        }
    }
}

fn is_test(stem: &str) -> bool {
    ["tests", "properties", "fake_host", "exports"].contains(&stem) || stem.ends_with("_tests")
}

/// The paths that a file names, as modules from the root of the library.
fn named(source: &Source, folders: &BTreeSet<Vec<String>>) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for line in source.text.lines().map(|line| line.split("//").next().unwrap()) {
        for (at, _) in line.match_indices("::") {
            let before = &line[..at];
            let start = before
                .rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
                .map_or(0, |end| end + 1);
            let after = &line[at..];
            let end = after
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
                .unwrap_or(after.len());
            let path = format!("{}{}", &before[start..], &after[..end]);
            let parts: Vec<&str> = path.split("::").filter(|part| !part.is_empty()).collect();
            // The folder of a file: its own module where it has children, else its parent.
            let mut from = source.module.clone();
            let mut rest = parts.as_slice();
            match rest.first() {
                Some(&"crate") => {
                    from.clear();
                    rest = &rest[1..];
                }
                Some(&"self") => rest = &rest[1..],
                Some(&"super") => {
                    while rest.first() == Some(&"super") {
                        from.pop();
                        rest = &rest[1..];
                    }
                }
                // A child that is named without `self`.
                Some(first) => {
                    from.push((*first).to_owned());
                    if !folders.contains(&from) {
                        continue;
                    }
                    rest = &rest[1..];
                }
                None => continue,
            }
            from.extend(rest.iter().map(|part| (*part).to_owned()));
            found.push(from);
        }
    }
    found
}

/// The files that each file uses.
fn arrows(sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeSet<Vec<String>> = sources.iter().map(|s| s.module.clone()).collect();
    let target = |mut path: Vec<String>| {
        while !path.is_empty() && !modules.contains(&path) {
            path.pop();
        }
        path.join("::")
    };
    let arrows = sources.iter().map(|source| {
        let used = named(source, &modules).into_iter().map(target);
        let used = used.filter(|name| !name.is_empty() && *name != source.name());
        (source.name(), used.collect())
    });
    arrows.collect()
}

fn stage(module: &str) -> &str {
    module.split("::").next().unwrap()
}

#[test]
fn the_table_of_arrows_has_neither_a_circle_nor_an_upward_arrow() {
    for (index, (stage, uses)) in ALLOWED.iter().enumerate() {
        for used in *uses {
            assert!(ALLOWED[..index].iter().any(|(below, _)| below == used), "{stage} -> {used}");
        }
    }
}

#[test]
fn no_stage_uses_one_that_the_table_does_not_allow() {
    let mut complaints = BTreeSet::new();
    for (file, uses) in arrows(&sources()) {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == stage(&file)) else {
            assert!(["lib", "shell"].contains(&stage(&file)), "{file} is of no stage");
            continue;
        };
        for used in uses {
            if stage(&used) != stage(&file) && !allowed.contains(&stage(&used)) {
                complaints.insert(format!("{file} -> {used}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn files_use_each_other_in_no_circle() {
    let arrows = arrows(&sources());
    // What can be reached only from itself is taken away leaf by leaf.
    let mut left = arrows.clone();
    loop {
        let leaves: Vec<String> = left
            .iter()
            .filter(|(_, uses)| !uses.iter().any(|used| left.contains_key(used)))
            .map(|(file, _)| file.clone())
            .collect();
        if leaves.is_empty() {
            break;
        }
        leaves.iter().for_each(|leaf| drop(left.remove(leaf)));
    }
    let circles: Vec<String> = left
        .iter()
        .flat_map(|(file, uses)| {
            uses.iter()
                .filter(|used| reaches(&left, used, file))
                .map(move |used| format!("{file} -> {used}"))
        })
        .collect();
    assert!(circles.is_empty(), "{circles:#?}");
}

/// Whether a walk along the arrows leads from one file to the other.
fn reaches(arrows: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![from.to_owned()];
    while let Some(file) = next.pop() {
        if file == to {
            return true;
        }
        if seen.insert(file.clone()) {
            next.extend(arrows.get(&file).into_iter().flatten().cloned());
        }
    }
    false
}

#[test]
fn only_the_shell_names_the_proxy() {
    for source in sources() {
        let names = source.text.contains("proxy_wasm") || source.text.contains("unsafe");
        let may = source.stage() == "shell" || source.stage() == "lib";
        assert!(may || !names, "{} names the host", source.path.display());
    }
}

#[test]
fn no_file_has_more_product_code_than_one_can_read_at_once() {
    for source in sources() {
        let lines = source.text.lines().count();
        assert!(lines <= MOST_LINES, "{}: {lines} lines", source.path.display());
    }
}
