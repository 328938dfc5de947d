//! `token`.

use std::ops::RangeInclusive;

use super::headers::Headers;
use super::read;
use crate::config::report::{At, Report};
use crate::config::schema::{RawFrom, RawToken};
use crate::request::token_source::{Place, TokenRules};
use crate::template::is_token;

/// `max_bytes`: hosts limit all headers of a request together to 60 KiB by default, so that a longer
/// token never arrives; no signed token is shorter than the minimum.
const MAX_BYTES: RangeInclusive<usize> = 256..=64 << 10;

/// Compiles `token`; the authorization header with `Bearer ` by default.
pub(super) fn token(raw: Option<&RawToken>, report: &mut Report) -> TokenRules {
    let at = At::root().field("token");
    let max_bytes = read::size(
        raw.and_then(|token| token.max_bytes.as_ref()),
        16 << 10,
        MAX_BYTES,
        &at.field("max_bytes"),
        report,
    );
    let forward = raw.and_then(|token| token.forward).unwrap_or(true);
    let authorization = Place::Header { name: "authorization".into(), prefix: "Bearer ".into() };
    let mut rules = TokenRules { from: vec![authorization], forward, max_bytes };
    let Some(from) = raw.and_then(|token| token.from.as_deref()) else { return rules };
    let at = at.field("from");
    if from.is_empty() {
        report.problem(
            &at,
            "is an empty list, in which no token is found; name a place, or leave it out",
        );
    }
    let mut places = Vec::new();
    for (index, entry) in from.iter().enumerate() {
        let at = at.index(index);
        places.extend(place(entry, &at, report));
        if from.iter().take(index).any(|earlier| same_place(earlier, entry)) {
            report.problem(&at, "names the same place as an earlier entry; remove one of them");
        }
    }
    rules.from = places;
    rules
}

/// Notes places that are always empty because the filter writes the header itself.
pub(super) fn check(raw: Option<&RawToken>, headers: &Headers<'_>, report: &mut Report) {
    let from = raw.and_then(|token| token.from.as_deref()).unwrap_or_default();
    for (index, entry) in from.iter().enumerate() {
        let Some(name) = &entry.header else { continue };
        let at = At::root().field("token").field("from").index(index).field("header");
        headers.is_absent(name, &at, report);
    }
}

/// Compiles one entry of `from`: exactly one place, and a prefix only beside a header.
fn place(raw: &RawFrom, at: &At, report: &mut Report) -> Option<Place> {
    const ALLOWED: &str =
        "exactly one of header, cookie, query, websocket_protocol, websocket_protocol_after";
    let RawFrom { header, prefix, cookie, query, websocket_protocol, websocket_protocol_after } =
        raw;
    let places = [header, cookie, query, websocket_protocol, websocket_protocol_after];
    match places.into_iter().flatten().count() {
        1 => {}
        0 => report.required(at, ALLOWED),
        _ => report.problem(at, format_args!("has more than one place; allowed: {ALLOWED}")),
    }
    check_header(raw, at, report);
    let mut check = |member: &str, name: &Option<String>, fits: fn(&str) -> bool, problem: &str| {
        if name.as_deref().is_some_and(|name| !fits(name)) {
            report.problem(&at.field(member), problem);
        }
    };
    check("cookie", cookie, is_token, "is not a cookie name (RFC 6265 §4.1.1)");
    check("query", query, is_query, "is not a query name; allowed: letters, digits, -._~");
    let beginning = "is not the beginning of a subprotocol name (RFC 6455 §4.1)";
    check("websocket_protocol", websocket_protocol, is_token, beginning);
    let name = "is not a subprotocol name (RFC 6455 §4.1)";
    check("websocket_protocol_after", websocket_protocol_after, is_token, name);
    let header = header.as_ref().map(|name| Place::Header {
        name: name.to_ascii_lowercase(),
        prefix: prefix.clone().unwrap_or_default(),
    });
    header
        .or_else(|| cookie.clone().map(Place::Cookie))
        .or_else(|| query.clone().map(Place::Query))
        .or_else(|| websocket_protocol.clone().map(Place::WebsocketProtocol))
        .or_else(|| websocket_protocol_after.clone().map(Place::WebsocketProtocolAfter))
}

fn check_header(raw: &RawFrom, at: &At, report: &mut Report) {
    if let Some(header) = &raw.header
        && let Some(name) = read::header_name(header, &at.field("header"), report)
    {
        if matches!(name.as_str(), "host" | "connection" | "content-length" | "cookie") {
            report.problem(&at.field("header"), "is not a header for tokens");
        }
        if name == "authorization" && raw.prefix.is_none() {
            report.warning(
                at,
                "has no prefix: the whole header is the token; most callers need prefix: \"Bearer \"",
            );
        }
    }
    if let Some(prefix) = &raw.prefix {
        let at = at.field("prefix");
        read::header_text(prefix, &at, report);
        if raw.header.is_none() {
            report.problem(&at, "is only allowed with header; remove it");
        }
    }
}

fn is_query(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

/// Whether two entries name the same place. Header names are compared as some servers fold them.
fn same_place(a: &RawFrom, b: &RawFrom) -> bool {
    let header = |raw: &RawFrom| raw.header.as_deref().map(read::folded);
    (header(a), &a.prefix, &a.cookie, &a.query) == (header(b), &b.prefix, &b.cookie, &b.query)
        && (&a.websocket_protocol, &a.websocket_protocol_after)
            == (&b.websocket_protocol, &b.websocket_protocol_after)
}
