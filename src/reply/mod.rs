//! From a denial to what the caller sees: the only place that knows statuses and challenges.

mod cors;

use crate::decimal;
use crate::gate::verdict::{Denial, LimitReport, OwnAnswer};
use crate::limit::plan::Limit;
use crate::policy::Policy;
use crate::policy::responses::Responses;
use crate::reason::Reason;
use crate::request::headers::Headers;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The methods that a rule is looked for (RFC 9110 §15.5.6 asks for them beside a 405).
const ALLOW: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// A reply of our own, ready for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u32,
    /// The gRPC status for callers that speak gRPC (the host turns the reply into trailers).
    pub grpc_status: i32,
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The problem document (RFC 9457), the bare reason for gRPC, or nothing.
    pub body: String,
}

/// The `error` attribute of the challenge (RFC 6750 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Challenge {
    /// No challenge: authentication would not help.
    None,
    /// A challenge without `error`: the request carried no token.
    Bare,
    InvalidRequest,
    InvalidToken,
    InsufficientScope,
}

impl Challenge {
    const fn error(self) -> Option<&'static str> {
        match self {
            Self::None | Self::Bare => None,
            Self::InvalidRequest => Some("invalid_request"),
            Self::InvalidToken => Some("invalid_token"),
            Self::InsufficientScope => Some("insufficient_scope"),
        }
    }
}

/// Status, gRPC status and challenge of each reason. The gRPC numbers are UNAUTHENTICATED 16,
/// PERMISSION_DENIED 7, RESOURCE_EXHAUSTED 8, INVALID_ARGUMENT 3 and UNAVAILABLE 14.
const fn outcome(reason: Reason) -> (u32, i32, Challenge) {
    use Reason as R;
    match reason {
        R::Ok | R::Anonymous | R::Preflight => (200, 0, Challenge::None),
        R::TokenMultiple | R::TokenTooLarge => (400, 3, Challenge::InvalidRequest),
        R::PathAmbiguous | R::HostAmbiguous | R::PayloadMalformed => (400, 3, Challenge::None),
        R::MethodNotAllowed => (405, 3, Challenge::None),
        R::TokenMissing => (401, 16, Challenge::Bare),
        R::TokenMalformed
        | R::TypeNotAllowed
        | R::CritUnsupported
        | R::AlgorithmNotAllowed
        | R::KeyUnknown
        | R::SignatureInvalid
        | R::IssuerNotAllowed
        | R::TenantNotAllowed
        | R::AudienceMismatch
        | R::ClaimMissing
        | R::ClaimMalformed
        | R::Expired
        | R::NotYetValid
        | R::IssuedInFuture
        | R::LifetimeTooLong
        | R::TokenUseMismatch
        | R::BindingMismatch => (401, 16, Challenge::InvalidToken),
        R::NoRule => (403, 7, Challenge::None),
        R::RoleInsufficient
        | R::ScopeInsufficient
        | R::ClientNotAllowed
        | R::ClaimInsufficient
        | R::GroupsOverage => (403, 7, Challenge::InsufficientScope),
        R::PayloadTooLarge | R::RowsExceeded | R::DepthExceeded => (413, 3, Challenge::None),
        R::ContentTypeNotAllowed => (415, 3, Challenge::None),
        R::RateLimited | R::ConcurrencyLimited | R::CostExceedsBurst => (429, 8, Challenge::None),
        R::KeysUnavailable | R::StoreUnavailable => (503, 14, Challenge::None),
    }
}

const fn title(status: u32) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "OK",
    }
}

/// What a reply depends on beside the decision.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    headers: &'a Headers,
    rpc: Rpc,
}

/// Which gRPC a caller speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rpc {
    No,
    /// `application/grpc`, `application/grpc+…` in lower case, as Envoy has it
    /// (`Grpc::Common::hasGrpcContentType`): the host turns our reply into trailers.
    Native,
    /// `application/grpc-web`, `application/grpc-web-text`, each alone or with `+…`, which the host
    /// does not know: the status stands in the headers of a reply without body.
    Web,
}

