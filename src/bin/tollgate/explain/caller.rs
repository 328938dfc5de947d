//! The steps from a token to a caller: header, issuer, keys, signature, claims, grants.

use serde_json::{Map, Value};
use tollgate::grant::{Demand, Grant};
use tollgate::policy::TokenRules;
use tollgate::principal::Caller;
use tollgate::provider::{Audiences, Issuer, KeysFrom, Provider};
use tollgate::rule::Rule;
use tollgate::token_source::{self, Found, Place};
use tollgate::verify::date::NumericDate;
use tollgate::verify::header::Header;
use tollgate::verify::token::Token;
use tollgate::verify::{Claims, Keys, VerifyError, base64url, issuer, json};

use super::moment;
use super::scene::{Line, Outcome, Scene};
use super::steps::{Status, Step};

/// The checks of a token in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Check {
    Token,
    Header,
    Payload,
    Issuer,
    Keys,
    Signature,
    Tenant,
    Audience,
    Times,
    Use,
}

/// Which check an error comes from.
fn check_of(error: VerifyError) -> Check {
    use VerifyError as E;
    match error {
        E::TooLarge | E::Shape | E::Encoding => Check::Token,
        E::HeaderJson | E::HeaderMember(_) | E::Encrypted | E::Compressed | E::Nested => {
            Check::Header
        }
        E::CritUnsupported | E::TypeNotAllowed | E::AlgorithmNotAllowed => Check::Header,
        E::PayloadJson => Check::Payload,
        E::IssuerNotAllowed => Check::Issuer,
        E::ClaimMissing("iss") | E::ClaimMalformed("iss") => Check::Issuer,
        E::KeysUnavailable | E::KeyUnknown => Check::Keys,
        E::SignatureInvalid => Check::Signature,
        E::TenantNotAllowed => Check::Tenant,
        E::ClaimMissing("tid") | E::ClaimMalformed("tid") => Check::Tenant,
        E::AudienceMismatch => Check::Audience,
        E::ClaimMissing("aud") | E::ClaimMalformed("aud") => Check::Audience,
        E::ClaimMissing(_) | E::ClaimMalformed(_) => Check::Times,
        E::Expired | E::NotYetValid | E::IssuedInFuture | E::LifetimeTooLong => Check::Times,
        E::TokenUseMismatch => Check::Use,
    }
}

/// A place in which tokens are looked for.
pub fn place(place: &Place) -> String {
    match place {
        Place::Header { name, prefix } if prefix.is_empty() => format!("header {name}"),
        Place::Header { name, prefix } => format!("header {name}, behind {prefix:?}"),
        Place::Cookie(name) => format!("cookie {name}"),
        Place::Query(name) => format!("query parameter {name}"),
        Place::WebsocketProtocol(prefix) => format!("sec-websocket-protocol {prefix}…"),
    }
}

/// What is shown of a value of the caller's.
pub fn shown(value: impl ToString, redact: bool) -> String {
    if redact { "(hidden)".to_owned() } else { value.to_string() }
}

struct Telling<'a> {
    failed: Option<VerifyError>,
    steps: Vec<Step>,
    redact: bool,
    line: &'a Line,
}

impl Telling<'_> {
    /// Adds the step of a check; false where the telling ends with it.
    fn tell(
        &mut self,
        check: Check,
        name: &'static str,
        good: String,
        details: Vec<String>,
    ) -> bool {
        let failed = self.failed.filter(|error| check_of(*error) == check);
        let step = match failed {
            Some(error) => Step::new(name, Status::Failed, error.to_string()),
            None => Step::new(name, Status::Ok, good),
        };
        self.steps.push(step.with(details));
        failed.is_none()
    }
}

/// The steps of a token that was found.
pub fn steps(
    scene: &Scene,
    line: &Line,
    rule: &Rule,
    outcome: &Outcome,
    token: &[u8],
    redact: bool,
) -> Vec<Step> {
    let verified = scene.verify(token, rule, line.now);
    let failed = verified.as_ref().err().map(|failure| failure.error);
    let mut telling = Telling { failed, steps: Vec::new(), redact, line };
    verification(scene, rule, outcome, token, &mut telling);
    if let Ok(claims) = &verified {
        admission(scene, rule, outcome, claims, &mut telling);
    }
    telling.steps
}

