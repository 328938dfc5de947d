//! The plan of the source: which stage may use which, no circles, only the shell knows the proxy.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each stage and the stages that it may use. A stage stands below all that it uses, so that the
/// table itself has neither a circle nor an upward arrow.
const ALLOWED: [(&str, &[&str]); 21] = [
    ("base64url", &[]),
    ("bytes", &[]),
    ("few", &[]),
    ("lookup", &[]),
    ("place", &[]),
    ("reason", &[]),
    ("store", &[]),
    ("swar", &[]),
    ("time", &[]),
    ("template", &[]),
    ("uri", &[]),
    ("request", &["base64url", "bytes", "lookup", "template"]),
    ("verify", &["base64url", "bytes", "lookup", "reason", "swar", "template", "time", "uri"]),
    ("body", &["reason", "request", "swar"]),
    ("keys", &["request", "store", "time", "uri", "verify"]),
    ("caller", &["base64url", "bytes", "lookup", "place", "reason", "template", "time", "verify"]),
    (
        "limit",
        &["body", "caller", "few", "place", "request", "store", "template", "time", "verify"],
    ),
    ("policy", &["body", "caller", "limit", "reason", "request", "template", "uri", "verify"]),
    (
        "gate",
        &[
            "body", "caller", "few", "limit", "policy", "reason", "request", "store", "template",
            "time", "verify",
        ],
    ),
    ("reply", &["body", "gate", "limit", "policy", "reason", "request", "template", "time", "uri"]),
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

/// Every file of the library in order, without tests and test helpers.
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
fn named(source: &Source, modules: &BTreeSet<Vec<String>>) -> Vec<Vec<String>> {
    let code: Vec<&str> =
        source.text.lines().map(|line| line.split("//").next().unwrap()).collect();
    // `pub(in path)` says who may use an item, not what the file uses.
    let code = code.join("\n");
    let mut code: Vec<&str> = code.split("pub(in ").collect();
    code[1..].iter_mut().for_each(|part| *part = part.split_once(')').unwrap().1);
    let code = code.concat();
    let mut paths = Vec::new();
    for (index, statement) in code.split("use ").enumerate() {
        let (list, rest) = match index {
            0 => ("", statement),
            _ => statement.split_once(';').unwrap_or(("", statement)),
        };
        expand("", list, &mut paths);
        let is_path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        paths.extend(
            rest.split(|c| !is_path(c)).filter(|path| path.contains("::")).map(str::to_owned),
        );
    }
    paths.iter().filter_map(|path| resolved(path, source, modules)).collect()
}

/// The paths of a `use` list: `a::{b, c::d}` names `a::b` and `a::c::d`.
fn expand(prefix: &str, list: &str, paths: &mut Vec<String>) {
    let list: String = list.split_whitespace().collect::<Vec<_>>().join(" ");
    let (mut depth, mut item) = (0, String::new());
    for c in list.chars().chain([',']) {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c != ',' || depth > 0 {
            item.push(c);
            continue;
        }
        let whole = std::mem::take(&mut item);
        match whole.trim().split_once('{') {
            Some((head, inner)) => {
                let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
                expand(&format!("{prefix}{head}"), inner, paths);
            }
            None => paths.push(format!("{prefix}{}", whole.trim().split(' ').next().unwrap())),
        }
    }
}

/// A path as modules from the root; `None` if it is of another crate, or no path at all.
fn resolved(path: &str, source: &Source, modules: &BTreeSet<Vec<String>>) -> Option<Vec<String>> {
    let mut parts = path.split("::").filter(|part| !part.is_empty()).peekable();
    let mut from = source.module.clone();
    match *parts.peek()? {
        "crate" => {
            from.clear();
            parts.next();
        }
        "self" => drop(parts.next()),
        "super" => {
            while parts.next_if_eq(&"super").is_some() {
                from.pop();
            }
        }
        // A child that is named without `self`.
        first => {
            let mut child = from.clone();
            child.push(first.to_owned());
            if !modules.contains(&child) {
                return None;
            }
        }
    }
    from.extend(parts.filter(|part| *part != "self").map(str::to_owned));
    Some(from)
}

/// The files that each file uses. An item that a `mod.rs` re-exports is used from its own file.
fn arrows(sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let by_module: BTreeMap<&[String], &Source> =
        sources.iter().map(|source| (source.module.as_slice(), source)).collect();
    let modules: BTreeSet<Vec<String>> = sources.iter().map(|s| s.module.clone()).collect();
    let target = |path: Vec<String>| {
        let known = |length: &usize| by_module.contains_key(&path[..*length]);
        let length = (0..=path.len()).rev().find(known).unwrap_or(0);
        let source = by_module.get(&path[..length]);
        let item = path.get(length).zip(source);
        let exported = item.and_then(|(item, source)| exported(source, item, &modules));
        exported.unwrap_or_else(|| path[..length].to_vec()).join("::")
    };
    let arrows = sources.iter().map(|source| {
        let used = named(source, &modules).into_iter().map(target);
        let used = used.filter(|name| !name.is_empty() && *name != source.name());
        (source.name(), used.collect())
    });
    arrows.collect()
}

/// The child module that an item comes from, if the file has `use child::item`.
fn exported(source: &Source, item: &str, modules: &BTreeSet<Vec<String>>) -> Option<Vec<String>> {
    let uses = source.text.split("use ").skip(1);
    uses.filter_map(|rest| rest.split(';').next()).find_map(|list| {
        let (child, items) = list.trim_start_matches("self::").split_once("::")?;
        let mut words = items.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let mut module = source.module.clone();
        module.push(child.to_owned());
        (words.any(|word| word == item) && modules.contains(&module)).then_some(module)
    })
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
    let circles: Vec<String> = arrows
        .iter()
        .flat_map(|(file, uses)| {
            uses.iter()
                .filter(|used| reaches(&arrows, used, file))
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