impl<'a> Recipient<'a> {
    /// Reads a request's headers.
    pub fn of(headers: &'a Headers) -> Self {
        let content_type = headers.value("content-type").unwrap_or_default();
        let is = |rest: &[u8]| matches!(rest, [] | [b'+', ..]);
        let rpc = match content_type.strip_prefix(b"application/grpc") {
            None => Rpc::No,
            Some(rest) if is(rest) => Rpc::Native,
            Some(rest) => match rest.strip_prefix(b"-web") {
                Some(rest) if is(rest.strip_prefix(b"-text").unwrap_or(rest)) => Rpc::Web,
                _ => Rpc::No,
            },
        };
        Self { headers, rpc }
    }
}

/// Composes the reply to a denial. `limits` is what is known of the caller's buckets.
pub fn compose(
    denial: &Denial,
    limits: &[LimitReport],
    policy: &Policy,
    recipient: Recipient<'_>,
) -> Reply {
    let responses = &policy.responses;
    let (status, grpc_status, challenge) = outcome(denial.reason);
    let word = denial.reason.as_str();
    let mut headers = vec![("cache-control", "no-store".to_owned())];
    if challenge != Challenge::None {
        let challenge = authenticate(challenge, denial, responses, recipient.headers);
        headers.push(("www-authenticate", challenge));
    }
    if denial.reason == Reason::MethodNotAllowed {
        headers.push(("allow", ALLOW.to_owned()));
    }
    if let Some(wait) = denial.retry_after {
        headers.push(("retry-after", seconds_up(wait).max(1).to_string()));
    }
    headers.extend(rate_limit_fields(limits, policy));
    headers.extend(cors::fields(responses, recipient.headers));
    let (status, body) = match recipient.rpc {
        Rpc::Native => (status, word.to_owned()),
        Rpc::Web => {
            headers.push(("content-type", "application/grpc-web+proto".to_owned()));
            headers.push(("grpc-status", grpc_status.to_string()));
            headers.push(("grpc-message", word.to_owned()));
            (200, String::new())
        }
        Rpc::No if responses.problem_body => {
            headers.push(("content-type", "application/problem+json".to_owned()));
            (status, problem(status, denial.reason))
        }
        Rpc::No => (status, String::new()),
    };
    Reply { status, grpc_status, headers, body }
}

/// Composes what we answer in the upstream's place.
pub fn answer(answer: OwnAnswer, policy: &Policy, recipient: Recipient<'_>) -> Reply {
    let responses = &policy.responses;
    let mut headers = cors::fields(responses, recipient.headers);
    let document = match answer {
        OwnAnswer::ResourceMetadata(at) => responses.resource_metadata.get(at),
        OwnAnswer::Preflight => None,
    };
    let (status, body) = match document {
        Some(metadata) => {
            headers.push(("content-type", "application/json".to_owned()));
            headers.push(("cache-control", "max-age=300".to_owned()));
            (200, metadata.document.clone())
        }
        None => {
            headers.extend(cors::preflight_fields(recipient.headers));
            (204, String::new())
        }
    };
    Reply { status, grpc_status: -1, headers, body }
}

fn problem(status: u32, reason: Reason) -> String {
    // Every part is a constant of this crate: nothing here needs escaping.
    format!(
        r#"{{"type":"about:blank","title":"{}","status":{status},"reason":"{}"}}"#,
        title(status),
        reason.as_str()
    )
}

/// The challenge (RFC 6750 §3). Every value is a constant or was checked at load to need no escape.
fn authenticate(
    challenge: Challenge,
    denial: &Denial,
    responses: &Responses,
    headers: &Headers,
) -> String {
    let metadata = responses.challenge_metadata(headers);
    let error = challenge.error();
    let attributes = [
        ("realm", responses.realm.as_deref()),
        ("error", error),
        ("error_description", error.map(|_| denial.reason.as_str())),
        ("scope", denial.scope.as_deref()),
        // RFC 9728 §5.1.
        ("resource_metadata", metadata.map(|metadata| metadata.url.as_str())),
    ];
    let given = attributes.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let text: Vec<String> = given.map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    match text.is_empty() {
        true => "Bearer".to_owned(),
        false => format!("Bearer {}", text.join(", ")),
    }
}

/// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), one item for
/// each limit, and `X-RateLimit-*` for the one with the least left.
pub fn rate_limit_fields(reports: &[LimitReport], policy: &Policy) -> Vec<(&'static str, String)> {
    let shown = || reports.iter().filter(|report| !report.limit.dry_run);
    let mut fields = Vec::new();
    // Of two with as little left, the one that takes longer to come back.
    let scarcest = shown().min_by_key(|report| (report.remaining, u64::MAX - report.reset));
    let Some(least) = scarcest else { return fields };
    if policy.responses.ratelimit_ietf {
        let (mut quotas, mut left) = (String::with_capacity(48), String::with_capacity(48));
        for report in shown() {
            let (limit, quota) = (&report.limit, &report.quota);
            item(&mut quotas, limit, [("q", quota.burst()), ("w", quota.window_seconds())]);
            item(&mut left, limit, [("r", report.remaining), ("t", seconds_up(report.reset))]);
        }
        fields.push(("ratelimit-policy", quotas));
        fields.push(("ratelimit", left));
    }
    if policy.responses.ratelimit_x {
        fields.push(("x-ratelimit-limit", least.quota.burst().to_string()));
        fields.push(("x-ratelimit-remaining", least.remaining.to_string()));
        fields.push(("x-ratelimit-reset", seconds_up(least.reset).to_string()));
    }
    fields
}

/// Appends an item of a structured list: `"name";a=1;b=2`. By hand, because every request that
/// passes a limit comes here and the machinery of `format!` costs more than the limit.
fn item(list: &mut String, limit: &Limit, parameters: [(&str, u64); 2]) {
    if !list.is_empty() {
        list.push_str(", ");
    }
    list.push('"');
    list.push_str(&limit.name);
    list.push('"');
    for (name, value) in parameters {
        list.push(';');
        list.push_str(name);
        list.push('=');
        decimal::push(list, value);
    }
}

