//! The problems for which another command ends.

use std::path::Path;

use super::{Around, report};
use crate::document::{Content, Level, Place};
use crate::environment::Given;
use crate::output::Failure;

/// An error with the problems of a file, if it has any.
pub fn refused(path: &Path, mut content: Content) -> Result<(), Failure> {
    let around = Around::of(std::iter::once(&mut content));
    let report = report(path, content, &Given::default(), &around);
    let findings = report.sections.into_iter().flat_map(|section| section.findings);
    let problems = findings.filter(|finding| finding.level == Level::Problem);
    let lines: Vec<String> = problems
        .map(|problem| {
            let place = problem.place.map_or_else(String::new, |Place { line, column }| {
                format!(" (line {line}, column {column})")
            });
            format!("\n  {}{place}: {}", problem.path, problem.message)
        })
        .collect();
    let file = path.display();
    match lines.is_empty() {
        true => Ok(()),
        false => Err(Failure::Refused(format!("{file} has problems:{}", lines.concat()))),
    }
}
