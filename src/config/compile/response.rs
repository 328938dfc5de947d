//! `responses`.

use std::collections::BTreeSet;

use serde_json::json;

use super::{read, uri};
use crate::config::report::{At, Report, quoted};
use crate::config::schema::{RawBody, RawCors, RawRatelimitHeaders, RawResponses};
use crate::path;
use crate::policy::{Cors, Origins, ResourceMetadata, Responses, TokenRules};
use crate::provider::{Issuer, Provider, Tenants};
use crate::rule::Rule;
use crate::token_source::Place;

/// Compiles `responses`; problem documents and the IETF fields by default.
pub(super) fn responses(raw: Option<&RawResponses>, report: &mut Report) -> Responses {
    let at = At::root().field("responses");
    let mut responses = Responses {
        realm: None,
        problem_body: true,
        ratelimit_ietf: true,
        ratelimit_x: false,
        resource_metadata: None,
        cors: None,
    };
    let Some(raw) = raw else { return responses };
    if let Some(realm) = &raw.realm {
        let at = at.field("realm");
        read::header_text(realm, &at, report);
        // Without them the quoted string of RFC 9110 §11.5 needs no escapes.
        if realm.contains(['"', '\\']) || realm.is_empty() {
            report.problem(&at, "is empty or holds a quote or a backslash");
        }
        responses.realm = Some(realm.clone());
    }
    responses.problem_body = raw.body != Some(RawBody::Empty);
    (responses.ratelimit_ietf, responses.ratelimit_x) = match raw.ratelimit_headers {
        None | Some(RawRatelimitHeaders::Ietf) => (true, false),
        Some(RawRatelimitHeaders::X) => (false, true),
        Some(RawRatelimitHeaders::Both) => (true, true),
        Some(RawRatelimitHeaders::Off) => (false, false),
    };
    if let Some(raw) = &raw.cors {
        responses.cors = cors(raw, &at.field("cors"), report);
    }
    responses
}

/// What RFC 9728 §3.1 puts between the host and the path of a resource to name its metadata.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// Compiles `resource_metadata`: its URL as given, and the document that is served there.
pub(super) fn resource_metadata(
    raw: Option<&RawResponses>,
    providers: &[Provider],
    rules: &[Rule],
    token: &TokenRules,
    report: &mut Report,
) -> Option<ResourceMetadata> {
    let text = raw?.resource_metadata.as_ref()?;
    let at = At::root().field("responses").field("resource_metadata");
    let uri = uri::http(text, &at, report)?;
    let below = uri.path.strip_prefix(WELL_KNOWN).filter(|p| p.is_empty() || p.starts_with('/'));
    if uri.path.contains('?') || path::ambiguous(uri.path.as_bytes()) {
        report.problem(&at, "has a query, or a path with more than one reading");
    } else if below.is_none() {
        report.warning(
            &at,
            format_args!("its path does not begin with {WELL_KNOWN}, where clients look"),
        );
    }
    let resource = format!("{}://{}{}", uri.scheme, uri.authority, below.unwrap_or_default());
    let mut document = json!({
        "resource": resource,
        "authorization_servers": providers.iter().flat_map(issuers).collect::<Vec<_>>(),
    });
    // Collecting a set would link a second sort.
    let (mut scopes, mut methods) = (BTreeSet::new(), BTreeSet::new());
    for grant in rules.iter().flat_map(|rule| rule.allow.iter().flatten()) {
        let named = grant.scopes.all.iter().chain(&grant.scopes.any).flatten();
        scopes.extend(named.map(String::as_str));
    }
    methods.extend(token.from.iter().filter_map(bearer_method));
    for (name, list) in [("scopes_supported", scopes), ("bearer_methods_supported", methods)] {
        if let (false, Some(members)) = (list.is_empty(), document.as_object_mut()) {
            members.insert(name.to_owned(), json!(list));
        }
    }
    Some(ResourceMetadata { url: text.clone(), path: uri.path, document: document.to_string() })
}

/// The issuers that a provider names; one for each tenant where they are listed.
fn issuers(provider: &Provider) -> Vec<String> {
    let of = |issuer: &Issuer| match (issuer, &provider.tenants) {
        (Issuer::Exact(issuer), _) => vec![issuer.clone()],
        (Issuer::Tenanted { prefix, suffix }, Tenants::Only(tenants)) => {
            tenants.iter().map(|tenant| format!("{prefix}{tenant}{suffix}")).collect()
        }
        (Issuer::Tenanted { .. }, _) => Vec::new(),
    };
    provider.issuers.iter().flat_map(of).collect()
}

/// The methods of RFC 6750 §2 alone have names (RFC 9728 §2).
fn bearer_method(place: &Place) -> Option<&'static str> {
    match place {
        Place::Header { name, prefix } => {
            (name == "authorization" && prefix.eq_ignore_ascii_case("Bearer ")).then_some("header")
        }
        Place::Query(name) => (name == "access_token").then_some("query"),
        Place::Cookie(_) | Place::WebsocketProtocol(_) => None,
    }
}

/// Compiles `cors`: origins as browsers send them, or `*`, which the Fetch standard forbids beside
/// credentials.
fn cors(raw: &RawCors, at: &At, report: &mut Report) -> Option<Cors> {
    let origins = at.field("allow_origins");
    let Some(list) = &raw.allow_origins else {
        report.required(&origins, "a list of origins such as https://app.example.com");
        return None;
    };
    if list.is_empty() {
        read::texts(list, &origins, report);
    }
    for (index, text) in list.iter().enumerate() {
        let at = origins.index(index);
        if text == "*" && raw.allow_credentials == Some(true) {
            report.problem(&at, "* stands not beside allow_credentials: true; name the origins");
        } else if text != "*" && !uri::is_origin(text) {
            report.problem(
                &at,
                format_args!("{} is not an origin; allowed: scheme://host[:port]", quoted(text)),
            );
        }
    }
    let origins = match list.iter().any(|text| text == "*") {
        true => Origins::Any,
        false => Origins::Only(list.clone()),
    };
    Some(Cors { origins, credentials: raw.allow_credentials.unwrap_or(false) })
}
