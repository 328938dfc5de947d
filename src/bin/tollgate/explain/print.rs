//! Prints an explanation as text or JSON.

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use tollgate::gate::verdict::Verdict;

use super::cures;
use super::scene::{Line, Outcome, Scene};
use super::steps::{Status, Step};
use super::trace::{described, shown};
use super::upstream;
use crate::output::{self, Failure, bad, doubtful, faint, good, plain, strong};

/// As text: one line per step, then the verdict.
pub fn people(scene: &Scene, outcome: &Outcome, steps: &[Step]) -> Result<ExitCode, Failure> {
    let mut out = String::new();
    for step in steps {
        let mark = match step.status {
            Status::Ok => good("ok  ").to_string(),
            Status::Failed => bad("FAIL").to_string(),
            Status::Info => faint("    ").to_string(),
        };
        let name = strong(format_args!("{:<11}", step.name)).to_string();
        let _ = writeln!(out, "{mark} {name} {}", plain(&step.summary));
        for detail in &step.details {
            let _ = writeln!(out, "                 {}", faint(plain(detail)));
        }
    }
    let verdict = &outcome.verdict;
    let text = format!("{} {}", verdict.decision(), verdict.reason().as_str());
    let text = match verdict {
        Verdict::Allow(_) | Verdict::Answer(_) => good(text).to_string(),
        Verdict::WouldDeny(_) => doubtful(text).to_string(),
        Verdict::Deny(_) => bad(text).to_string(),
    };
    let waits = match (outcome.needs_body, outcome.needs_keys()) {
        (true, _) => ", if the body is accepted",
        (_, true) => ", if the filter has no keys either",
        _ => "",
    };
    let _ = writeln!(out, "\n{text}{waits}");
    if let (Verdict::Deny(_), Some(cure)) = (verdict, cures::of(verdict.reason())) {
        let own = steps.iter().rev().find_map(|step| step.fix.clone());
        let fix = own.or(cure.fix).into_iter().map(|fix| format!("fix: {fix}"));
        let more = format!("see docs/runbook.md#{}", verdict.reason().as_str());
        for line in fix.chain([more]) {
            let _ = writeln!(out, "  {}", plain(&line));
        }
    }
    let response = upstream::response(scene, outcome);
    if let Some(status) = response.get("status").and_then(Value::as_u64) {
        let then = if outcome.needs_keys() { "then " } else { "" };
        let _ = writeln!(out, "the caller {then}receives {status}");
    }
    for field in response.get("headers").and_then(Value::as_array).into_iter().flatten() {
        let text = |index: usize| field.get(index).and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(out, "  {}: {}", text(0), plain(text(1)));
    }
    if let Some(body) = response.get("body").and_then(Value::as_str).filter(|body| !body.is_empty())
    {
        let _ = writeln!(out, "  {}", body.lines().map(plain).collect::<Vec<_>>().join("\n"));
    }
    output::text(&out)?;
    Ok(code(outcome))
}

/// The exit code for a verdict.
fn code(outcome: &Outcome) -> ExitCode {
    match outcome.verdict {
        Verdict::Deny(_) => ExitCode::from(output::DENIED),
        _ => ExitCode::SUCCESS,
    }
}

/// As JSON: the verdict, the steps and the response.
pub fn json(
    scene: &Scene,
    outcome: &Outcome,
    steps: &[Step],
    redact: bool,
) -> Result<ExitCode, Failure> {
    let mut value = verdict(scene, outcome);
    let caller = outcome.facts.caller.as_deref();
    let identity = caller.map(|caller| shown(caller.principal().identity(), redact));
    value.insert("identity".to_owned(), json!(identity));
    value.insert("steps".to_owned(), steps.iter().map(Step::json).collect());
    value.insert("response".to_owned(), upstream::response(scene, outcome));
    output::json(&Value::Object(value))?;
    Ok(code(outcome))
}

/// One line per token, which is identified by its number only.
pub fn batch<'t>(
    scene: &Scene,
    line: &Line,
    tokens: impl Iterator<Item = &'t [u8]>,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let mut out = String::new();
    let mut exit = ExitCode::SUCCESS;
    for (index, token) in tokens.enumerate() {
        let number = index.saturating_add(1);
        let outcome = scene.judge(line, Some(token).filter(|token| !token.is_empty()));
        if matches!(outcome.verdict, Verdict::Deny(_)) {
            exit = code(&outcome);
        }
        let mut value = verdict(scene, &outcome);
        value.insert("line".to_owned(), json!(number));
        value.insert("error".to_owned(), json!(error(scene, &outcome)));
        let _ = match as_json {
            true => writeln!(out, "{}", output::json_plain(&Value::Object(value).to_string())),
            false => {
                let text =
                    |name: &str| value.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
                writeln!(out, "{number} {} {}", text("decision"), text("reason"))
            }
        };
    }
    output::text(&out)?;
    Ok(exit)
}

/// The part that both forms share.
fn verdict(scene: &Scene, outcome: &Outcome) -> Map<String, Value> {
    let rule = outcome.facts.rule.as_deref();
    let provider = outcome.facts.token.provider.and_then(|index| scene.policy.providers.get(index));
    let status = match &outcome.verdict {
        Verdict::Deny(_) | Verdict::Answer(_) => {
            upstream::response(scene, outcome).get("status").cloned().unwrap_or_default()
        }
        Verdict::Allow(_) | Verdict::WouldDeny(_) => Value::Null,
    };
    [
        ("decision", json!(outcome.verdict.decision())),
        ("reason", json!(outcome.verdict.reason().as_str())),
        ("status", json!(status)),
        ("rule", json!(rule.map(|rule| &rule.name))),
        ("provider", json!(provider.map(|provider| &provider.name))),
        ("needs_body", json!(outcome.needs_body)),
        ("needs_keys", json!(outcome.needs_keys())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect()
}

/// Why the token was refused, including the detail that the reason omits.
fn error(scene: &Scene, outcome: &Outcome) -> Option<String> {
    let provider = outcome.facts.token.provider.and_then(|index| scene.policy.providers.get(index));
    outcome.facts.token.error.map(|error| described(error, provider))
}
