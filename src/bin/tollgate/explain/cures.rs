//! What each reason means and what cures it: the sections of `docs/runbook.md`.

use tollgate::reason::Reason;

/// The page; its sections by reason are the only table of causes and fixes.
const RUNBOOK: &str = include_str!("../../../../docs/runbook.md");

/// The beginning of the section of one reason, as plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cure {
    /// What happened.
    pub happened: String,
    /// The usual cause.
    pub cause: Option<String>,
    /// What to do.
    pub fix: Option<String>,
}

/// The cure of a reason.
pub fn of(reason: Reason) -> Option<Cure> {
    let (_, section) = RUNBOOK.split_once(&format!("\n### {}\n", reason.as_str()))?;
    let first = section.trim_start().split("\n\n").next()?;
    let (rest, fix) = cut(first, "*Fix:*");
    let (happened, cause) = cut(rest, "*Cause:*");
    Some(Cure { happened: plain(happened), cause: cause.map(plain), fix: fix.map(plain) })
}

fn cut<'t>(text: &'t str, marker: &str) -> (&'t str, Option<&'t str>) {
    text.split_once(marker).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Joins the lines of Markdown, and removes emphasis and the targets of links.
fn plain(markdown: &str) -> String {
    let mut text: String = markdown.split_whitespace().collect::<Vec<_>>().join(" ");
    while let Some((before, after)) = text.split_once("](") {
        let Some((_, after)) = after.split_once(')') else { break };
        let Some((before, name)) = before.rsplit_once('[') else { break };
        text = [before, name, after].concat();
    }
    text.replace(" *", " ").replace("* ", " ")
}