/// Whole seconds, rounded up: a caller that waits them is never early.
const fn seconds_up(nanos: u64) -> u64 {
    nanos.div_ceil(NANOS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::limit::Ruling;

    fn policy() -> Policy {
        let document = serde_json::json!({
            "providers": [{
                "name": "p",
                "issuers": ["https://issuer.test"],
                "audiences": ["a"],
                "keys": {"inline": {"keys": [{
                    "kty": "OKP", "crv": "Ed25519",
                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", // RFC 8037 appendix A.2
                }]}},
            }],
            "rules": [{"name": "r", "limits": ["per-caller"]}],
            "limits": [{"name": "per-caller", "rate": "10/s", "burst": 20}],
            "responses": {"realm": "ml", "ratelimit_headers": "both"},
        });
        crate::config::tests::compiled(&document)
    }

    fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
        reply.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }

    #[test]
    fn a_missing_token_gets_a_challenge_without_an_error() {
        let reply = compose(
            &Reason::TokenMissing.into(),
            &[],
            &policy(),
            Recipient::of(&Headers::default()),
        );
        assert_eq!(reply.status, 401);
        assert_eq!(header(&reply, "www-authenticate"), Some("Bearer realm=\"ml\""));
        assert_eq!(header(&reply, "retry-after"), None);
    }

    #[test]
    fn every_refusal_has_a_client_or_server_status_and_a_problem_with_its_word() {
        for reason in Reason::ALL {
            let reply = compose(&reason.into(), &[], &policy(), Recipient::of(&Headers::default()));
            let passes = matches!(reason, Reason::Ok | Reason::Anonymous | Reason::Preflight);
            assert_eq!(reply.status < 400, passes, "{reason:?}");
            let body: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
            assert_eq!(body["reason"], reason.as_str());
            assert_eq!(body["status"], reply.status);
            let challenged = header(&reply, "www-authenticate").is_some();
            assert!(challenged || reply.status != 401, "{reason:?}");
        }
    }

    #[test]
    fn a_refused_method_is_answered_with_those_that_are_looked_at() {
        let denial = Reason::MethodNotAllowed.into();
        let reply = compose(&denial, &[], &policy(), Recipient::of(&Headers::default()));
        assert_eq!(reply.status, 405);
        assert!(header(&reply, "allow").is_some_and(|allow| !allow.contains("TRA")));
        let other =
            compose(&Reason::NoRule.into(), &[], &policy(), Recipient::of(&Headers::default()));
        assert_eq!(header(&other, "allow"), None);
    }

    #[test]
    fn an_invalid_token_is_named_in_the_challenge() {
        let reply =
            compose(&Reason::Expired.into(), &[], &policy(), Recipient::of(&Headers::default()));
        assert_eq!(
            header(&reply, "www-authenticate"),
            Some("Bearer realm=\"ml\", error=\"invalid_token\", error_description=\"expired\"")
        );
    }

    #[test]
    fn a_limited_caller_is_told_when_to_come_back_in_whole_seconds_rounded_up() {
        let denial = Denial::for_now(Reason::RateLimited, 1_000_000_001);
        let policy = policy();
        let quota = policy.limits[0].quota;
        let limit = Rc::clone(&policy.limits[0]);
        let watched = Rc::new(Limit { dry_run: true, ..(*limit).clone() });
        let shown = LimitReport { limit, quota, remaining: 0, reset: 1, ruling: Ruling::NotYet };
        let hidden = LimitReport { limit: watched, reset: 7, ..shown.clone() };
        let reply = compose(&denial, &[hidden, shown], &policy, Recipient::of(&Headers::default()));
        assert_eq!(header(&reply, "retry-after"), Some("2"));
        assert_eq!(header(&reply, "ratelimit-policy"), Some("\"per-caller\";q=20;w=2"));
        assert_eq!(header(&reply, "ratelimit"), Some("\"per-caller\";r=0;t=1"));
        assert_eq!(header(&reply, "x-ratelimit-remaining"), Some("0"));
    }

    #[test]
    fn grpc_callers_get_the_bare_word_and_a_grpc_status() {
        let of = |content_type: &str| {
            let headers = Headers::from_pairs(&[("content-type", content_type)]);
            compose(&Reason::RateLimited.into(), &[], &policy(), Recipient::of(&headers))
        };
        for content_type in ["application/grpc", "application/grpc+proto", "application/grpc+"] {
            let reply = of(content_type);
            assert_eq!((reply.grpc_status, reply.body.as_str()), (8, "rate_limited"));
            assert_eq!(header(&reply, "content-type"), None);
        }
        for content_type in ["grpc-web", "grpc-web+proto", "grpc-web-text", "grpc-web-text+proto"] {
            let reply = of(&format!("application/{content_type}"));
            assert_eq!((reply.status, reply.body.as_str()), (200, ""));
            assert_eq!(header(&reply, "grpc-status"), Some("8"));
            assert_eq!(header(&reply, "grpc-message"), Some("rate_limited"));
        }
    }

    /// A caller that no server takes for gRPC must see the status of its refusal.
    #[test]
    fn what_only_begins_like_grpc_is_refused_by_its_status() {
        for content_type in [
            "application/grpcfoo",
            "application/grpc;charset=utf-8",
            "application/grpc ",
            "application/grpc-webfoo",
            "application/grpc-web-textual",
            "application/grpc-web; charset=utf-8",
            "application/grpc-json",
            "Application/gRPC",
            "application/GRPC+proto",
            "text/application/grpc",
        ] {
            let headers = Headers::from_pairs(&[("content-type", content_type)]);
            let denial = Reason::TokenMissing.into();
            let reply = compose(&denial, &[], &policy(), Recipient::of(&headers));
            assert_eq!(reply.status, 401, "{content_type}");
            assert_eq!(header(&reply, "grpc-status"), None, "{content_type}");
            assert!(reply.body.contains("token_missing"), "{content_type}");
        }
    }
}
