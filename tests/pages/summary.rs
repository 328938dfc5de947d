//! The figures of the run, and the list of what did not run: `target/pages.md`.

use std::collections::{BTreeMap, BTreeSet};

use crate::failures;
use crate::page::REASONS;
use crate::shell::Outcome;

/// As Markdown.
pub fn of(pages: &BTreeMap<String, Result<Outcome, Vec<String>>>) -> String {
    let mut lines = vec!["| page | blocks run | checked only | failing | seconds |".to_owned()];
    lines.push("|---|---|---|---|---|".to_owned());
    let (mut run, mut checked, mut failing) = (0, 0, 0);
    for (page, result) in pages {
        let bad = failures(result).len();
        let (executed, unrun, seconds) = result.as_ref().map_or((0, 0, 0.0), |outcome| {
            (outcome.executed, outcome.checked.len(), outcome.seconds)
        });
        (run, checked, failing) = (run + executed, checked + unrun, failing + bad);
        if executed + unrun + bad > 0 {
            lines.push(format!("| {page} | {executed} | {unrun} | {bad} | {seconds:.1} |"));
        }
    }
    lines.push(format!("| **all** | {run} | {checked} | {failing} | |"));

    let outcomes = || pages.iter().filter_map(|(page, result)| Some((page, result.as_ref().ok()?)));
    for (reason, meaning) in REASONS {
        let mut blocks = Vec::new();
        for (page, outcome) in outcomes() {
            let of_reason = outcome.checked.iter().filter(|(_, why, _)| *why == reason);
            blocks.extend(of_reason.map(|(line, _, first)| format!("- {page}:{line} `{first}`")));
        }
        if !blocks.is_empty() {
            lines.push(format!("\nNot run, {reason} ({meaning}): {}\n", blocks.len()));
            lines.append(&mut blocks);
        }
    }

    let expanded: BTreeSet<_> = outcomes()
        .flat_map(|(_, outcome)| &outcome.expanded)
        .filter_map(|line| Some(format!("- `{}`", line.split_once(' ')?.1)))
        .collect();
    lines.push("\nTargets of make that were expanded and not run:\n".to_owned());
    lines.extend(expanded);

    let mut programs: BTreeMap<&str, usize> = BTreeMap::new();
    for line in outcomes().flat_map(|(_, outcome)| &outcome.recorded) {
        *programs.entry(line.split(' ').next().unwrap()).or_default() += 1;
    }
    let programs: Vec<_> = programs.iter().map(|(name, times)| format!("{name} {times}")).collect();
    lines.push(format!(
        "\nCommands that were not run, in blocks and in sentences: {}.",
        programs.join(", ")
    ));
    lines.join("\n") + "\n"
}
