//! Messages and warnings in the lengths that Kubernetes shows.

use crate::check;
use crate::document::Finding;
use crate::output::plain;

/// The most characters of a warning; Kubernetes cuts longer ones if there are many.
const WARNING: usize = 256;

/// The most characters of all warnings; Kubernetes leaves out the rest.
const WARNINGS: usize = 4096;

/// The most characters of one problem, and of all problems.
const PROBLEM: usize = 1024;
const PROBLEMS: usize = 16 * 1024;

/// The message of a refusal: one line for one problem, otherwise a list.
pub fn message(problems: &[Finding]) -> String {
    let lines: Vec<String> = problems.iter().map(|finding| line(finding, "", PROBLEM)).collect();
    if let [line] = lines.as_slice() {
        return line.clone();
    }
    let mut message = format!("{} problems", lines.len());
    for line in
        bounded(lines, PROBLEMS, |more| format!("and {more} more; `tollgate check` lists all"))
    {
        message.push_str("\n- ");
        message.push_str(&line);
    }
    message
}

/// The warnings of an answer.
pub fn warnings(findings: &[Finding]) -> Vec<String> {
    let lines = findings.iter().map(|finding| line(finding, "tollgate: ", WARNING)).collect();
    bounded(lines, WARNINGS, |more| {
        format!("tollgate: {more} more warnings; `tollgate check` prints all")
    })
}

/// `path: message`, with at most this many characters: the beginning of a long path is left out first.
fn line(finding: &Finding, before: &str, most: usize) -> String {
    let place =
        finding.place.map(|place| format!(" (line {}, column {})", place.line, place.column));
    let place = place.unwrap_or_default();
    let with = |path: &str| plain(&format!("{before}{path}{place}: {}", finding.message));
    let mut line = with(&finding.path);
    if line.chars().count() > most {
        line = with(&check::short(&finding.path));
    }
    if line.chars().count() > most {
        line = line.chars().take(most.saturating_sub(1)).chain(['…']).collect();
    }
    line
}

/// The first lines that have at most `most` characters together with `rest`, the line about the others.
fn bounded(lines: Vec<String>, most: usize, rest: impl Fn(usize) -> String) -> Vec<String> {
    let total = lines.len();
    let room = most.saturating_sub(rest(total).chars().count());
    let mut length = 0_usize;
    let mut kept = Vec::new();
    for (index, line) in lines.into_iter().enumerate() {
        length = length.saturating_add(line.chars().count());
        if length > room {
            kept.push(rest(total.saturating_sub(index)));
            break;
        }
        kept.push(line);
    }
    kept
}
