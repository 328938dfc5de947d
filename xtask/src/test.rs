//! `xtask test [ARGUMENT...]`: builds the tests with `cargo test --no-run ARGUMENT...` and runs the
//! programs side by side, because many of them mostly wait.
//!
//! The output of a program is printed whole when it ends; it also stays in `target/tests/`. Programs that
//! measure time run alone, after the others. A failure does not stop the others, and a program that does
//! not end is killed.

use std::collections::VecDeque;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The programs that take longest start first.
const LONG: [&str; 9] = [
    "pages",
    "e2e_real_servers",
    "vectors",
    "e2e_keys",
    "e2e_personal",
    "e2e_telemetry",
    "e2e_routing",
    "e2e_refused",
    "e2e_walk",
];

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

/// A program that runs longer hangs.
const DEADLINE: Duration = Duration::from_secs(30 * 60);

/// How many of the slowest programs are listed.
const SLOWEST: usize = 10;

/// How many of the last lines of a program that failed stand below the sums: who reads only the end of the
/// output sees why.
const LAST: usize = 40;

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

/// Which test programs to run, and how.
#[derive(Default)]
pub struct Suites<'a> {
    /// The arguments of `cargo test`.
    pub build: Vec<&'a str>,
    /// A command that runs the program which follows.
    pub wrapper: Vec<&'a str>,
    /// The arguments of the programs.
    pub arguments: Vec<&'a str>,
    /// Variables for the programs.
    pub environment: Vec<(String, OsString)>,
    /// How many run at a time.
    pub beside: usize,
    /// A program that runs longer is killed.
    pub deadline: Duration,
}

/// Builds, runs and prints all tests, one more at a time than there are cores.
pub fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let beside = thread::available_parallelism()?.get() + 1;
    run_suites(&Suites {
        build: arguments.to_vec(),
        beside,
        deadline: DEADLINE,
        ..Suites::default()
    })
}

/// Builds, runs and prints these programs.
pub fn run_suites(suites: &Suites<'_>) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let built = Command::new("cargo")
        .args(["test", "--no-run", "--message-format", "json-render-diagnostics"])
        .args(&suites.build)
        .stderr(Stdio::inherit())
        .output()?;
    if !built.status.success() {
        return Err("the tests do not compile".into());
    }
    println!("built in {:.0} s", start.elapsed().as_secs_f64());
    let programs = programs(&String::from_utf8(built.stdout)?);
    if programs.is_empty() {
        return Err("cargo built no test program".into());
    }
    let (alone, mut beside): (Vec<_>, Vec<_>) =
        programs.into_iter().partition(|program| ALONE.contains(&program.name.as_str()));
    beside.sort_by_key(|program| {
        LONG.iter().position(|name| *name == program.name).unwrap_or(LONG.len())
    });
    fs::create_dir_all("target/tests")?;
    let mut runs = side_by_side(beside, suites.beside, suites);
    runs.extend(side_by_side(alone, 1, suites));
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
fn side_by_side(programs: Vec<Program>, count: usize, suites: &Suites<'_>) -> Vec<Run> {
    let waiting = Mutex::new(VecDeque::from(programs));
    let ended = Mutex::new(Vec::new());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let work = || {
        while let Some(program) = next() {
            let run = run_one(&program, Path::new(""), suites);
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

/// `root` has the folder of the logs.
fn run_one(program: &Program, root: &Path, suites: &Suites<'_>) -> Run {
    let start = Instant::now();
    let file = program.path.file_name().unwrap_or_default();
    let log = root.join("target/tests").join(file).with_extension("log");
    let attempt = || -> std::io::Result<(bool, String)> {
        let output = File::create(&log)?;
        let mut words = suites.wrapper.iter().map(OsStr::new).chain([program.path.as_os_str()]);
        let mut child = Command::new(words.next().unwrap_or_default())
            .args(words)
            .args(&suites.arguments)
            .envs(suites.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&program.folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let end = wait(&mut child, suites.deadline)?;
        let mut output = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        let why = match end {
            Some(status) if status.success() => return Ok((true, output)),
            Some(status) => status.to_string(),
            None => format!("killed after {} s", suites.deadline.as_secs()),
        };
        output.push_str(&format!("\n{}: {why}\n", program.name));
        Ok((false, output))
    };
    let (good, output) = attempt().unwrap_or_else(|error| (false, error.to_string()));
    Run { name: program.name.clone(), seconds: start.elapsed().as_secs_f64(), good, log, output }
}

/// How a program ended; `None` if it was killed after this time.
fn wait(child: &mut Child, deadline: Duration) -> std::io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The slowest programs, the sums, and the programs that failed with their last lines.
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
        let lines: Vec<_> = run.output.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(LAST)) {
            text += &format!("    {line}\n");
        }
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
    test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; finished in 1.00s
";
        assert_eq!(summary(&mut runs), expected);
    }

    #[test]
    fn a_program_gets_its_wrapper_arguments_and_variables() {
        let folder = std::env::temp_dir().join(format!("xtask-wrapped-{}", std::process::id()));
        fs::create_dir_all(folder.join("target/tests")).unwrap();
        let program =
            Program { name: "echo".into(), path: "/bin/echo".into(), folder: folder.clone() };
        let suites = Suites {
            wrapper: vec!["sh", "-c", r#"echo "$VARIABLE"; exec "$@""#, "sh"],
            arguments: vec!["filter"],
            environment: vec![("VARIABLE".to_owned(), "value".into())],
            ..within(DEADLINE)
        };
        assert_eq!(run_one(&program, &folder, &suites).output, "value\nfilter\n");
        fs::remove_dir_all(folder).unwrap();
    }

    fn within(deadline: Duration) -> Suites<'static> {
        Suites { deadline, ..Suites::default() }
    }

    #[test]
    fn a_program_that_fails_crashes_or_hangs_fails_the_run() {
        let folder = std::env::temp_dir().join(format!("xtask-test-{}", std::process::id()));
        fs::create_dir_all(folder.join("target/tests")).unwrap();
        for (name, script, good, message) in [
            ("good", "printf '\\377 fine'", true, "fine"),
            ("fails", "echo it; exit 3", false, "exit status: 3"),
            ("crashes", "kill -SEGV $$", false, "signal: 11"),
            ("hangs", "exec sleep 60", false, "killed after 1 s"),
        ] {
            let path = folder.join(name);
            fs::write(&path, script).unwrap();
            let program = Program { name: name.into(), path, folder: folder.clone() };
            // A file that was just written may still be open in a process that another test starts, and cannot be
            // executed then (ETXTBSY).
            let read = Suites { wrapper: vec!["sh"], ..within(Duration::from_secs(1)) };
            let run = run_one(&program, &folder, &read);
            assert_eq!(run.good, good, "{name}");
            assert!(run.output.contains(message), "{name}: {}", run.output);
            assert!(run.seconds < 20.0);
        }
        let absent =
            Program { name: "a".into(), path: folder.join("absent"), folder: folder.clone() };
        assert!(!run_one(&absent, &folder, &within(DEADLINE)).good);
        fs::remove_dir_all(folder).unwrap();
    }
}
