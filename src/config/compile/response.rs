//! `responses`.

use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::compile::read;
use crate::config::report::{At, Report, quoted};
use crate::config::schema::{RawCors, RawRatelimitHeaders, RawResponses};
use crate::policy::cors::{Cors, OriginPattern, Origins};
use crate::policy::responses::{BodyForm, Responses};
use crate::uri::HttpUri;

/// `retry_after_max`, and its default.
const RETRY_AFTER: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(24 * 3_600);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// Compiles `responses`; `json` and the IETF fields by default.
pub(super) fn responses(raw: Option<&RawResponses>, report: &mut Report) -> Responses {
    let at = At::root().field("responses");
    let mut responses = Responses {
        realm: None,
        body: BodyForm::Json,
        retry_after_max: RETRY_AFTER_MAX,
        ratelimit_ietf: true,
        ratelimit_x: false,
        resource_metadata: Vec::new(),
        metadata_limit: None,
        cors: None,
    };
    let Some(raw) = raw else { return responses };
    if let Some(realm) = &raw.realm {
        let at = at.field("realm");
        read::header_text(realm, &at, report);
        // Without them, the quoted string of RFC 9110 §11.5 needs no escapes.
        if realm.contains(['"', '\\']) || realm.is_empty() {
            report.problem(&at, "is empty or contains a quote or a backslash");
        }
        responses.realm = Some(realm.clone());
    }
    responses.body = raw.body.unwrap_or(responses.body);
    responses.retry_after_max = read::duration(
        raw.retry_after_max.as_ref(),
        RETRY_AFTER_MAX,
        RETRY_AFTER,
        &at.field("retry_after_max"),
        report,
    );
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

/// Compiles `cors`: origins as browsers send them, or `*`, which the Fetch standard forbids together
/// with credentials.
pub(super) fn cors(raw: &RawCors, at: &At, report: &mut Report) -> Option<Cors> {
    let at = at.field("allow_origins");
    let Some(list) = &raw.allow_origins else {
        report.required(&at, "a list of origins such as https://app.example.com");
        return None;
    };
    if list.is_empty() {
        read::texts(list, &at, report);
    }
    let mut patterns = Vec::new();
    let mut any = false;
    for (index, text) in list.iter().enumerate() {
        let at = at.index(index);
        match (text.as_str(), pattern(text)) {
            ("*", _) if raw.allow_credentials == Some(true) => {
                report.problem(
                    &at,
                    "* is not allowed with allow_credentials: true; list the origins",
                );
            }
            ("*", _) => any = true,
            (_, Some(pattern)) => patterns.push(pattern),
            (_, None) => report.problem(
                &at,
                format_args!(
                    "{} is not an origin; allowed: scheme://host[:port], or scheme://*.host[:port] \
                     for all subdomains",
                    quoted(text)
                ),
            ),
        }
    }
    let origins = if any { Origins::Any } else { Origins::Only(patterns) };
    Some(Cors { origins, credentials: raw.allow_credentials.unwrap_or(false) })
}

/// Parses an entry into the form that browsers send (Fetch standard §3.1); `None` if it is not an
/// origin.
fn pattern(text: &str) -> Option<OriginPattern> {
    let (below, text) = match text.split_once("://*.") {
        Some((scheme, host)) => (true, format!("{scheme}://{host}")),
        None => (false, text.to_owned()),
    };
    // An origin ends with the authority (RFC 6454 §7).
    let uri = HttpUri::parse(&text)?;
    if text.splitn(4, '/').count() != 3 || text.contains('?') {
        return None;
    }
    let default = if uri.scheme == "https" { ":443" } else { ":80" };
    let authority = uri.authority.strip_suffix(default).unwrap_or(&uri.authority);
    let scheme = format!("{}://", uri.scheme);
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        // An address has no subdomains.
        Some(_) if below => None,
        Some((address, port)) => {
            let address = browsers_form(address.parse().ok()?);
            Some(OriginPattern::Exact(format!("{scheme}[{address}]{port}")))
        }
        None if below => {
            let suffix = format!(".{authority}");
            Some(OriginPattern::Subdomains { scheme, suffix })
        }
        None => Some(OriginPattern::Exact(scheme + authority)),
    }
}

/// An address as in the URL standard (§3.5): like RFC 5952, but never with the last 32 bits in decimal.
fn browsers_form(address: Ipv6Addr) -> String {
    match address.to_ipv4_mapped() {
        None => address.to_string(),
        Some(_) => {
            let [.., high, low] = address.segments();
            format!("::ffff:{high:x}:{low:x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_nothing_after_its_authority_and_the_form_that_browsers_send() {
        let exact = |text: &str| Some(OriginPattern::Exact(text.to_owned()));
        let below = |scheme: &str, suffix: &str| {
            Some(OriginPattern::Subdomains { scheme: scheme.into(), suffix: suffix.into() })
        };
        for (text, want) in [
            ("https://app.example.com", exact("https://app.example.com")),
            ("http://localhost:3000", exact("http://localhost:3000")),
            ("HTTPS://App.example.com:443", exact("https://app.example.com")),
            ("http://a:80", exact("http://a")),
            ("http://a:443", exact("http://a:443")),
            ("https://[::1]:8443", exact("https://[::1]:8443")),
            ("https://[0:0::1]", exact("https://[::1]")),
            ("https://[::ffff:192.0.2.1]", exact("https://[::ffff:c000:201]")),
            ("https://*.example.com", below("https://", ".example.com")),
            ("http://*.example.com:8080", below("http://", ".example.com:8080")),
            ("https://*.example.com:443", below("https://", ".example.com")),
            ("https://a/", None),
            ("https://a/b", None),
            ("https://a?b", None),
            ("https://*", None),
            ("https://*.", None),
            ("https://*.*.a", None),
            ("https://a.*.b", None),
            ("https://*.[::1]", None),
            ("https://[::g]", None),
            ("*.example.com", None),
            ("null", None),
            ("a.example", None),
        ] {
            assert_eq!(pattern(text), want, "{text}");
        }
    }
}
