//! The steps for the claims of a verified signature: tenant, audience, times, use.

use serde_json::{Map, Value};
use tollgate::verify::date::NumericDate;
use tollgate::verify::provider::{Audiences, Provider};
use tollgate::verify::{Stage, issuer};

use super::moment;
use super::steps::{Status, Step};
use super::telling::{Telling, shown};

/// Adds the steps in the order of the checks, up to the first that fails.
pub fn tell_claims(
    provider: &Provider,
    payload: &Map<String, Value>,
    telling: &mut Telling<'_>,
) -> Option<()> {
    let redact = telling.redact;
    let all = payload.iter().map(|(name, value)| format!("{name}: {}", shown(value, redact)));
    let summary = format!("{} claims, signed", payload.len());
    telling.steps.push(Step::new("claims", Status::Told, summary).with(all.collect()));
    let iss = payload.get("iss").and_then(Value::as_str).unwrap_or_default();
    let tenant = issuer::find(provider, iss).and_then(|matched| matched.tenant);
    let tenant_failed = telling.fails(Stage::Tenant);
    if tenant.is_some() || tenant_failed {
        let told = shown(tenant.unwrap_or("none in iss"), redact);
        let detail =
            if tenant_failed { vec![format!("tenant of iss: {told}")] } else { Vec::new() };
        if !telling.tell(Stage::Tenant, "tenant", format!("{told} is admitted"), detail) {
            return None;
        }
    }
    let aud = payload.get("aud").map_or("no aud".to_owned(), |aud| shown(aud, redact));
    let ours = match &provider.audiences {
        Audiences::Any => "any".to_owned(),
        Audiences::Only(ours) => ours.join(", "),
    };
    let details = vec![format!("the token is for: {aud}"), format!("allowed: {ours}")];
    let good = match provider.audiences {
        Audiences::Any => "any will do",
        Audiences::Only(_) => "one is ours",
    };
    if !telling.tell(Stage::Audience, "audience", good.to_owned(), details) {
        return None;
    }
    if !tell_times(provider, payload, telling) {
        return None;
    }
    if telling.fails(Stage::Members) {
        telling.tell(Stage::Members, "types", String::new(), Vec::new());
        return None;
    }
    let good = "of a kind that is accepted".to_owned();
    telling.tell(Stage::Use, "use", good, Vec::new()).then_some(())
}

fn tell_times(
    provider: &Provider,
    payload: &Map<String, Value>,
    telling: &mut Telling<'_>,
) -> bool {
    let now = telling.line.now;
    let time = |name: &'static str| match NumericDate::claim(payload, name) {
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
    telling.tell(Stage::Times, "times", "valid now".to_owned(), details)
}
