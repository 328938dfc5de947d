//! The steps for the claims of a verified signature: tenant, audience, times, use.

use serde_json::{Map, Value};
use tollgate::verify::date::NumericDate;
use tollgate::verify::json::Document;
use tollgate::verify::provider::{Audiences, Provider};
use tollgate::verify::{Stage, issuer};

use super::moment;
use super::steps::{Status, Step};
use super::trace::{Trace, shown};

/// Adds the steps in the order of the checks, up to the first that fails.
pub fn add_claims(
    provider: &Provider,
    payload: &Map<String, Value>,
    document: &Document,
    trace: &mut Trace<'_>,
) -> Option<()> {
    let redact = trace.redact;
    let all = payload.iter().map(|(name, value)| format!("{name}: {}", shown(value, redact)));
    let summary = format!("{} claims", payload.len());
    trace.steps.push(Step::new("claims", Status::Info, summary).with(all.collect()));
    let iss = payload.get("iss").and_then(Value::as_str).unwrap_or_default();
    let tenant = issuer::find(provider, iss).and_then(|matched| matched.tenant);
    let tenant_failed = trace.fails(Stage::Tenant);
    if tenant.is_some() || tenant_failed {
        let tenant = shown(tenant.unwrap_or("none"), redact);
        let detail =
            if tenant_failed { vec![format!("tenant of iss: {tenant}")] } else { Vec::new() };
        if !trace.step(Stage::Tenant, "tenant", format!("{tenant} is admitted"), detail) {
            return None;
        }
    }
    let aud = payload.get("aud").map_or("no aud".to_owned(), |aud| shown(aud, redact));
    let ours = match &provider.audiences {
        Audiences::Any => "any".to_owned(),
        Audiences::Only(ours) => ours.join(", "),
    };
    let details = vec![format!("aud of the token: {aud}"), format!("allowed: {ours}")];
    let good = match provider.audiences {
        Audiences::Any => "any is accepted",
        Audiences::Only(_) => "accepted",
    };
    if !trace.step(Stage::Audience, "audience", good.to_owned(), details) {
        return None;
    }
    if !add_times(provider, document, trace) {
        return None;
    }
    if trace.fails(Stage::Members) {
        trace.step(Stage::Members, "types", String::new(), Vec::new());
        return None;
    }
    let good = "accepted".to_owned();
    trace.step(Stage::Use, "use", good, Vec::new()).then_some(())
}

fn add_times(provider: &Provider, document: &Document, trace: &mut Trace<'_>) -> bool {
    let now = trace.line.now;
    let time = |name: &'static str| match NumericDate::claim(document, name) {
        Ok(None) => format!("{name}: absent"),
        Ok(Some(date)) => {
            let nanos = date.nanos();
            let (moment, distance) = (moment::rfc3339(nanos), moment::distance(nanos, now));
            format!("{name}: {moment}, {distance}")
        }
        Err(error) => format!("{name}: {error}"),
    };
    let mut details: Vec<String> = ["exp", "nbf", "iat"].into_iter().map(time).collect();
    details.push(format!("judged at {}", moment::rfc3339(i128::from(now.as_nanos()))));
    details.push(format!("clock_skew {}s", provider.clock_skew));
    details.extend(provider.max_lifetime.map(|most| format!("max_lifetime {most}s")));
    trace.step(Stage::Times, "times", "valid now".to_owned(), details)
}
