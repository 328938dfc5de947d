//! The commands of a page: its blocks, cut into single commands, with the output that they show.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use support::docs::{self, Block};

/// Why a block is not run here. A page gives the reason in a comment before the block:
/// `<!-- not run: cluster -->`.
pub const REASONS: [(&str, &str); 8] = [
    ("cluster", "needs a Kubernetes cluster"),
    ("azure", "needs an Azure subscription"),
    ("registry", "needs a registry or another host of the internet"),
    ("release", "needs a published release"),
    ("account", "needs an account at an issuer or a provider"),
    ("minutes", "takes minutes"),
    ("root", "changes the system"),
    ("tool", "needs a program that the tests do not install"),
];

/// One command, with the lines that belong to it.
#[derive(Debug)]
pub struct Step {
    pub line: usize,
    pub command: String,
    pub expected: Expected,
}

/// What a command must print, and how it must end.
#[derive(Debug, PartialEq, Eq)]
pub enum Expected {
    /// It succeeds.
    Success,
    /// It ends with this status and prints each of these words: `# 200, x-auth-subject: alice`.
    Words(Vec<String>, u8),
    /// It prints these lines; its status is free, since a refusal is a result too.
    Lines(String),
}

/// A block of a page.
pub enum Piece {
    /// Runs.
    Commands(Vec<Step>),
    /// A script of `tests/pages/setup`, sourced: what surrounds the reader at this place.
    Setup(String),
    /// A file that the reader saves under this name.
    File { name: String, text: String },
    /// Commands in sentences and tables, each with its line. They do not run either.
    Prose(Vec<(usize, String)>),
    /// Does not run: the line, the reason, and the text.
    Marked { line: usize, reason: &'static str, text: String },
}

/// Everything that a page has a reader do.
pub struct Page {
    pub name: String,
    /// Programs that the page says it needs: `<!-- on PATH: tollgate -->`.
    pub programs: BTreeSet<String>,
    pub pieces: Vec<Piece>,
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    /// Each block that is wrong in itself.
    pub fn read(name: &str, text: &str) -> Result<Self, Vec<String>> {
        let mut page = Self { name: name.to_owned(), programs: programs(text), pieces: Vec::new() };
        let blocks =
            docs::read(text).map_err(|line| vec![format!("{name}:{line}: an open fence")])?;
        let mut flaws = Vec::new();
        for block in blocks {
            let line = block.line;
            if let Err(flaw) = page.take(block) {
                flaws.push(format!("{name}:{line}: {flaw}"));
            }
        }
        let prose = prose(text);
        if !prose.is_empty() {
            page.pieces.push(Piece::Prose(prose));
        }
        if flaws.is_empty() { Ok(page) } else { Err(flaws) }
    }

    fn take(&mut self, block: Block) -> Result<(), String> {
        let value = |name: &str| block.marks.iter().find_map(|mark| mark.strip_prefix(name));
        if let Some(name) = value("file: ") {
            self.pieces.push(Piece::File { name: name.to_owned(), text: block.text });
            return Ok(());
        }
        match value("output") {
            Some("") => return self.show(block.text),
            Some(": shortened") => {
                return self.show(format!("…\n{}\n…", block.text.replace('\n', "\n…\n")));
            }
            _ => {}
        }
        if let Some(name) = value("setup: ") {
            self.pieces.push(Piece::Setup(name.to_owned()));
        }
        let steps = match block.language.as_str() {
            "" => return Err("the block has no language: sh, console, text, …".to_owned()),
            "sh" | "bash" => shell(&block)?,
            "console" => console(&block)?,
            _ => return Ok(()),
        };
        self.pieces.push(match value("not run: ") {
            None => Piece::Commands(steps),
            Some(text) => {
                let word = text.split(':').next().unwrap_or_default();
                let known = REASONS.into_iter().find(|(reason, _)| *reason == word);
                let reason = known.ok_or_else(|| format!("{word:?} is not a known reason"))?.0;
                let commands: Vec<_> = steps.into_iter().map(|step| step.command).collect();
                Piece::Marked { line: block.line, reason, text: commands.join("\n") }
            }
        });
        Ok(())
    }

