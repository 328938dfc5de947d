//! `tags`.

use std::collections::BTreeSet;

use super::headers::Headers;
use super::{read, settings};
use crate::caller::tags::Tag;
use crate::config::Environment;
use crate::config::report::{At, Report, quoted};
use crate::config::schema::{RawPrivacy, RawTag};

/// The names that the filter itself writes to `wasm.tollgate.*`.
pub const RESERVED_TAGS: [&str; 10] = [
    "decision",
    "reason",
    "rule",
    "provider",
    "limit",
    "cost",
    "remaining",
    "reserved",
    "usage",
    "detail",
];

/// Headers that hosts, proxies or servers interpret: a tag in one of them would change the request.
const FOREIGN: &str = "\
    accept-encoding authorization connection content-encoding content-length content-type \
    cookie date expect forwarded grpc-timeout host http2-settings keep-alive origin \
    proxy-authorization proxy-connection range set-cookie te trailer transfer-encoding \
    upgrade via x-forwarded-client-cert x-forwarded-for x-forwarded-host x-forwarded-proto \
    x-request-id";

/// The tags of a document without `tags`.
pub(super) fn defaults() -> [RawTag; 3] {
    [("identity", "{@identity}"), ("subject", "{sub}"), ("issuer", "{iss}")].map(|(name, value)| {
        RawTag {
            name: Some(name.into()),
            value: Some(value.into()),
            header: Some(format!("x-auth-{name}")),
            ..RawTag::default()
        }
    })
}

/// Compiles all tags.
pub(super) fn tags(
    list: &[RawTag],
    privacy: Option<&RawPrivacy>,
    headers: &Headers<'_>,
    env: &dyn Environment,
    report: &mut Report,
) -> Option<Vec<Tag>> {
    let at = At::root().field("tags");
    let mut names = BTreeSet::new();
    let mut taken = BTreeSet::new();
    let hashed = list.iter().any(|raw| raw.hash == Some(true));
    let key = settings::hash_key(privacy, hashed, env, report);
    let keyed = privacy.is_some_and(|privacy| privacy.hash_key_env.is_some());
    read::all(list, &at, report, |raw, at, report| {
        if raw.hash == Some(true) && !keyed {
            report.problem(&at.field("hash"), "needs a key; write privacy: {hash_key_env: NAME}");
        }
        let hash = key.clone().filter(|_| raw.hash == Some(true));
        let compiled = tag(raw, headers, &mut names, &mut taken, at, report)?;
        Some(Tag { hash, ..compiled })
    })
}

fn tag<'a>(
    raw: &'a RawTag,
    headers: &Headers<'_>,
    names: &mut BTreeSet<&'a str>,
    taken: &mut BTreeSet<String>,
    at: &At,
    report: &mut Report,
) -> Option<Tag> {
    let name = read::name(raw.name.as_ref(), names, at, report);
    if let Some(name) = name.as_deref().filter(|name| RESERVED_TAGS.contains(name)) {
        report.problem(
            &at.field("name"),
            format_args!("{} is written by the filter itself; choose another", quoted(name)),
        );
    }
    let value = match &raw.value {
        Some(text) => headers.template(text, &at.field("value"), report),
        None => {
            report.required(&at.field("value"), "a template such as {sub}");
            None
        }
    };
    let header = raw.header.as_ref().map(|text| header(text, taken, &at.field("header"), report));
    let filter_state = raw.filter_state.unwrap_or(true);
    if header.is_none() && !filter_state {
        report.problem(
            at,
            "has no header and filter_state: false: it would be written nowhere; add a header",
        );
    }
    let header = match header {
        Some(None) => return None,
        Some(header) => header,
        None => None,
    };
    Some(Tag { name: name?, value: value?, header, filter_state, hash: None })
}

/// Whether hosts, proxies or servers interpret a header, by its folded name.
pub(super) fn is_foreign(alias: &str) -> bool {
    FOREIGN.split(' ').any(|foreign| foreign == alias) || alias.starts_with("x-envoy-")
}

fn header(
    text: &str,
    taken: &mut BTreeSet<String>,
    at: &At,
    report: &mut Report,
) -> Option<String> {
    let name = read::header_name(text, at, report)?;
    let alias = read::folded(&name);
    if is_foreign(&alias) {
        report.problem(
            at,
            format_args!(
                "{} has a standard meaning; write a header of your own, such as x-auth-subject",
                quoted(text)
            ),
        );
        return None;
    }
    if !taken.insert(alias) {
        report.problem(
            at,
            format_args!("{} is the header of another tag (some servers treat all characters but letters and digits alike); write another", quoted(text)),
        );
        return None;
    }
    Some(name)
}