fn verification(
    scene: &Scene,
    rule: &Rule,
    outcome: &Outcome,
    token: &[u8],
    telling: &mut Telling<'_>,
) -> Option<()> {
    let places = scene.policy.token.from.iter().filter(|place| {
        let alone = TokenRules { from: vec![(*place).clone()], ..scene.policy.token.clone() };
        token_source::find(&outcome.headers, &alone) != Found::None
    });
    let places: Vec<String> = places.map(place).collect();
    let found = format!("{} bytes, in {}", token.len(), places.join(" and "));
    if !telling.tell(Check::Token, "token", found, Vec::new()) {
        return None;
    }
    let parts = Token::split(token, scene.policy.token.max_bytes).ok()?;
    let header = Header::parse(parts.header());
    let told = header.as_ref().map_or(String::new(), |header| {
        let optional = |name, value: &Option<String>| {
            value.as_ref().map_or(format!("no {name}"), |value| format!("{name} {value}"))
        };
        let kid = optional("kid", &header.kid);
        format!("alg {}, {kid}, {}", header.algorithm.name(), optional("typ", &header.typ))
    });
    let details = if told.is_empty() { Vec::new() } else { vec![told.clone()] };
    let failed = telling.failed.is_some_and(|error| check_of(error) == Check::Header);
    if !telling.tell(Check::Header, "header", told, if failed { details } else { Vec::new() }) {
        return None;
    }
    let payload = base64url::decode(parts.payload()).and_then(|bytes| json::parse_object(&bytes));
    if telling.failed.is_some_and(|error| check_of(error) == Check::Payload) {
        telling.tell(Check::Payload, "payload", String::new(), Vec::new());
        return None;
    }
    let payload = payload?;
    let header = header.ok()?;
    let provider = outcome.judgement.provider.and_then(|index| scene.policy.providers.get(index));
    if !tell_issuer(scene, rule, provider, &payload, telling) {
        return None;
    }
    let provider = provider?;
    let keys = outcome.judgement.provider.and_then(|index| scene.keys(index));
    let total = keys.map_or(0, |keys| keys.len());
    let candidates =
        keys.and_then(|keys| keys.candidates(header.kid.as_deref(), header.algorithm).ok());
    let count = candidates.map_or(0, |candidates| candidates.len());
    let known = keys.into_iter().flat_map(|keys| keys.iter());
    let known: Vec<&str> = known.filter_map(|key| key.kid()).collect();
    let hint = match (&provider.keys, keys) {
        (KeysFrom::Remote(remote), None) => {
            let (uri, name) = (remote.source.uri(), &provider.name);
            vec![format!("not fetched here: {uri}; give them by --keys {name}=FILE")]
        }
        _ => vec![format!("kids of the provider: {}", known.join(", "))],
    };
    let failed = telling.failed.is_some_and(|error| check_of(error) == Check::Keys);
    let hint = if failed { hint } else { Vec::new() };
    let good = format!("{count} of {total} fit alg and kid");
    if !telling.tell(Check::Keys, "keys", good, hint) {
        return None;
    }
    if !telling.tell(Check::Signature, "signature", "verifies".to_owned(), Vec::new()) {
        return None;
    }
    tell_claims(provider, &payload, telling)
}

fn tell_issuer(
    scene: &Scene,
    rule: &Rule,
    provider: Option<&Provider>,
    payload: &Map<String, Value>,
    telling: &mut Telling<'_>,
) -> bool {
    let iss = payload.get("iss").map_or("no iss".to_owned(), |iss| shown(iss, telling.redact));
    let name = provider.map_or("none", |provider| &provider.name);
    let admitted: Vec<usize> = match &rule.providers {
        Some(indexes) => indexes.clone(),
        None => (0..scene.policy.providers.len()).collect(),
    };
    let failed = telling.failed.is_some_and(|error| check_of(error) == Check::Issuer);
    let mut details = Vec::new();
    if failed {
        details.push(format!("the token says: {iss}"));
        for provider in admitted.iter().filter_map(|index| scene.policy.providers.get(*index)) {
            let issuers: Vec<String> = provider.issuers.iter().map(Issuer::text).collect();
            details.push(format!("{:?} issues as: {}", provider.name, issuers.join(", ")));
        }
    }
    telling.tell(Check::Issuer, "issuer", format!("{iss} is provider {name:?}"), details)
}

