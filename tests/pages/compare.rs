//! Compares what a command printed with what a page shows.

use std::sync::LazyLock;

use regex::Regex;

/// What differs from run to run, and the word that stands for it on both sides.
static VARYING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        (r"eyJ[\w-]+\.[\w-]+\.[\w-]*", "<token>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "<time>"),
        (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "<date>"),
        (r"\b1[6-9]\d{8}\b", "<seconds>"),
        (r"\bin (\d+(h|ms|m|µs|s) ?)+", "in <duration>"),
        (r"\b(\d+(h|ms|m|µs|s) )+ago", "<duration> ago"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
        (r"sha256:[0-9a-f]+…?", "sha256:<digest>"),
        (r"\b[\w-]{43}\b", "<thumbprint>"),
        // Spread, so that callers do not come back in step.
        (r"(?i)\b(retry[- ]after:?) \d+( s\b)?", "$1 <seconds>"),
        ("─+", "─"),
    ];
    patterns.map(|(pattern, name)| (Regex::new(pattern).unwrap(), name)).into()
});

/// Whether the output is as shown. `…` stands for any text in a line, and alone for any lines.
pub fn shows(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (lines(shown), lines(printed));
    below(&shown, &printed)
}

fn below(shown: &[String], printed: &[String]) -> bool {
    let Some((first, rest)) = shown.split_first() else { return printed.is_empty() };
    if first.trim() == "…" {
        return (0..=printed.len()).any(|skipped| below(rest, &printed[skipped..]));
    }
    let Some((line, others)) = printed.split_first() else { return false };
    fits(first, line) && below(rest, others)
}

fn fits(shown: &str, printed: &str) -> bool {
    let parts: Vec<_> = shown.split('…').map(regex::escape).collect();
    Regex::new(&format!("^{}$", parts.join(".*"))).unwrap().is_match(printed)
}

/// The lines without what varies, without spaces at the end, and without empty lines around them.
fn lines(text: &str) -> Vec<String> {
    let text = text.trim_matches('\n').lines().map(|line| {
        let mut line = line.trim_end().to_owned();
        for (pattern, name) in VARYING.iter() {
            line = pattern.replace_all(&line, *name).into_owned();
        }
        line
    });
    let mut lines: Vec<_> = text.collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}
