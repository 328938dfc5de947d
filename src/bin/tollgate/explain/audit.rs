//! `--audit`: reads audit lines, and says for each request what happened and what cures it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use tollgate::reason::Reason;

use super::cures::{self, Cure};
use super::trace::shown;
use crate::output::{self, Failure, bad, doubtful, faint, good, plain, strong};

/// The fields that describe a request, in the order of the output.
const FIELDS: [&str; 9] = [
    "Rule",
    "Provider",
    "Identity",
    "Kid",
    "Limit",
    "Remaining",
    "Cost",
    "Detail",
    "ClientAddress",
];

/// The fields that `--redact` hides.
const PERSONAL: [&str; 2] = ["Identity", "ClientAddress"];

/// One audit line.
struct Line {
    number: usize,
    fields: Map<String, Value>,
}

impl Line {
    /// `None` if the text is not an audit line, such as a line of Envoy's own log.
    fn read(number: usize, text: &str) -> Option<Self> {
        let fields: Map<String, Value> = serde_json::from_str(text).ok()?;
        fields.contains_key("Decision").then_some(Self { number, fields })
    }

    /// A field; `null` and `-` stand for no value.
    fn text(&self, name: &str) -> Option<String> {
        match self.fields.get(name)? {
            Value::Null => None,
            Value::String(text) if text == "-" => None,
            Value::String(text) => Some(text.clone()),
            value => Some(value.to_string()),
        }
    }

    /// What the filter decided.
    fn decision(&self) -> Option<String> {
        self.text("Decision")
    }

    /// The reason of the filter; `None` if Envoy or the upstream answered with an error without it.
    fn reason(&self) -> Option<String> {
        self.text("Reason").filter(|_| self.failure().is_none())
    }

    /// The error that an allowed request got from Envoy or the upstream.
    fn failure(&self) -> Option<String> {
        let code = self.text("ResponseCode").filter(|code| code.starts_with(['4', '5']))?;
        let allowed = self.decision().is_some_and(|decision| decision == "allow");
        allowed.then(|| match self.text("ResponseCodeReason").as_deref() {
            Some("via_upstream") => {
                format!("The filter allowed the request, and the upstream answered {code}")
            }
            Some(why) => {
                format!("The filter allowed the request, and Envoy answered {code}: {why}")
            }
            None => format!("The filter allowed the request, and the answer was {code}"),
        })
    }

    /// Without a reason of the filter, that of Envoy is all that is known.
    fn cure(&self) -> Option<Cure> {
        let undecided = || match self.text("ResponseCodeReason") {
            Some(why) => format!("Envoy answered before the filter decided: {why}"),
            None => "Envoy answered before the filter decided".to_owned(),
        };
        match self.reason() {
            // None for a word that this version does not know.
            Some(reason) => cures::of(Reason::from_word(&reason)?),
            None => {
                let happened = self.failure().unwrap_or_else(undecided);
                Some(Cure { happened, cause: None, fix: None })
            }
        }
    }
}

/// Explains every audit line of a log.
pub fn run(log: &[u8], redact: bool, as_json: bool) -> Result<ExitCode, Failure> {
    let log = String::from_utf8_lossy(log);
    let numbered = log.lines().enumerate().map(|(index, text)| (index.saturating_add(1), text));
    let lines: Vec<Line> =
        numbered.clone().filter_map(|(number, text)| Line::read(number, text)).collect();
    if lines.is_empty() {
        return Err(Failure::usage(
            "--audit: no line is an audit line, which is JSON with a field Decision \
             (docs/telemetry.md)",
        ));
    }
    let others = numbered.filter(|(_, text)| !text.trim().is_empty()).count();
    match as_json {
        true => output::text(&lines.iter().map(|line| as_value(line, redact)).collect::<String>())?,
        false => people(&lines, others.saturating_sub(lines.len()), redact)?,
    };
    let denied = |line: &Line| line.decision().as_deref() == Some("deny");
    Ok(match lines.iter().any(denied) {
        true => ExitCode::from(output::DENIED),
        false => ExitCode::SUCCESS,
    })
}

fn people(lines: &[Line], others: usize, redact: bool) -> Result<ExitCode, Failure> {
    let mut out = String::new();
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines {
        write_head(&mut out, line, redact);
        let reason = line.reason().unwrap_or_default();
        let known = *first.entry(reason.clone()).or_insert(line.number);
        let mut part = |name: &str, text: &str| {
            let _ = writeln!(out, "    {} {}", faint(format_args!("{name:<9}")), plain(text));
        };
        match line.cure() {
            None => part("happened", "this version does not know the reason"),
            Some(cure) if known == line.number || reason.is_empty() => {
                part("happened", &cure.happened);
                cure.cause.iter().for_each(|text| part("cause", text));
                cure.fix.iter().for_each(|text| part("fix", text));
                if !reason.is_empty() {
                    part("more", &format!("docs/runbook.md#{reason}"));
                }
            }
            Some(_) => part("happened", &format!("as in line {known}")),
        }
    }
    if others > 0 {
        let lines = if others == 1 { "line" } else { "lines" };
        let _ = writeln!(out, "{others} other {lines} skipped: they are not audit lines");
    }
    output::text(&out)
}

/// `2 deny rate_limited  POST /score 429`, and the fields of the request.
fn write_head(out: &mut String, line: &Line, redact: bool) {
    let or = |name: &str, absent: &str| line.text(name).unwrap_or_else(|| absent.to_owned());
    let decision = or("Decision", "no decision");
    let verdict = format!("{decision} {}", or("Reason", "")).trim_end().to_owned();
    let verdict = match decision.as_str() {
        "allow" => good(plain(&verdict)).to_string(),
        "deny" => bad(plain(&verdict)).to_string(),
        _ => doubtful(plain(&verdict)).to_string(),
    };
    let request = ["Method", "Path", "ResponseCode", "Time"].iter();
    let request: Vec<String> = request.filter_map(|name| line.text(name)).collect();
    let request = plain(&request.join(" "));
    let _ = writeln!(out, "{} {verdict}  {}", strong(line.number), faint(request));
    let fields: Vec<String> = FIELDS
        .iter()
        .filter_map(|name| {
            let hidden = redact && PERSONAL.contains(name);
            let unit = if *name == "Remaining" { "%" } else { "" };
            Some(format!("{name} {}{unit}", shown(plain(&line.text(name)?), hidden)))
        })
        .collect();
    if !fields.is_empty() {
        let _ =
            writeln!(out, "    {} {}", faint(format_args!("{:<9}", "request")), fields.join(", "));
    }
}

/// One line of JSON: the fields of the request, and the cure.
fn as_value(line: &Line, redact: bool) -> String {
    let mut value = Map::new();
    value.insert("line".to_owned(), json!(line.number));
    for name in ["Decision", "Reason"].iter().chain(&FIELDS) {
        let hidden = redact && PERSONAL.contains(name);
        let text = line.text(name).map(|text| shown(text, hidden));
        value.insert(name.to_ascii_lowercase(), json!(text));
    }
    let cure = line.cure();
    let of = |part: fn(&Cure) -> Option<String>| json!(cure.as_ref().and_then(part));
    value.insert("happened".to_owned(), of(|cure| Some(cure.happened.clone())));
    value.insert("cause".to_owned(), of(|cure| cure.cause.clone()));
    value.insert("fix".to_owned(), of(|cure| cure.fix.clone()));
    format!("{}\n", output::json_plain(&Value::Object(value).to_string()))
}
