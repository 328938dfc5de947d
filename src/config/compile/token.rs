//! `token`.

use std::ops::RangeInclusive;

use super::headers::Headers;
use super::read;
use crate::config::report::{At, Report};
use crate::config::schema::{RawFrom, RawToken};
use crate::request::token_source::{Place, TokenRules};
use crate::template::is_token;

/// `max_bytes`: hosts cap all headers of a request together at 60 KiB by default, so a longer token
/// never arrives; a shorter limit than the least fits no signed token.
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
        report.problem(&at, "is an empty list: no token would ever be found");
    }
    let mut places = Vec::new();
    for (index, entry) in from.iter().enumerate() {
        let at = at.index(index);
        places.extend(source(entry, &at, report));
        if from.iter().take(index).any(|earlier| same_place(earlier, entry)) {
            report.problem(&at, "names a place that an earlier entry names already");
        }
    }
    rules.from = places;
    rules
}

/// Notes places that are always empty, because the filter writes the header itself.
pub(super) fn check(raw: Option<&RawToken>, headers: &Headers<'_>, report: &mut Report) {
    let from = raw.and_then(|token| token.from.as_deref()).unwrap_or_default();
    for (index, entry) in from.iter().enumerate() {
        let Some(name) = &entry.header else { continue };
        let at = At::root().field("token").field("from").index(index).field("header");
        headers.is_absent(name, &at, report);
    }
}

/// Compiles one entry of `from`: exactly one place, and a prefix only beside a header.
fn source(raw: &RawFrom, at: &At, report: &mut Report) -> Option<Place> {
    const ALLOWED: &str =
        "exactly one of header, cookie, query, websocket_protocol, websocket_protocol_after";
    let places = [
        &raw.header,
        &raw.cookie,
        &raw.query,
        &raw.websocket_protocol,
        &raw.websocket_protocol_after,
    ];
    match places.into_iter().flatten().count() {
        1 => {}
        0 => report.required(at, ALLOWED),
        _ => report.problem(at, format_args!("has more than one place; allowed: {ALLOWED}")),
    }
    if let Some(header) = &raw.header
        && let Some(name) = read::header_name(header, &at.field("header"), report)
    {
        if matches!(name.as_str(), "host" | "connection" | "content-length" | "cookie") {
            report.problem(&at.field("header"), "is a header that carries no token");
        }
        if name == "authorization" && raw.prefix.is_none() {
            report.warning(
                at,
                "has no prefix: the whole header is the token; most callers send `Bearer ` first",
            );
        }
    }
    if let Some(prefix) = &raw.prefix {
        let at = at.field("prefix");
        read::header_text(prefix, &at, report);
        if raw.header.is_none() {
            report.problem(&at, "stands only beside header");
        }
    }
    let is_query = |name: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !name.is_empty() && name.bytes().all(fits)
    };
    let websocket = &raw.websocket_protocol;
    let after = &raw.websocket_protocol_after;
    let fits: [(_, _, &dyn Fn(&str) -> bool, _); 4] = [
        ("cookie", &raw.cookie, &is_token, "is not a cookie name (RFC 6265 §4.1.1)"),
        ("query", &raw.query, &is_query, "is not a query name; allowed: letters, digits, -._~"),
        (
            "websocket_protocol",
            websocket,
            &is_token,
            "is not the beginning of a subprotocol name (RFC 6455 §4.1)",
        ),
        ("websocket_protocol_after", after, &is_token, "is not a subprotocol name (RFC 6455 §4.1)"),
    ];
    for (member, name, fits, problem) in fits {
        if name.as_deref().is_some_and(|name| !fits(name)) {
            report.problem(&at.field(member), problem);
        }
    }
    let header = raw.header.as_ref().map(|name| Place::Header {
        name: name.to_ascii_lowercase(),
        prefix: raw.prefix.clone().unwrap_or_default(),
    });
    header
        .or_else(|| raw.cookie.clone().map(Place::Cookie))
        .or_else(|| raw.query.clone().map(Place::Query))
        .or_else(|| raw.websocket_protocol.clone().map(Place::WebsocketProtocol))
        .or_else(|| raw.websocket_protocol_after.clone().map(Place::WebsocketProtocolAfter))
}

/// Whether two entries look at the same place; header names compare as servers may fold them.
fn same_place(a: &RawFrom, b: &RawFrom) -> bool {
    let header = |raw: &RawFrom| raw.header.as_deref().map(read::folded);
    (header(a), &a.prefix, &a.cookie, &a.query) == (header(b), &b.prefix, &b.cookie, &b.query)
        && (&a.websocket_protocol, &a.websocket_protocol_after)
            == (&b.websocket_protocol, &b.websocket_protocol_after)
}
