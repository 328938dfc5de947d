//! `xtask matrix VERSION...`: runs the end-to-end suites on several versions of Envoy, one after the
//! other, and writes the table `target/matrix.md`.
//!
//! The variable `SUITES` names the suites. Each Envoy is installed into `target/matrix/VERSION`
//! (200 MB), which also holds the logs of its suites.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::output;

/// The tests list skipped cases here.
const SKIPPED: &str = "target/skipped.txt";

/// The result of one suite on one version.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    passed: usize,
    /// The names of the tests.
    failed: Vec<String>,
}

/// By suite and version.
type Outcomes = BTreeMap<(String, String), Outcome>;

/// Runs the suites and prints the table.
pub fn run(versions: &[&str]) -> Result<(), Box<dyn Error>> {
    let suites = env::var("SUITES").map_err(|_| "SUITES is not set: run make matrix")?;
    let suites: Vec<&str> = suites.split_whitespace().collect();
    let mut outcomes = Outcomes::new();
    for version in versions {
        let envoy = output("scripts/install/envoy", &[version])?;
        let envoy = envoy.trim();
        if !has_v8(envoy)? {
            eprintln!("{version} was built without V8: it loads no Wasm filter");
            continue;
        }
        let _ = fs::remove_file(SKIPPED);
        for &suite in &suites {
            eprintln!("{version} {suite}");
            let log = format!("target/matrix/{version}/{suite}.log");
            let file = fs::File::create(&log)?;
            Command::new("cargo")
                .args(["test", "--no-fail-fast", "--package", "tollgate", "--package", "grpc"])
                .args(["--features", "tollgate/cli", "--test", suite])
                .env("ENVOY_BIN", envoy)
                .stderr(file.try_clone()?)
                .stdout(file)
                .status()?;
            let outcome = read(&fs::read_to_string(log)?);
            for name in &outcome.failed {
                eprintln!("failed: {name}");
            }
            outcomes.insert((suite.to_owned(), (*version).to_owned()), outcome);
        }
        eprint!("{}", fs::read_to_string(SKIPPED).unwrap_or_default());
    }
    let table = table(versions, &outcomes);
    fs::write("target/matrix.md", &table)?;
    print!("{table}");
    match outcomes.values().all(|outcome| outcome.failed.is_empty()) {
        true => Ok(()),
        false => Err("some tests failed".into()),
    }
}

/// Whether this Envoy can run Wasm: it lists its runtimes when it starts.
fn has_v8(envoy: &str) -> Result<bool, Box<dyn Error>> {
    let started = Command::new("timeout")
        .args(["3", envoy, "--config-yaml", "{}"])
        .stdin(Stdio::null())
        .output()?;
    Ok(String::from_utf8_lossy(&started.stderr).contains("envoy.wasm.runtime.v8"))
}

/// Reads the log of `cargo test`.
fn read(log: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let mut finished = false;
    for line in log.lines() {
        finished |= line.starts_with("test result:");
        match line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) {
            Some((_, "ok")) => outcome.passed += 1,
            Some((name, "FAILED")) => outcome.failed.push(name.to_owned()),
            _ => {}
        }
    }
    if !finished {
        outcome.failed.push("(did not run to its end)".to_owned());
    }
    outcome
}

/// One row for each suite, one column for each version that ran; below, the failed tests and the
/// versions that did not run.
fn table(versions: &[&str], outcomes: &Outcomes) -> String {
    let ran = |version: &&str| outcomes.keys().any(|(_, other)| other == version);
    let (ran, without): (Vec<&str>, Vec<&str>) = versions.iter().copied().partition(ran);
    let mut text = format!("| Suite | {} |\n|---|{}\n", ran.join(" | "), "---|".repeat(ran.len()));
    let mut failures = String::new();
    let suites: BTreeSet<&str> = outcomes.keys().map(|(suite, _)| suite.as_str()).collect();
    for suite in suites {
        let _ = write!(text, "| {suite} |");
        for &version in &ran {
            let Some(outcome) = outcomes.get(&(suite.to_owned(), version.to_owned())) else {
                continue;
            };
            let (passed, failed) = (outcome.passed, outcome.failed.len());
            let _ = match failed {
                0 => write!(text, " {passed} passed |"),
                _ => write!(text, " **{failed} of {} failed** |", passed + failed),
            };
            for name in &outcome.failed {
                let _ = writeln!(failures, "- {version}, {suite}: `{name}`");
            }
        }
        text.push('\n');
    }
    if !failures.is_empty() {
        let _ = write!(text, "\nFailed:\n\n{failures}");
    }
    for version in without {
        let _ =
            writeln!(text, "\nNot run: {version}, because its wheel on PyPI was built without V8");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_counts_what_passed_and_names_what_failed() {
        let good = read("test a ... ok\ntest b ... ignored\ntest result: ok. 1 passed\n");
        assert_eq!(good, Outcome { passed: 1, failed: vec![] });
        let bad = read("test a ... ok\ntest b ... FAILED\ntest result: FAILED. 1 passed\n");
        let outcomes = [("1.0", good), ("2.0", bad), ("3.0", read("error: could not compile"))];
        let outcomes =
            outcomes.map(|(version, outcome)| (("e2e".to_owned(), version.to_owned()), outcome));
        let expected = "\
| Suite | 1.0 | 2.0 | 3.0 |
|---|---|---|---|
| e2e | 1 passed | **1 of 2 failed** | **1 of 1 failed** |

Failed:

- 2.0, e2e: `b`
- 3.0, e2e: `(did not run to its end)`

Not run: 4.0, because its wheel on PyPI was built without V8
";
        assert_eq!(table(&["1.0", "2.0", "3.0", "4.0"], &outcomes.into()), expected);
    }
}