    /// The block shows the output of the command above.
    fn show(&mut self, text: String) -> Result<(), String> {
        match self.pieces.last_mut() {
            Some(Piece::Commands(steps)) if !steps.is_empty() => {
                steps.last_mut().unwrap().expected = Expected::Lines(text);
                Ok(())
            }
            _ => Err("output of no command".to_owned()),
        }
    }
}

/// The commands between single backticks outside blocks: a program of which arguments are checked,
/// a subcommand or target, and at least one argument more.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut inside = false;
    let sentences = text.lines().map(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        if fence || inside { "" } else { line }
    });
    let sentences = sentences.collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    let mut number = 1;
    for paragraph in sentences.split("\n\n") {
        for (index, span) in paragraph.split('`').enumerate() {
            let command = span.split_whitespace().collect::<Vec<_>>();
            let mut words = command.iter().skip_while(|word| word.contains('='));
            let program = words.next().copied().unwrap_or_default();
            let checked = ["az", "cargo", "kubectl", "make", "tollgate"].contains(&program);
            if index % 2 == 1 && checked && words.count() > 1 {
                found.push((number, command.join(" ")));
            }
            number += span.matches('\n').count();
        }
        number += 2;
    }
    found
}

/// The programs of the line `<!-- on PATH: … -->`.
fn programs(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("<!-- on PATH: "));
    let names = lines.filter_map(|line| line.strip_suffix(" -->"));
    names.flat_map(|names| names.split(' ')).map(str::to_owned).collect()
}

/// The commands of a shell block.
fn shell(block: &Block) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut lines = block.text.lines().zip(block.line + 1..);
    while let Some((first, line)) = lines.next() {
        if first.trim().is_empty() || first.starts_with('#') {
            continue;
        }
        let command = whole(first, lines.by_ref().map(|(text, _)| text))?;
        let expected = beside(&command);
        steps.push(Step { line, command, expected });
    }
    Ok(steps)
}

/// The commands of a console block: `$ command`, and its output below it.
fn console(block: &Block) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = block.text.lines().zip(block.line + 1..).peekable();
    while let Some((first, line)) = lines.next() {
        let command = first.strip_prefix("$ ").ok_or("output before the first command")?;
        let command = whole(command, lines.by_ref().map(|(text, _)| text))?;
        let mut output = Vec::new();
        while let Some((text, _)) = lines.next_if(|(text, _)| !text.starts_with("$ ")) {
            output.push(text);
        }
        let output = output.join("\n");
        let expected = match output.trim().is_empty() {
            true => beside(&command),
            false => Expected::Lines(output),
        };
        steps.push(Step { line, command, expected });
    }
    Ok(steps)
}

/// A command from its first line on, with as many lines more as the shell needs.
fn whole<'t>(first: &str, rest: impl Iterator<Item = &'t str>) -> Result<String, String> {
    let mut command = first.to_owned();
    let mut rest = rest;
    let mut flaw = incomplete(&command);
    while flaw.is_some() {
        let Some(line) = rest.next() else { break };
        command.push('\n');
        command.push_str(line);
        flaw = incomplete(&command);
    }
    match flaw {
        None => Ok(command),
        Some(flaw) => Err(format!("{first:?} does not parse: {flaw}")),
    }
}

/// The message of a shell that does not take this as one or more whole commands.
fn incomplete(command: &str) -> Option<String> {
    if command.ends_with('\\') {
        return Some("it ends in a backslash".to_owned());
    }
    let mut bash = Command::new("bash");
    let output = bash.args(["-n", "-c", command]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // An open here-document is only a warning.
    (!output.status.success() || !said.is_empty()).then_some(said)
}

/// What the comment behind a command expects: `# 200, x-auth-subject: alice`, `# 401: a reason in
/// words`, `# deny expired, exit 3`. Other comments are for readers.
fn beside(command: &str) -> Expected {
    let Some((_, comment)) = command.lines().last().unwrap_or_default().rsplit_once(" # ") else {
        return Expected::Success;
    };
    let comment = comment.trim();
    let first = comment.split([' ', ',', ':', ';']).next().unwrap_or_default();
    let is_status = first.len() == 3 && first.bytes().all(|byte| byte.is_ascii_digit());
    if !is_status && !["allow", "deny", "exit"].contains(&first) {
        return Expected::Success;
    }
    let (mut words, mut status) = (Vec::new(), 0);
    let mut rest = comment;
    if is_status {
        words.push(first.to_owned());
        rest = comment[first.len()..].trim_start_matches(',').trim_start();
        if rest.starts_with([':', ';']) {
            rest = "";
        }
    }
    for word in rest.split([',', ';']).map(str::trim).filter(|word| !word.is_empty()) {
        match word.strip_prefix("exit ").map(str::parse) {
            Some(Ok(code)) => status = code,
            _ => words.push(word.trim_matches('"').to_owned()),
        }
    }
    Expected::Words(words, status)
}
