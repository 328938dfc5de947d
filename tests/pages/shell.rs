//! Runs the commands of a page in one shell, as a reader who pastes them would.
//!
//! The shell has a clone of the repository as its working directory and namespaces of its own:
//! network (the ports of the shipped files are free), processes (all end with the page), and mounts
//! (`/etc`, `/tmp` and what NGINX writes are the page's own). `bin/sandbox` sets them up.

use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::root;
use support::skip::program;

use crate::compare;
use crate::page::{Expected, Page, Piece, Step};

/// A page that takes longer waits for something that does not come. The first `make demo` compiles.
const DEADLINE: Duration = Duration::from_secs(600);

/// Programs that a block which is not run may name; `bin/record` stands for each.
const RECORDED: &str = "az cargo cosign curl docker envoy git grype helm istioctl kubectl mlflow openssl \
    osv-scanner pip python3 rustup skopeo sudo tollgate";
/// Programs that such a block really calls: they read and print text.
const TEXT: &str = "base64 basename cat cut date dirname grep head jq sed sleep sort tail tr";

/// After each command: the shell does not end by itself if a list (`a && b`) or a job of the background
/// fails. A job that the page ends has a signal as its status.
const CHECK: &str = r#"
check() {
    local status=$? job ended
    for job in $(jobs -p); do
        kill -0 "$job" 2>/dev/null && continue
        ended=0
        wait "$job" || ended=$?
        ((ended == 0 || ended > 128)) || { echo "a job ended: exit status: $ended"; exit 1; }
    done
    return "$status"
}
"#;

/// The working tree, copied once for all pages.
pub struct Template {
    /// `target/pages`.
    target: PathBuf,
    /// What `unshare` needs on this machine besides the namespaces.
    user: &'static [&'static str],
}

