//! CORS on replies of our own (Fetch standard §3.2). What the upstream answers is the upstream's.

use crate::policy::responses::{Cors, OriginPattern, Origins, Responses};
use crate::request::headers::Headers;
use crate::template::is_token;

/// How long a browser may remember the answer to a preflight, seconds: Chromium remembers none
/// longer than two hours, and a changed configuration should not take that long to show.
const PREFLIGHT_MAX_AGE: &str = "600";

/// The longest list of header names that a preflight gets back, bytes.
const MAX_REQUESTED_HEADERS: usize = 1024;

/// The fields of our replies that a page has use for and a browser would hide.
const EXPOSED: &str = "www-authenticate, retry-after, ratelimit, ratelimit-policy, \
                       x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset";

/// A list of tokens (RFC 9110 §5.6.1) as it stands; `None` where it is anything else.
fn list_of_tokens(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let fits = text.len() <= MAX_REQUESTED_HEADERS
        && text.split(',').all(|name| is_token(name.trim_matches([' ', '\t'])));
    fits.then(|| text.to_owned())
}

/// The fields of the answer to a preflight, beside those of every reply.
pub(super) fn preflight_fields(headers: &Headers) -> Vec<(&'static str, String)> {
    let asked = |name: &str| headers.value(name).and_then(list_of_tokens);
    let mut fields = vec![("access-control-max-age", PREFLIGHT_MAX_AGE.to_owned())];
    if let Some(method) = asked("access-control-request-method") {
        fields.push(("access-control-allow-methods", method));
    }
    // What a page may send is the upstream's affair: it gets what it asks for.
    if let Some(names) = asked("access-control-request-headers") {
        fields.push(("access-control-allow-headers", names));
    }
    fields
}

/// The fields that let a page of an allowed origin read the reply (Fetch standard §3.2).
pub(super) fn fields(responses: &Responses, headers: &Headers) -> Vec<(&'static str, String)> {
    let Some(cors) = &responses.cors else { return Vec::new() };
    let mut fields = Vec::new();
    if cors.origins != Origins::Any {
        // The reply differs by origin, also for one that is not allowed.
        fields.push(("vary", "origin".to_owned()));
    }
    let Some(origin) = cors.allows(headers) else { return fields };
    fields.push(("access-control-allow-origin", origin.to_owned()));
    if cors.credentials {
        fields.push(("access-control-allow-credentials", "true".to_owned()));
    }
    fields.push(("access-control-expose-headers", EXPOSED.to_owned()));
    fields
}

impl Cors {
    /// What `access-control-allow-origin` says to a request with exactly one `origin` that is
    /// allowed.
    pub fn allows<'a>(&self, headers: &'a Headers) -> Option<&'a str> {
        let mut origins = headers.all("origin");
        let origin = origins.next()?;
        if origins.next().is_some() {
            return None;
        }
        match &self.origins {
            Origins::Any => Some("*"),
            Origins::Only(list) => {
                let origin = std::str::from_utf8(origin).ok()?;
                list.iter().any(|allowed| allowed.matches(origin)).then_some(origin)
            }
        }
    }
}

impl OriginPattern {
    /// Whether an origin fits. What stands for `*.` is labels of a host and nothing else, so that no
    /// other host is meant by it in any reading of the origin.
    fn matches(&self, origin: &str) -> bool {
        let label =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        match self {
            Self::Exact(allowed) => allowed == origin,
            Self::Subdomains { scheme, suffix } => origin
                .strip_prefix(scheme.as_str())
                .and_then(|rest| rest.strip_suffix(suffix.as_str()))
                .is_some_and(|labels| {
                    !labels.is_empty() && !labels.starts_with('.') && labels.bytes().all(label)
                }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_for_subdomains_takes_any_labels_and_its_own_scheme_and_port_alone() {
        let subdomains = |suffix: &str| OriginPattern::Subdomains {
            scheme: "https://".into(),
            suffix: suffix.into(),
        };
        let origins = Origins::Only(vec![
            subdomains(".example.com"),
            subdomains(".dev.test:8443"),
            OriginPattern::Exact("https://[::1]:8443".into()),
        ]);
        let cors = Cors { origins, credentials: true };
        for (origin, allowed) in [
            ("https://app.example.com", true),
            ("https://a.b-c.d_e.example.com", true),
            ("https://xn--bcher-kva.example.com", true),
            ("https://app.dev.test:8443", true),
            ("https://[::1]:8443", true),
            ("https://example.com", false),
            ("https://.example.com", false),
            ("https://notexample.com", false),
            ("http://app.example.com", false),
            ("https://app.example.com:8443", false),
            ("https://app.example.com.", false),
            ("https://app.example.com.evil.test", false),
            ("https://evil.test/.example.com", false),
            ("https://evil.test#.example.com", false),
            ("https://evil.test:1.example.com", false),
            ("https://user@x.example.com", false),
            ("https://[::1].example.com", false),
            ("https://a b.example.com", false),
            ("https://\u{fc}.example.com", false),
            ("https://app.dev.test", false),
            ("https://[::1]", false),
            ("null", false),
            ("", false),
        ] {
            let headers = Headers::from_pairs(&[("origin", origin)]);
            assert_eq!(cors.allows(&headers), allowed.then_some(origin), "{origin}");
        }
    }
}
