//! `tollgate explain --audit`: what audit lines mean, and what cures each reason.

use serde_json::{Value, json};
use tollgate::reason::Reason;

use super::{file, tollgate};

/// One line of JSON for each audit line, and the exit code.
fn explain(name: &str, lines: &[String], options: &[&str]) -> (Vec<Value>, i32) {
    let path = file(&format!("audit/{name}"), lines.join("\n"));
    let arguments = ["explain", "--json", "--audit", path.to_str().unwrap()];
    let (text, _, code) = tollgate(&[&arguments, options].concat());
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), code)
}

fn line(decision: &str, reason: &str) -> Value {
    json!({"Time": "2026-11-28T10:00:00Z", "Method": "POST", "Path": "/score", "Rule": "score",
           "Provider": "demo", "Identity": "demo/alice", "Decision": decision, "Reason": reason,
           "Limit": "per-caller", "Remaining": "0", "Detail": null, "ResponseCode": 429,
           "ClientAddress": "192.0.2.1"})
}

#[test]
fn every_reason_has_an_explanation_and_every_denial_a_fix() {
    let allowed = [Reason::Ok, Reason::Anonymous, Reason::Preflight];
    let lines = Reason::ALL.iter().map(|reason| line("deny", reason.as_str()).to_string());
    let (told, _) = explain("reasons", &lines.collect::<Vec<_>>(), &[]);
    assert_eq!(told.len(), Reason::ALL.len());
    for (reason, told) in Reason::ALL.iter().zip(&told) {
        assert_eq!(told["reason"], reason.as_str());
        let text = |name: &str| told[name].as_str().unwrap_or_default();
        assert!(text("happened").len() > 10, "{told:#}");
        assert!(allowed.contains(reason) || text("fix").len() > 10, "{told:#}");
        // Nothing of Markdown is left.
        for part in ["happened", "cause", "fix"] {
            let text = text(part);
            assert!(!["](", "*", "###", "\n"].iter().any(|m| text.contains(m)), "{text}");
        }
    }
}

#[test]
fn the_fields_are_those_of_the_audit_line() {
    let defined: Value = serde_json::from_str(include_str!("../../docs/audit.json")).unwrap();
    let (told, _) = explain("fields", &[line("allow", "ok").to_string()], &[]);
    let defined = defined.as_array().unwrap().iter();
    let defined: Vec<String> =
        defined.map(|field| field["name"].as_str().unwrap().to_ascii_lowercase()).collect();
    for name in told[0].as_object().unwrap().keys() {
        let own = ["line", "happened", "cause", "fix"].contains(&name.as_str());
        assert!(own || defined.contains(name), "{name}");
    }
}

#[test]
fn each_line_says_what_happened_and_other_lines_are_skipped() {
    let mut unfinished = line("", "");
    unfinished["Decision"] = json!(null);
    unfinished["Reason"] = json!("-");
    unfinished["ResponseCodeReason"] = json!("path_normalization_failed");
    let mut failed = line("allow", "ok");
    failed["ResponseCode"] = json!(503);
    failed["ResponseCodeReason"] = json!("upstream_reset");
    let lines = [
        "[2026-11-28 10:00:00.000][1][info][main] starting".to_owned(),
        line("deny", "rate_limited").to_string(),
        line("deny", "rate_limited").to_string(),
        line("would_deny", "expired").to_string(),
        unfinished.to_string(),
        line("deny", "of_the_future").to_string(),
        failed.to_string(),
        r#"{"level": "info"}"#.to_owned(),
    ];
    let path = file("audit/lines", lines.join("\n"));
    let path = path.to_str().unwrap();
    let (text, _, code) = tollgate(&["explain", "--audit", path]);
    assert_eq!(code, 3, "{text}");
    for part in [
        "2 deny rate_limited  POST /score 429 2026-11-28T10:00:00Z",
        "Identity demo/alice, Limit per-caller, Remaining 0%",
        "docs/runbook.md#rate_limited",
        "happened  as in line 2",
        "4 would_deny expired",
        "Envoy answered before the filter decided: path_normalization_failed",
        "The filter allowed the request, and Envoy answered 503: upstream_reset",
        "this version does not know the reason",
        "2 other lines skipped: they are not audit lines",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    let (hidden, _, _) = tollgate(&["explain", "--redact", "--audit", path]);
    assert!(!hidden.contains("alice") && !hidden.contains("192.0.2.1"), "{hidden}");
    assert_eq!(explain("allowed", &[line("allow", "ok").to_string()], &[]).1, 0);
    assert_eq!(explain("none", &["{}".to_owned()], &[]).1, 2);
}
