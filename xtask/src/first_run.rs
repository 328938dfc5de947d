//! `xtask first-run`: clones the last commit into a temporary directory, runs `make demo` there, and prints
//! how long each step took, when the table came, the longest time without a line, and the CPU time.
//!
//! Crates and the wheel of Envoy come from the caches of cargo and pip if they are there.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::output;

/// The beginning of the table.
const TABLE: &str = "request  ";
/// The script writes the CPU time of the demo and of all compilers behind this word.
const CPU: &str = "CPU";

/// Measures one run.
pub fn run() -> Result<(), Box<dyn Error>> {
    let clone = std::env::temp_dir().join(format!("tollgate-first-run-{}", std::process::id()));
    let path = clone.to_str().ok_or("the path of the temporary directory is not UTF-8")?;
    output("git", &["clone", "--quiet", ".", path])?;
    output("cargo", &["fetch", "--quiet", "--locked"])?;
    let script = format!("TIMEFORMAT='{CPU} %U %S'; exec 2>&1; time make demo");
    let start = Instant::now();
    let mut child = Command::new("bash")
        .args(["-c", &script])
        .current_dir(&clone)
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("ENVOY_BIN")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut log = Log::default();
    for line in BufReader::new(child.stdout.take().ok_or("no output")?).lines() {
        let (line, seconds) = (line?, start.elapsed().as_secs_f64());
        println!("{seconds:6.1}  {line}");
        log.add(seconds, line);
    }
    let status = child.wait()?;
    fs::remove_dir_all(&clone)?;
    println!("\n{}", log.summary());
    if status.success() { Ok(()) } else { Err(format!("make demo: {status}").into()) }
}

/// The lines of a run and the second of each.
#[derive(Default)]
struct Log(Vec<(f64, String)>);

impl Log {
    fn add(&mut self, seconds: f64, line: String) {
        self.0.push((seconds, line));
    }

    fn summary(&self) -> String {
        let mut text = String::new();
        let step = |line: &str| line.starts_with('[') && line.contains("/4] ");
        let steps: Vec<_> = self.0.iter().filter(|(_, line)| step(line)).collect();
        let end = self.0.last().map_or(0.0, |(seconds, _)| *seconds);
        let ends = steps.iter().skip(1).map(|(seconds, _)| *seconds).chain([end]);
        for ((seconds, line), end) in steps.iter().zip(ends) {
            text += &format!("{:6.1} s  {line}\n", end - seconds);
        }
        match self.0.iter().find(|(_, line)| line.starts_with(TABLE)) {
            Some((seconds, _)) => text += &format!("{seconds:6.1} s  until the table\n"),
            None => text += "  there is no table\n",
        }
        let before = [(0.0, "the start".to_owned())];
        let gaps = before.iter().chain(&self.0).zip(&self.0);
        let gaps = gaps.map(|((from, line), (to, _))| (to - from, line));
        if let Some((seconds, line)) = gaps.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
            text += &format!("{seconds:6.1} s  the longest silence, after: {}\n", line.trim());
        }
        if let Some((_, line)) = self.0.iter().find(|(_, line)| line.starts_with(CPU)) {
            text += &format!("{line} s (user, system)\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_the_steps_the_table_and_the_longest_silence() {
        let mut log = Log::default();
        for (seconds, line) in [
            (0.5, "[1/4] Compiling the module"),
            (2.0, "   Compiling a"),
            (9.0, "[2/4] Starting Envoy"),
            (10.0, "request                status"),
            (12.5, "CPU 20.1 3.2"),
        ] {
            log.add(seconds, line.to_owned());
        }
        let expected = "   8.5 s  [1/4] Compiling the module
   3.5 s  [2/4] Starting Envoy
  10.0 s  until the table
   7.0 s  the longest silence, after: Compiling a
CPU 20.1 3.2 s (user, system)
";
        assert_eq!(log.summary(), expected);
    }
}
