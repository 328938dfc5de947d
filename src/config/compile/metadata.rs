//! `responses.resource_metadata`.

use std::collections::BTreeSet;

use serde_json::json;

use super::{grant, matching, read};
use crate::config::report::{At, Report, quoted};
use crate::config::schema::{RawMatch, RawMetadata, RawResource, RawResponses};
use crate::policy::responses::ResourceMetadata;
use crate::policy::rule::Rule;
use crate::request::matcher::Matcher;
use crate::request::path;
use crate::request::token_source::{Place, TokenRules};
use crate::uri::HttpUri;
use crate::verify::provider::{Issuer, Provider, Tenants};

/// The path prefix of the metadata of a resource (RFC 9728 §3.1).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The other sections that the documents depend on.
pub(super) struct Sources<'a> {
    /// The compiled providers.
    pub(super) providers: &'a [Provider],
    /// The compiled rules; their scopes are listed.
    pub(super) rules: &'a [Rule],
    /// The places of tokens.
    pub(super) token: &'a TokenRules,
    /// Whether ambiguous paths are refused.
    pub(super) strict_paths: bool,
}

/// Compiles `resource_metadata`: the URLs and the documents that are served there.
pub(super) fn resource_metadata(
    raw: Option<&RawResponses>,
    sources: &Sources<'_>,
    report: &mut Report,
) -> Vec<ResourceMetadata> {
    let Some(raw) = raw.and_then(|raw| raw.resource_metadata.as_ref()) else { return Vec::new() };
    let at = At::root().field("responses").field("resource_metadata");
    match raw {
        RawMetadata::Url(url) => {
            let entry = RawResource { url: Some(url.clone()), ..RawResource::default() };
            resource(&entry, &at, &at, sources, report).into_iter().collect()
        }
        RawMetadata::List(list) => {
            if list.is_empty() {
                report.problem(&at, "is an empty list; leave it out to name no metadata");
            }
            let compiled = read::all(list, &at, report, |entry, at, report| {
                resource(entry, at, &at.field("url"), sources, report)
            });
            let compiled = compiled.unwrap_or_default();
            for (index, metadata) in compiled.iter().enumerate() {
                let mut earlier = compiled.iter().take(index);
                if earlier.any(|earlier| earlier.uri == metadata.uri) {
                    let url = quoted(&metadata.url);
                    let at = at.index(index).field("url");
                    report.problem(&at, format_args!("{url} is given twice"));
                }
            }
            compiled
        }
    }
}

fn resource(
    raw: &RawResource,
    at: &At,
    at_url: &At,
    sources: &Sources<'_>,
    report: &mut Report,
) -> Option<ResourceMetadata> {
    let requests = requests(raw, at, sources.strict_paths, report);
    let scopes = scopes(raw, &at.field("scopes"), sources.rules, report);
    let servers = authorization_servers(raw, &at.field("providers"), sources.providers, report);
    let Some(text) = &raw.url else {
        report.required(at_url, "the URL of the metadata document");
        return None;
    };
    let uri = read::uri(text, at_url, report)?;
    let below = uri.path.strip_prefix(WELL_KNOWN).filter(|p| p.is_empty() || p.starts_with('/'));
    if uri.path.contains('?') || path::ambiguous(uri.path.as_bytes()) {
        report.problem(at_url, "has a query or an ambiguous path");
    } else if below.is_none() {
        report.warning(
            at_url,
            format_args!("its path does not begin with {WELL_KNOWN}, where clients look"),
        );
    }
    let derived = format!("{}://{}{}", uri.scheme, uri.authority, below.unwrap_or_default());
    let resource = match &raw.resource {
        None => derived,
        Some(given) => {
            identifier(given, below.map(|_| derived.as_str()), &at.field("resource"), report);
            given.clone()
        }
    };
    if servers.is_empty() && !sources.providers.is_empty() {
        let why = "names no authorization server, because the providers accept any tenant: clients cannot log in by it; list `tenants`, or choose other `providers`";
        report.warning(at, why);
    }
    let mut document = json!({"resource": resource});
    let mut methods = BTreeSet::new();
    methods.extend(sources.token.from.iter().filter_map(bearer_method));
    let lists = [
        // RFC 9728 §3.2: a member without values is left out.
        ("authorization_servers", json!(servers)),
        ("scopes_supported", json!(scopes)),
        ("bearer_methods_supported", json!(methods)),
    ];
    for (name, list) in lists {
        let given = list.as_array().is_some_and(|list| !list.is_empty());
        if let (true, Some(members)) = (given, document.as_object_mut()) {
            members.insert(name.to_owned(), list);
        }
    }
    Some(ResourceMetadata { url: text.clone(), uri, requests, document: document.to_string() })
}