/// How a page went.
#[derive(Default)]
pub struct Outcome {
    /// Each block that was not run: the line, the reason, its first line.
    pub checked: Vec<(usize, &'static str, String)>,
    pub executed: usize,
    /// The targets of `make` that were only expanded, each with its line.
    pub expanded: Vec<String>,
    /// Every command of the blocks that were not run.
    pub recorded: Vec<String>,
    pub failures: Vec<String>,
    pub seconds: f64,
}

/// Root needs no user namespace for the others; another user does.
const USERS: [&[&str]; 2] = [&[], &["--user", "--map-root-user", "--map-auto"]];

/// `unshare` with the namespaces of a page.
fn unshare(user: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(user);
    command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    command
}

/// Whether this machine allows them.
fn allowed(user: &[&str]) -> bool {
    let script = "ip link set lo up && mount --bind /tmp /tmp";
    let output = unshare(user).args(["bash", "-c", script]).output();
    output.is_ok_and(|output| output.status.success())
}

impl Template {
    /// Copies the tracked files into `target/pages/template`, a repository of one commit.
    ///
    /// # Errors
    /// Why pages cannot run on this machine.
    pub fn new() -> Result<Self, String> {
        for name in ["unshare", "ip", "git", "bash", "curl", "jq"] {
            program(name).ok_or_else(|| format!("{name} is absent"))?;
        }
        let user = USERS.into_iter().find(|user| allowed(user));
        let user = user.ok_or("this machine allows no namespaces: run as root")?;
        let folder = checkout().join("target/pages");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("template")).unwrap();
        let script = "cargo metadata --no-deps --format-version 1 > target/pages/metadata.json
            git ls-files -z | tar --null --files-from=- --ignore-failed-read --create --file=- |
            tar --extract --file=- --directory=target/pages/template
            cd target/pages/template
            git init --quiet --initial-branch=main
            git add --all
            git -c user.name=pages -c user.email=pages@example.com commit --quiet --message=pages";
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(root())
            .output()
            .unwrap();
        match output.status.success() {
            true => Ok(Self { target: folder, user }),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Runs a page.
    pub fn run(&self, page: &Page) -> Outcome {
        let start = Instant::now();
        if page.pieces.is_empty() {
            return Outcome::default();
        }
        let run = Run::prepare(&self.target, page);
        let ended = run.wait(self.user);
        let mut outcome = run.judge(page, ended);
        outcome.seconds = start.elapsed().as_secs_f64();
        outcome
    }
}

/// The root of the repository, without links and `..`.
fn checkout() -> PathBuf {
    root().canonicalize().unwrap()
}

/// The folder of a page that runs: its clone, its output, its notes.
struct Run {
    folder: PathBuf,
    notes: PathBuf,
    path: String,
    template: PathBuf,
}

impl Run {
    fn prepare(target: &Path, page: &Page) -> Self {
        let folder = target.join(page.name.replace(['/', '.', ' '], "-"));
        let notes = folder.join("notes");
        for name in ["notes", "bin", "setup", "record", "home"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        let template = target.join("template");

        let bin = checkout().join("tests/pages/bin");
        for name in ["make", "sudo"] {
            symlink(bin.join(name), folder.join("bin").join(name)).unwrap();
        }
        let tools = [
            ("tollgate", PathBuf::from(env!("CARGO_BIN_EXE_tollgate"))),
            ("envoy", support::skip::envoy_binary().expect("an Envoy")),
        ];
        for (name, path) in &tools {
            symlink(path, folder.join("setup").join(name)).unwrap();
        }
        for name in &page.programs {
            let tool = tools.iter().find(|(tool, _)| tool == name).map(|(_, path)| path.clone());
            let found = tool.or_else(|| program(name));
            let found = found.unwrap_or_else(|| panic!("{}: {name} is absent", page.name));
            symlink(found, folder.join("bin").join(name)).unwrap();
        }
        for name in RECORDED.split_whitespace() {
            symlink(bin.join("record"), folder.join("record").join(name)).unwrap();
        }
        symlink(bin.join("make"), folder.join("record/make")).unwrap();
        for (name, path) in TEXT.split(' ').filter_map(|name| Some((name, program(name)?))) {
            symlink(path, folder.join("record").join(name)).unwrap();
        }
        // kubectl of scripts/install/kubectl goes first, because it is newer.
        let fetched = checkout().join("target/kubectl/usr/bin");
        let path = format!("{}:{}", fetched.display(), std::env::var("PATH").unwrap());
        let run = Self { folder, notes, path, template };
        std::fs::write(run.folder.join("page.sh"), run.script(page)).unwrap();
        run
    }

    /// The script: each command, with its output in a file of its own.
    fn script(&self, page: &Page) -> String {
        let mut script = format!("export PAGES_LINE{CHECK}");
        let notes = self.notes.display();
        for piece in &page.pieces {
            match piece {
                Piece::Setup(name) => {
                    let _ = writeln!(
                        script,
                        "exec > '{notes}/{name}' 2>&1\n\
                         [[ -e dist ]] || ln -s \"$PAGES_ROOT/dist\" dist\n\
                         pages_path=$PATH PATH='{}':$PATH\n\
                         source \"$PAGES_ROOT/tests/pages/setup/{name}.sh\"\n\
                         PATH=$pages_path",
                        self.folder.join("setup").display()
                    );
                }
                Piece::File { name, text } => {
                    let end = "END_OF_THE_FILE_OF_THE_PAGE";
                    let _ = writeln!(script, "cat > '{name}' <<'{end}'\n{text}\n{end}");
                }
                Piece::Commands(steps) => {
                    for Step { line, command, expected } in steps {
                        let _ = writeln!(script, "PAGES_LINE={line}; exec > '{notes}/{line}' 2>&1");
                        let _ = match expected {
                            Expected::Success | Expected::Words(_, 0) => {
                                writeln!(script, "{command}\ncheck")
                            }
                            Expected::Words(..) | Expected::Lines(_) => writeln!(
                                script,
                                "set +e\n{command}\necho $? > '{notes}/{line}.status'\nset -e"
                            ),
                        };
                    }
                }
                Piece::Marked { line, text, .. } => script.push_str(&self.recorded(*line, text)),
                Piece::Prose(commands) => {
                    for (line, command) in commands {
                        script.push_str(&self.recorded(*line, command));
                    }
                }
            }
        }
        let _ = writeln!(script, "exec > /dev/null 2>&1\ntouch '{notes}/end'");
        script
    }

    /// Commands with stand-ins for their programs.
    fn recorded(&self, line: usize, commands: &str) -> String {
        let (notes, record) = (self.notes.display(), self.folder.join("record"));
        format!(
            "PAGES_LINE={line}; exec > '{notes}/{line}' 2>&1\n\
             pages_path=$PATH PATH='{}' PAGES_EXPAND=1; export PAGES_EXPAND; set +eu +o pipefail\n\
             {commands}\n\
             set -eu -o pipefail; PATH=$pages_path; unset PAGES_EXPAND\n",
            record.display()
        )
    }

    /// Runs the script; the status that it ended with.
    fn wait(&self, user: &[&str]) -> String {
        let home = self.folder.join("home");
        let variable = |name: &str| std::env::var(name).ok();
        let of_user = |name: &str, folder: &str| {
            variable(name).or_else(|| Some(format!("{}/{folder}", variable("HOME")?)))
        };
        let mut child = unshare(user)
            .arg(checkout().join("tests/pages/bin/sandbox"))
            .args([&self.folder, &self.template])
            .env_clear()
            .env("PATH", format!("{}:{}", self.folder.join("bin").display(), self.path))
            .env("HOME", &home)
            .env("LANG", "C.UTF-8")
            .env("TERM", "dumb")
            .envs(of_user("CARGO_HOME", ".cargo").map(|path| ("CARGO_HOME", path)))
            .envs(of_user("RUSTUP_HOME", ".rustup").map(|path| ("RUSTUP_HOME", path)))
            .envs(variable("CARGO_TARGET_DIR").map(|path| ("CARGO_TARGET_DIR", path)))
            .envs(variable("ENVOY_BIN").map(|path| ("ENVOY_BIN", path)))
            .envs(variable("PAGES_AZ").map(|path| ("PAGES_AZ", path)))
            .env("PAGES_ROOT", checkout())
            .env("PAGES_NOTES", &self.notes)
            .env("PAGES_PATH", &self.path)
            .env("PAGES_TOLLGATE", env!("CARGO_BIN_EXE_tollgate"))
            // `git clone` of the published address takes the working tree. The checkout may belong
            // to another user.
            .env("GIT_CONFIG_COUNT", "2")
            .env("GIT_CONFIG_KEY_1", "safe.directory")
            .env("GIT_CONFIG_VALUE_1", "*")
            .env("GIT_CONFIG_KEY_0", format!("url.{}.insteadOf", self.template.display()))
            .env("GIT_CONFIG_VALUE_0", env!("CARGO_PKG_REPOSITORY"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.notes.join("setup")).unwrap())
            .spawn()
            .unwrap();
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.to_string();
            }
            if Instant::now() > end {
                let _ = child.kill();
                let _ = child.wait();
                return format!("no end after {} s", DEADLINE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn judge(&self, page: &Page, ended: String) -> Outcome {
        let mut outcome = Outcome {
            expanded: self.lines("expanded"),
            recorded: self.lines("recorded"),
            ..Outcome::default()
        };
        let mut last = String::new();
        for piece in &page.pieces {
            match piece {
                Piece::File { .. } | Piece::Prose(_) => {}
                Piece::Setup(name) => {
                    last = self.note(name).map_or(last, |printed| format!("{name}.sh\n{printed}"));
                }
                Piece::Marked { line, reason, text } => {
                    let first = text.lines().next().unwrap_or_default().to_owned();
                    outcome.checked.push((*line, reason, first));
                    if let Some(printed) = self.note(&line.to_string()) {
                        last = format!("{}:{line}: the block\n{printed}", page.name);
                        if printed.contains("command not found") {
                            outcome.failures.push(last.clone());
                        }
                    }
                }
                Piece::Commands(steps) => {
                    match self.only_expanded(steps, &outcome.expanded) {
                        Some(block) => outcome.checked.push(block),
                        None => outcome.executed += 1,
                    }
                    for step in steps {
                        let Some(printed) = self.note(&step.line.to_string()) else { break };
                        last = format!("{}:{}: {}\n{printed}", page.name, step.line, step.command);
                        let status = self.note(&format!("{}.status", step.line));
                        if let Some(flaw) = flaw(step, &printed, status.as_deref()) {
                            outcome.failures.push(format!("{last}\n{flaw}"));
                        }
                    }
                }
            }
        }
        for fault in self.lines("faults") {
            outcome.failures.push(format!("{}:{fault}", page.name));
        }
        if !self.notes.join("end").exists() {
            let setup = self.note("setup").unwrap_or_default();
            outcome.failures.push(format!("{last}\nthe page ends here: {ended} {setup}"));
        }
        if outcome.failures.is_empty() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
        outcome
    }

    /// A block that has nothing but targets of `make` which were expanded.
    fn only_expanded(
        &self,
        steps: &[Step],
        expanded: &[String],
    ) -> Option<(usize, &'static str, String)> {
        let of = |step: &Step| expanded.contains(&format!("{} {}", step.line, step.command));
        let first = steps.first().filter(|_| steps.iter().all(of))?;
        let reason = if first.command.contains("make push") { "registry" } else { "minutes" };
        Some((first.line, reason, first.command.clone()))
    }

    fn note(&self, name: &str) -> Option<String> {
        let bytes = std::fs::read(self.notes.join(name)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn lines(&self, name: &str) -> Vec<String> {
        self.note(name).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

/// How the output of a command that ran differs from what the page shows.
fn flaw(step: &Step, printed: &str, status: Option<&str>) -> Option<String> {
    match &step.expected {
        Expected::Success => None,
        Expected::Words(words, code) => {
            let missing: Vec<_> = words.iter().filter(|word| !printed.contains(*word)).collect();
            if !missing.is_empty() {
                return Some(format!("the output lacks {missing:?}"));
            }
            let status = status.map(str::trim).unwrap_or("0");
            (status != code.to_string()).then(|| format!("exit {status} instead of {code}"))
        }
        Expected::Lines(shown) => {
            (!compare::shows(shown, printed)).then(|| format!("the page shows instead:\n{shown}"))
        }
    }
}
