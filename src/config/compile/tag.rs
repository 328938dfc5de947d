//! `tags`, and what follows from the headers that they own.

use std::collections::BTreeSet;

use super::{read, settings};
use crate::config::Environment;
use crate::config::report::{At, Report, quoted};
use crate::config::schema::{RawConfig, RawCost, RawTag};
use crate::policy::Tag;
use crate::template::{Part, Template};

/// The names that the filter writes below `wasm.tollgate.` itself.
const RESERVED: [&str; 6] = ["decision", "reason", "rule", "provider", "limit", "cost"];

/// Headers that hosts, hops or servers act on: a tag in their place changes what a request means.
const FOREIGN: [&str; 29] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "grpc-timeout",
    "host",
    "http2-settings",
    "keep-alive",
    "origin",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
];

/// The tags without a `tags` section: name and template; the header is `x-auth-<name>`.
const DEFAULT: [(&str, &str); 3] =
    [("identity", "{@identity}"), ("subject", "{sub}"), ("issuer", "{iss}")];

/// Compiles all tags.
pub(super) fn tags(
    raw: &RawConfig,
    env: &dyn Environment,
    report: &mut Report,
) -> Option<Vec<Tag>> {
    let at = At::root().field("tags");
    let Some(list) = &raw.tags else {
        return DEFAULT
            .iter()
            .map(|(name, value)| {
                let value = read::template(value, &at, report)?;
                let header = Some(format!("x-auth-{name}"));
                Some(Tag { name: (*name).into(), value, header, filter_state: true, hash: None })
            })
            .collect();
    };
    let mut names = BTreeSet::new();
    let mut headers = BTreeSet::new();
    let hashed = list.iter().any(|raw| raw.hash == Some(true));
    let key = settings::hash_key(raw.privacy.as_ref(), hashed, env, report);
    let keyed = raw.privacy.as_ref().is_some_and(|privacy| privacy.hash_key_env.is_some());
    let compiled: Vec<Option<Tag>> = list
        .iter()
        .enumerate()
        .map(|(index, raw)| {
            let at = at.index(index);
            if raw.hash == Some(true) && !keyed {
                report.problem(&at.field("hash"), "needs a key; name it in privacy.hash_key_env");
            }
            let hash = key.clone().filter(|_| raw.hash == Some(true));
            let compiled = tag(raw, &mut names, &mut headers, &at, report)?;
            Some(Tag { hash, ..compiled })
        })
        .collect();
    warn_of_bared_hashes(list, &at, report);
    compiled.into_iter().collect()
}

fn tag<'a>(
    raw: &'a RawTag,
    names: &mut BTreeSet<&'a str>,
    headers: &mut BTreeSet<String>,
    at: &At,
    report: &mut Report,
) -> Option<Tag> {
    let name = read::name(raw.name.as_ref(), names, at, report);
    if let Some(name) = name.as_deref().filter(|name| RESERVED.contains(name)) {
        report.problem(
            &at.field("name"),
            format_args!("{} is written by the filter itself; choose another", quoted(name)),
        );
    }
    let value = match &raw.value {
        Some(text) => read::template(text, &at.field("value"), report),
        None => {
            report.required(&at.field("value"), "a template such as {sub}");
            None
        }
    };
    let header = raw.header.as_ref().map(|text| header(text, headers, &at.field("header"), report));
    let filter_state = raw.filter_state.unwrap_or(true);
    if header.is_none() && !filter_state {
        report.problem(at, "has no header and filter_state: false: it would be written nowhere");
    }
    let header = match header {
        Some(None) => return None,
        Some(header) => header,
        None => None,
    };
    Some(Tag { name: name?, value: value?, header, filter_state, hash: None })
}

/// A value that one tag hashes and another shows is hashed for nothing.
fn warn_of_bared_hashes(list: &[RawTag], at: &At, report: &mut Report) {
    let mut hashed = BTreeSet::new();
    hashed.extend(
        list.iter().filter(|raw| raw.hash == Some(true)).filter_map(|raw| raw.value.as_deref()),
    );
    for (index, raw) in list.iter().enumerate() {
        if raw.hash != Some(true) && raw.value.as_deref().is_some_and(|v| hashed.contains(v)) {
            let at = at.index(index).field("value");
            report.warning(&at, "shows what another tag hashes; set hash: true here too");
        }
    }
}

fn header(
    text: &str,
    taken: &mut BTreeSet<String>,
    at: &At,
    report: &mut Report,
) -> Option<String> {
    let name = read::header_name(text, at, report)?;
    let alias = folded(&name);
    if FOREIGN.contains(&alias.as_str()) || alias.starts_with("x-envoy-") {
        report.problem(
            at,
            format_args!("{} has a meaning of its own; allowed: a header of yours", quoted(text)),
        );
        return None;
    }
    if !taken.insert(alias) {
        report.problem(
            at,
            format_args!("{} is the header of another tag (- _ . are one)", quoted(text)),
        );
        return None;
    }
    Some(name)
}

/// A header name as a careless backend folds it: `_` and `.` become `-`.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

/// Headers of tags are removed from every request before anything reads them. What asks for one
/// elsewhere in the document is a mistake: a token there is an error, anything else a warning.
pub(super) fn warn_of_stripped_headers(raw: &RawConfig, report: &mut Report) {
    let mut owned = BTreeSet::new();
    match &raw.tags {
        Some(tags) => owned.extend(tags.iter().filter_map(|tag| tag.header.as_deref()).map(folded)),
        None => owned.extend(DEFAULT.iter().map(|(name, _)| format!("x-auth-{name}"))),
    }
    let stripped = |name: &str| {
        let name = folded(name);
        owned.contains(&name) || name.starts_with("x-tollgate-")
    };
    let from = raw.token.iter().flat_map(|token| token.from.iter().flatten());
    for (index, entry) in from.enumerate() {
        if entry.header.as_deref().is_some_and(stripped) {
            let at = At::root().field("token").field("from").index(index).field("header");
            report.problem(&at, "is a header of a tag, which is removed from every request");
        }
    }
    const GONE: &str =
        "names a header of a tag: it is removed from every request, so nothing is found";
    for (index, rule) in raw.rules.iter().flatten().enumerate() {
        let at = At::root().field("rules").index(index);
        let headers = rule.matcher.iter().flat_map(|m| m.headers.iter().flatten());
        for (name, _) in headers.filter(|(name, _)| stripped(name)) {
            report.warning(&at.field("match").field("headers").field(name), GONE);
        }
        if let Some(RawCost::From(cost)) = &rule.cost
            && cost.header.as_deref().is_some_and(stripped)
        {
            report.warning(&at.field("cost").field("header"), GONE);
        }
    }
    let keys = raw.limits.iter().flatten().enumerate().map(|(index, limit)| {
        (At::root().field("limits").index(index).field("key"), limit.key.as_deref())
    });
    let values = raw.tags.iter().flatten().enumerate().map(|(index, tag)| {
        (At::root().field("tags").index(index).field("value"), tag.value.as_deref())
    });
    for (at, text) in keys.chain(values) {
        let template = text.and_then(|text| Template::parse(text).ok());
        let asks = |part: &Part| matches!(part, Part::Header(name) if stripped(name));
        if template.is_some_and(|template| template.parts().iter().any(asks)) {
            report.warning(&at, GONE);
        }
    }
}
