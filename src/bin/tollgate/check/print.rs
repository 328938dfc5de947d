//! Prints the findings of `check` as text, JSON or annotations of GitHub.

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::json;

use super::{Report, Section};
use crate::document::{Level, Place};
use crate::output::{self, Failure, bad, doubtful, faint, good, plain, strong};

/// As text: one block per configuration, and a summary line.
pub fn people(reports: &[Report]) -> Result<ExitCode, Failure> {
    let mut out = String::new();
    for report in reports {
        let several = report.sections.iter().filter(|section| section.is_configuration).count() > 1;
        for section in &report.sections {
            write_section(&mut out, &report.file, section, several);
        }
    }
    write_totals(&mut out, reports);
    output::text(&out)
}

fn write_totals(out: &mut String, reports: &[Report]) {
    let Totals { configurations, problems, warnings, notes } = Totals::of(reports);
    let problems = match problems {
        0 => good(plural(0, "problem")).to_string(),
        n => bad(plural(n, "problem")).to_string(),
    };
    let warnings = match warnings {
        0 => plural(0, "warning"),
        n => doubtful(plural(n, "warning")).to_string(),
    };
    let notes = match notes {
        0 => String::new(),
        n => format!(", {}", plural(n, "note")),
    };
    let configurations = plural(configurations, "configuration");
    let _ = writeln!(out, "{configurations}: {problems}, {warnings}{notes}");
}

/// `several` says whether the file has more than one configuration.
fn write_section(out: &mut String, file: &str, section: &Section, several: bool) {
    let Section { place, name, findings, .. } = section;
    let _ = write!(out, "{}", strong(plain(file)));
    if let Some(name) = name {
        let _ = write!(out, " {}", plain(name));
    }
    if let (Some(place), true) = (place, several) {
        let _ = write!(out, " {}", faint(format_args!("(line {})", place.line)));
    }
    if findings.iter().all(|finding| finding.level == Level::Note) {
        let _ = write!(out, " {}", good("ok"));
    }
    out.push('\n');
    for finding in findings {
        let level = match finding.level {
            Level::Problem => bad("problem").to_string(),
            Level::Warning => doubtful("warning").to_string(),
            Level::Note => faint("note").to_string(),
        };
        let place = match finding.place {
            Some(Place { line, column }) if !finding.is_about_variable() => {
                format!(" (line {line}, column {column})")
            }
            _ => String::new(),
        };
        let (path, message) = (plain(&short(&finding.path)), plain(&finding.message));
        let _ = writeln!(out, "  {level} {path}{}: {message}", faint(place));
    }
}

/// The last members of a long path, which has a line beside it.
pub fn short(path: &str) -> String {
    const LONG: usize = 80;
    let mut dots = path.rmatch_indices('.').map(|(at, _)| at);
    let start = dots.nth(2).filter(|_| path.len() > LONG);
    match start.and_then(|start| path.get(start..)) {
        Some(end) => format!("…{end}"),
        None => path.to_owned(),
    }
}

/// As JSON: every finding with its file, document and path, and the totals.
pub fn json(reports: &[Report]) -> Result<ExitCode, Failure> {
    let mut findings = Vec::new();
    for report in reports {
        for section in &report.sections {
            findings.extend(section.findings.iter().map(|finding| {
                json!({
                    "file": report.file,
                    "document": section.document,
                    "at": section.at,
                    "name": section.name,
                    "level": finding.level.word(),
                    "path": finding.path,
                    "line": finding.place.map(|place| place.line),
                    "column": finding.place.map(|place| place.column),
                    "message": finding.message,
                })
            }));
        }
    }
    let Totals { configurations, problems, warnings, notes } = Totals::of(reports);
    output::json(&json!({
        "findings": findings,
        "configurations": configurations,
        "problems": problems,
        "warnings": warnings,
        "notes": notes,
    }))
}

/// As commands of GitHub Actions, which shows them beside the lines of a change.
pub fn github(reports: &[Report]) -> Result<ExitCode, Failure> {
    let mut out = String::new();
    for report in reports {
        for finding in report.sections.iter().flat_map(|section| &section.findings) {
            let command = match finding.level {
                Level::Problem => "error",
                Level::Warning => "warning",
                Level::Note => "notice",
            };
            let _ = write!(out, "::{command} file={}", escape(&report.file, true));
            if let Some(Place { line, column }) = finding.place {
                let _ = write!(out, ",line={line},col={column}");
            }
            let message = format!("{}: {}", finding.path, finding.message);
            let _ = writeln!(out, "::{}", escape(&message, false));
        }
    }
    write_totals(&mut out, reports);
    output::text(&out)
}

/// Escapes the value of a property, or a message, of a command.
fn escape(text: &str, is_property: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '%' => out.push_str("%25"),
            ':' if is_property => out.push_str("%3A"),
            ',' if is_property => out.push_str("%2C"),
            c => out.push(c),
        }
    }
    out
}

/// The numbers of configurations and findings.
struct Totals {
    configurations: usize,
    problems: usize,
    warnings: usize,
    notes: usize,
}

impl Totals {
    fn of(reports: &[Report]) -> Self {
        let sections = || reports.iter().flat_map(|report| &report.sections);
        let of = |level| {
            sections().flat_map(|s| &s.findings).filter(|finding| finding.level == level).count()
        };
        Self {
            configurations: sections().filter(|section| section.is_configuration).count(),
            problems: of(Level::Problem),
            warnings: of(Level::Warning),
            notes: of(Level::Note),
        }
    }
}

fn plural(count: usize, noun: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{end}")
}
