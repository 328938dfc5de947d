//! Headers that one part of the document writes or takes tokens from, named in another part of it.

use super::tag;
use crate::config::report::{At, Report};
use crate::config::schema::{RawConfig, RawCost};
use crate::policy::owned::is_reserved;
use crate::policy::secret::LENT_HEADER;
use crate::request::headers::{fold, same_name};
use crate::request::token_source::{Place, TokenRules};
use crate::template::{Part, Template};

/// Headers that hold credentials, whatever the document says.
const SECRET: [&str; 3] = ["cookie", "proxy-authorization", LENT_HEADER];

/// A header name as servers may fold it: what is neither letter nor digit is `-`.
pub(super) fn folded(name: &str) -> String {
    name.bytes().map(|byte| char::from(fold(byte))).collect()
}

/// Notes what names a header that is never there, because the filter removes it from every request and
/// writes it itself, and templates that would show credentials.
pub(super) fn check(raw: &RawConfig, token: &TokenRules, report: &mut Report) {
    let owned: Vec<String> = match &raw.tags {
        Some(tags) => tags.iter().filter_map(|tag| tag.header.clone()).collect(),
        None => tag::DEFAULT.iter().map(|(name, _)| format!("x-auth-{name}")).collect(),
    };
    let is_owned = |name: &str| {
        let name = name.as_bytes();
        is_reserved(name) || owned.iter().any(|owned| same_name(name, owned.as_bytes()))
    };
    const GONE: &str = "names a header that the filter writes: it is removed from every request, so \
                        nothing would be found";
    let from = raw.token.iter().flat_map(|token| token.from.iter().flatten());
    for (index, entry) in from.enumerate() {
        if entry.header.as_deref().is_some_and(is_owned) {
            let at = At::root().field("token").field("from").index(index).field("header");
            report.problem(&at, GONE);
        }
    }
    for (index, rule) in raw.rules.iter().flatten().enumerate() {
        let at = At::root().field("rules").index(index);
        let headers = rule.matcher.iter().flat_map(|m| m.headers.iter().flatten());
        for (name, _) in headers.filter(|(name, _)| is_owned(name)) {
            report.problem(&at.field("match").field("headers").field(name), GONE);
        }
        if let Some(RawCost::From(cost)) = &rule.cost
            && cost.header.as_deref().is_some_and(is_owned)
        {
            report.problem(&at.field("cost").field("header"), GONE);
        }
    }
    let places: Vec<&str> = token.from.iter().filter_map(Place::field).chain(SECRET).collect();
    let is_secret =
        |name: &str| places.iter().any(|place| same_name(name.as_bytes(), place.as_bytes()));
    let keys = raw.limits.iter().flatten().enumerate().map(|(index, limit)| {
        (At::root().field("limits").index(index).field("key"), limit.key.as_deref())
    });
    let values = raw.tags.iter().flatten().enumerate().map(|(index, tag)| {
        (At::root().field("tags").index(index).field("value"), tag.value.as_deref())
    });
    for (at, text) in keys.chain(values) {
        let Some(template) = text.and_then(|text| Template::parse(text).ok()) else { continue };
        for part in template.parts() {
            let Part::Header(name) = part else { continue };
            if is_owned(name) {
                report.problem(&at, GONE);
            } else if is_secret(name) {
                report.problem(
                    &at,
                    format_args!(
                        "{{@header:{name}}} holds credentials; allowed: a header that is not \
                         authorization, cookie, or one that token reads"
                    ),
                );
            }
        }
    }
}