/// The requests whose challenges name the document; absent members match all.
fn requests(raw: &RawResource, at: &At, strict_paths: bool, report: &mut Report) -> Matcher {
    let raw =
        RawMatch { hosts: raw.hosts.clone(), paths: raw.paths.clone(), ..RawMatch::default() };
    matching::matcher(Some(&raw), strict_paths, at, report)
}

/// A client rejects a document about another resource than the requested one (RFC 9728 §3.3).
fn identifier(given: &str, derived: Option<&str>, at: &At, report: &mut Report) {
    if HttpUri::parse(given).is_none() {
        let allowed = "allowed: http:// or https://, a host, a path, without fragment";
        report.problem(at, format_args!("{} is not a resource; {allowed}", quoted(given)));
    } else if let Some(derived) = derived.filter(|derived| *derived != given) {
        let derived = quoted(derived);
        let why = format_args!(
            "is not the resource of its URL, which is {derived}: clients that derive the URL from the resource do not find the document, and clients that compare the two (RFC 9728 §3.3) reject it",
        );
        report.warning(at, why);
    }
}

/// The listed scopes: the given ones, else those that the rules require.
fn scopes<'a>(
    raw: &'a RawResource,
    at: &At,
    rules: &'a [Rule],
    report: &mut Report,
) -> BTreeSet<&'a str> {
    // Collecting into the set would link another sort.
    let mut scopes = BTreeSet::new();
    if let Some(list) = &raw.scopes {
        read::texts(list, at, report);
        grant::scopes(list, at, report);
        scopes.extend(list.iter().map(String::as_str));
        return scopes;
    }
    for grant in rules.iter().flat_map(|rule| rule.allow.iter().flatten()) {
        let (all, any) = (grant.scopes.all.iter().flatten(), grant.scopes.any.as_deref());
        let named = all.chain(any.unwrap_or_default());
        scopes.extend(named.map(String::as_str));
    }
    scopes
}

/// The issuers of the named providers, else of all, each once.
fn authorization_servers(
    raw: &RawResource,
    at: &At,
    providers: &[Provider],
    report: &mut Report,
) -> Vec<String> {
    let known: Vec<Option<&str>> = providers.iter().map(|p| Some(p.name.as_str())).collect();
    let mut chosen = Vec::new();
    match &raw.providers {
        None => chosen.extend(providers),
        // If a provider has problems of its own, the compiled list is empty.
        Some(_) if known.is_empty() => {}
        Some(list) => {
            read::texts(list, at, report);
            for (index, name) in list.iter().enumerate() {
                let found = read::position(name, &known, "provider", &at.index(index), report);
                chosen.extend(found.and_then(|position| providers.get(position)));
            }
        }
    }
    let mut servers = Vec::new();
    for issuer in chosen.into_iter().flat_map(issuers) {
        if !servers.contains(&issuer) {
            servers.push(issuer);
        }
    }
    servers
}

/// The issuers of a provider; one for each tenant if the tenants are listed.
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

/// The name of a place; only those of RFC 6750 §2 have one (RFC 9728 §2).
fn bearer_method(place: &Place) -> Option<&'static str> {
    match place {
        Place::Header { name, prefix } => {
            (name == "authorization" && prefix.eq_ignore_ascii_case("Bearer ")).then_some("header")
        }
        Place::Query(name) => (name == "access_token").then_some("query"),
        Place::Cookie(_) | Place::WebsocketProtocol(_) | Place::WebsocketProtocolAfter(_) => None,
    }
}
