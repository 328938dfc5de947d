//! Prints the findings of `check` as text or JSON.

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::json;

use super::{Report, Section};
use crate::document::Level;
use crate::output::{self, Failure, bad, doubtful, faint, good, plain, strong};

/// As text: one block per configuration, and a summary line.
pub fn people(reports: &[Report]) -> Result<ExitCode, Failure> {
    let mut out = String::new();
    for report in reports {
        for section in &report.sections {
            write_section(&mut out, &report.file, section);
        }
    }
    let [configurations, problems, warnings] = totals(reports);
    let problems = match problems {
        0 => good(plural(0, "problem")).to_string(),
        n => bad(plural(n, "problem")).to_string(),
    };
    let warnings = match warnings {
        0 => plural(0, "warning"),
        n => doubtful(plural(n, "warning")).to_string(),
    };
    let _ = writeln!(out, "{}: {problems}, {warnings}", plural(configurations, "configuration"));
    output::text(&out)
}

fn write_section(out: &mut String, file: &str, section: &Section) {
    let Section { document, at, name, findings, .. } = section;
    let _ = write!(out, "{}", strong(plain(file)));
    if *document > 1 {
        let _ = write!(out, " document {document}");
    }
    if let Some(name) = name {
        let _ = write!(out, " {}", plain(name));
    }
    if !at.is_empty() {
        let _ = write!(out, " {}", faint(format_args!("({})", plain(at))));
    }
    if findings.is_empty() {
        let _ = write!(out, " {}", good("ok"));
    }
    out.push('\n');
    for finding in findings {
        let level = match finding.level {
            Level::Problem => bad("problem").to_string(),
            Level::Warning => doubtful("warning").to_string(),
        };
        let line = finding.line.map(|line| format!(" (line {line})")).unwrap_or_default();
        let (path, message) = (plain(&finding.path), plain(&finding.message));
        let _ = writeln!(out, "  {level} {path}{}: {message}", faint(line));
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
                    "line": finding.line,
                    "message": finding.message,
                })
            }));
        }
    }
    let [configurations, problems, warnings] = totals(reports);
    output::json(&json!({
        "findings": findings,
        "configurations": configurations,
        "problems": problems,
        "warnings": warnings,
    }))
}

/// The numbers of configurations, problems and warnings.
fn totals(reports: &[Report]) -> [usize; 3] {
    let sections = || reports.iter().flat_map(|report| &report.sections);
    let of = |level| {
        sections().flat_map(|s| &s.findings).filter(|finding| finding.level == level).count()
    };
    let configurations = sections().filter(|section| section.is_configuration).count();
    [configurations, of(Level::Problem), of(Level::Warning)]
}

fn plural(count: usize, noun: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{end}")
}
