//! `xtask test [ARGUMENT...]`: builds the tests with `cargo test --no-run ARGUMENT...` and runs the
//! programs side by side, because many of them mostly wait.
//!
//! The output of a program is printed whole when it ends; it also stays in `target/tests/`. Programs that
//! measure time run alone, after the others. A failure does not stop the others.

use std::collections::VecDeque;
use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use serde_json::Value;

/// The programs that take longest start first.
const LONG: [&str; 5] =
    ["e2e_real_servers", "e2e_keys", "e2e_telemetry", "e2e_routing", "e2e_refused"];

/// They measure times or rates, so that a busy machine would change what they measure.
const ALONE: [&str; 7] = [
    "e2e_chaos",
    "e2e_concurrency",
    "e2e_limit_clock",
    "e2e_limit_soak",
    "e2e_soak",
    "limit_soak",
    "verification_cost",
];

/// How many of the slowest programs are listed.
const SLOWEST: usize = 10;

/// A built test program.
#[derive(Debug, PartialEq)]
struct Program {
    name: String,
    path: PathBuf,
    /// The folder of its package, in which cargo would run it.
    folder: PathBuf,
}

/// A program that has ended.
struct Run {
    name: String,
    seconds: f64,
    good: bool,
    log: PathBuf,
    output: String,
}

/// Builds, runs and prints all.
pub fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let built = Command::new("cargo")
        .args(["test", "--no-run", "--message-format", "json-render-diagnostics"])
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()?;
    if !built.status.success() {
        return Err("the tests do not compile".into());
    }
    println!("built in {:.0} s", start.elapsed().as_secs_f64());
    let (alone, mut beside): (Vec<_>, Vec<_>) = programs(&String::from_utf8(built.stdout)?)
        .into_iter()
        .partition(|program| ALONE.contains(&program.name.as_str()));
    beside.sort_by_key(|program| {
        LONG.iter().position(|name| *name == program.name).unwrap_or(LONG.len())
    });
    fs::create_dir_all("target/tests")?;
    let cores = thread::available_parallelism()?.get();
    let mut runs = side_by_side(beside, cores + 1);
    runs.extend(side_by_side(alone, 1));
    print!("{}", summary(&mut runs));
    println!("built and run in {:.0} s", start.elapsed().as_secs_f64());
    match runs.iter().all(|run| run.good) {
        true => Ok(()),
        false => Err("some tests failed".into()),
    }
}

/// The test programs among the messages of cargo.
fn programs(messages: &str) -> Vec<Program> {
    let program = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let text = |pointer: &str| message.pointer(pointer)?.as_str();
        let test = message.pointer("/profile/test")?.as_bool()?;
        test.then_some(Program {
            name: text("/target/name")?.to_owned(),
            path: text("/executable")?.into(),
            folder: Path::new(text("/manifest_path")?).parent()?.into(),
        })
    };
    messages.lines().filter_map(program).collect()
}

/// Runs so many programs at a time and prints the output of each when it ends.
fn side_by_side(programs: Vec<Program>, count: usize) -> Vec<Run> {
    let waiting = Mutex::new(VecDeque::from(programs));
    let ended = Mutex::new(Vec::new());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let work = || {
        while let Some(program) = next() {
            let run = run_one(&program);
            let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
            println!("\n     Running {} ({:.1} s)\n{}", run.name, run.seconds, run.output.trim());
            ended.push(run);
        }
    };
    thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(work);
        }
    });
    ended.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn run_one(program: &Program) -> Run {
    let start = Instant::now();
    let file = program.path.file_name().unwrap_or_default();
    let log = Path::new("target/tests").join(file).with_extension("log");
    let attempt = || -> std::io::Result<(bool, String)> {
        let output = File::create(&log)?;
        let status = Command::new(&program.path)
            .current_dir(&program.folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .status()?;
        let output = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        Ok((status.success(), output))
    };
    let (good, output) = attempt().unwrap_or_else(|error| (false, error.to_string()));
    Run { name: program.name.clone(), seconds: start.elapsed().as_secs_f64(), good, log, output }
}

/// The slowest programs, the sums, and the programs that failed.
fn summary(runs: &mut [Run]) -> String {
    runs.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    let mut text = "\nThe slowest programs:\n".to_owned();
    for run in runs.iter().take(SLOWEST) {
        text += &format!("{:7.1} s  {}\n", run.seconds, run.name);
    }
    let [passed, failed, ignored] = ["passed", "failed", "ignored"]
        .map(|word| runs.iter().map(|run| count(&run.output, word)).sum::<usize>());
    text += &format!("\n{} programs: ", runs.len());
    text += &format!("{passed} passed, {failed} failed, {ignored} ignored\n");
    for run in runs.iter().filter(|run| !run.good) {
        text += &format!("FAILED {}: {}\n", run.name, run.log.display());
    }
    text
}

/// The number before a word in the line `test result:`.
fn count(output: &str, word: &str) -> usize {
    let results = output.lines().filter(|line| line.starts_with("test result:"));
    let parts = results.flat_map(|line| line.split(['.', ';'])).map(str::trim);
    parts.filter_map(|part| part.strip_suffix(word)?.trim().parse::<usize>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_test_programs_are_run_in_the_folders_of_their_packages() {
        let messages = r#"{"reason":"compiler-artifact","manifest_path":"/a/Cargo.toml","target":{"name":"a"},"profile":{"test":false},"executable":"/t/a"}
{"reason":"compiler-artifact","manifest_path":"/a/Cargo.toml","target":{"name":"gate"},"profile":{"test":true},"executable":"/t/gate-1"}
{"reason":"compiler-artifact","manifest_path":"/a/Cargo.toml","target":{"name":"a"},"profile":{"test":true},"executable":null}
{"reason":"build-finished","success":true}"#;
        let gate = Program { name: "gate".into(), path: "/t/gate-1".into(), folder: "/a".into() };
        assert_eq!(programs(messages), [gate]);
    }

    #[test]
    fn the_summary_counts_tests_and_names_what_failed() {
        let run = |name: &str, seconds, good, output: &str| Run {
            name: name.into(),
            seconds,
            good,
            log: format!("target/tests/{name}-1.log").into(),
            output: output.into(),
        };
        let results =
            ["ok. 3 passed; 0 failed; 1 ignored", "FAILED. 1 passed; 2 failed; 0 ignored"]
                .map(|counts| format!("test result: {counts}; 0 measured; finished in 1.00s\n"));
        let mut runs = [run("gate", 1.0, true, &results[0]), run("mint", 2.5, false, &results[1])];
        let expected = "
The slowest programs:
    2.5 s  mint
    1.0 s  gate

2 programs: 4 passed, 2 failed, 1 ignored
FAILED mint: target/tests/mint-1.log
";
        assert_eq!(summary(&mut runs), expected);
    }
}