fn tell_claims(
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
    let tenant_failed = telling.failed.is_some_and(|error| check_of(error) == Check::Tenant);
    if tenant.is_some() || tenant_failed {
        let told = shown(tenant.unwrap_or("none in iss"), redact);
        let detail =
            if tenant_failed { vec![format!("tenant of iss: {told}")] } else { Vec::new() };
        if !telling.tell(Check::Tenant, "tenant", format!("{told} is admitted"), detail) {
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
    if !telling.tell(Check::Audience, "audience", good.to_owned(), details) {
        return None;
    }
    if !tell_times(provider, payload, telling) {
        return None;
    }
    let good = "of a kind that is accepted".to_owned();
    telling.tell(Check::Use, "use", good, Vec::new()).then_some(())
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
    details.push(format!("judged at {}", moment::rfc3339(u128::from(now))));
    details.push(format!("clock_skew {}s", provider.clock_skew));
    details.extend(provider.max_lifetime.map(|most| format!("max_lifetime {most}s")));
    telling.tell(Check::Times, "times", "valid now".to_owned(), details)
}

/// Identity, binding and grants of a token that verified.
fn admission(
    scene: &Scene,
    rule: &Rule,
    outcome: &Outcome,
    claims: &Claims,
    telling: &mut Telling<'_>,
) {
    let redact = telling.redact;
    let judgement = &outcome.judgement;
    let reason = judgement.verdict.denial().map(|denial| denial.reason.as_str());
    let Some(caller) = judgement.caller.as_deref().map(Caller::principal) else {
        let provider = scene.policy.providers.get(claims.provider());
        let bound = reason == Some("binding_mismatch");
        let (name, why) = match bound {
            true => ("binding", "the token is bound to another certificate (bind: mtls)"),
            false => ("identity", "no template of the provider has a value, or a part is empty"),
        };
        let details = provider.map(|p| format!("{}: {}", p.name, reason.unwrap_or_default()));
        let step = Step::new(name, Status::Failed, why).with(details.into_iter().collect());
        telling.steps.push(step);
        return;
    };
    let identity = shown(caller.identity(), redact);
    telling.steps.push(Step::new("identity", Status::Ok, identity));
    let Some(entries) = &rule.allow else {
        telling.steps.push(Step::new("grants", Status::Ok, "any valid token"));
        return;
    };
    let admits = |entry: &Grant| entry.holds(claims);
    let details = entries.iter().enumerate().map(|(index, entry)| match admits(entry) {
        true => format!("allow[{index}] holds"),
        false => format!("allow[{index}] lacks {}", lacking(entry, claims).join("; ")),
    });
    let (status, summary) = match entries.iter().position(admits) {
        Some(index) => (Status::Ok, format!("allow[{index}] admits")),
        None => (Status::Failed, reason.unwrap_or("no entry admits").to_owned()),
    };
    telling.steps.push(Step::new("grants", status, summary).with(details.collect()));
}

/// What an entry asks for and the claims do not hold, each asked alone.
fn lacking(entry: &Grant, claims: &Claims) -> Vec<String> {
    let mut lacking = Vec::new();
    let of = |demand: Demand, scopes: bool| match scopes {
        true => Grant { scopes: demand, ..Grant::default() },
        false => Grant { roles: demand, ..Grant::default() },
    };
    for (name, demand, scopes) in [("roles", &entry.roles, false), ("scopes", &entry.scopes, true)]
    {
        let any = Demand { any: demand.any.clone(), all: None };
        if let Some(wanted) = &demand.any
            && !of(any, scopes).holds(claims)
        {
            lacking.push(format!("{name}_any: {}", wanted.join(", ")));
        }
        let missing = demand.all.iter().flatten().filter(|wanted| {
            let one = Demand { any: None, all: Some(vec![(*wanted).clone()]) };
            !of(one, scopes).holds(claims)
        });
        let missing: Vec<&str> = missing.map(String::as_str).collect();
        if !missing.is_empty() {
            lacking.push(format!("{name}_all: {}", missing.join(", ")));
        }
    }
    let groups = Grant { groups_any: entry.groups_any.clone(), ..Grant::default() };
    if let Some(wanted) = entry.groups_any.as_ref().filter(|_| !groups.holds(claims)) {
        lacking.push(format!("groups_any: {}", wanted.join(", ")));
    }
    let clients = Grant { clients: entry.clients.clone(), ..Grant::default() };
    if let Some(wanted) = entry.clients.as_ref().filter(|_| !clients.holds(claims)) {
        lacking.push(format!("clients: {}", wanted.join(", ")));
    }
    for test in &entry.claims {
        let one = Grant { claims: vec![test.clone()], ..Grant::default() };
        if !one.holds(claims) {
            lacking.push(format!("claims: {:?} {:?}", test.claim, test.test));
        }
    }
    lacking
}
