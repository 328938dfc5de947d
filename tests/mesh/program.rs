//! Programs that run in the background, and programs that are awaited.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::machine;

/// A running program with its children; they end when this is dropped.
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts a program, whose output goes into `NAME.log` of the suite's folder.
    pub fn start(name: &str, command: &mut Command) -> Self {
        let log = machine::folder().join(format!("{name}.log"));
        let _ = fs::remove_file(&log);
        // Envoy opens its standard output a second time; both then write at the end.
        let output = File::options().create(true).append(true).open(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, log }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the program has written so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Waits until the log contains a text.
    pub fn logged(&self, seconds: u64, text: &str) {
        super::until(seconds, &format!("{text:?} in {}", self.log.display()), || {
            self.log().contains(text).then_some(())
        });
    }

    /// Ends the program and its children: politely, and after 15 s by force.
    pub fn end(&mut self) {
        let group = Pid::from_raw(self.child.id().cast_signed());
        let _ = killpg(group, Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(15);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill();
    }

    /// Ends the program and its children by force, as a crash would.
    pub fn kill(&mut self) {
        let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a program answered: its status and both outputs.
#[derive(Clone, Debug)]
pub struct Answer {
    pub good: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    /// The standard output of a program that succeeded.
    ///
    /// # Panics
    /// If it did not, with its errors.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.good, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// The error output of a program that failed.
    ///
    /// # Panics
    /// If it did not, with its output.
    #[track_caller]
    pub fn refused(self) -> String {
        assert!(!self.good, "{}{}", self.stdout, self.stderr);
        self.stderr
    }
}

/// The command line tool of this repository, which `cargo xtask mesh` builds.
pub fn tollgate() -> Command {
    Command::new(support::root().join("target/debug/tollgate"))
}

/// Runs a program to its end.
pub fn run(command: &mut Command) -> Answer {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    answer(&output)
}

/// Runs a program to its end with a text on its standard input.
pub fn feed(command: &mut Command, input: &str) -> Answer {
    use std::io::Write as _;
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // In another thread: a program that writes before it has read all would wait for us.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join();
    answer(&output)
}

fn answer(output: &Output) -> Answer {
    Answer {
        good: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
