//! `responses.cors`: the web pages that may read replies of the filter.

use crate::request::headers::Headers;

/// `responses.cors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// The allowed origins.
    pub origins: Origins,
    /// Whether a page may send its request with credentials, such as cookies.
    pub credentials: bool,
}

/// `responses.cors.allow_origins`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// `*`: every origin.
    Any,
    /// The listed origins.
    Only(Vec<OriginPattern>),
}

/// An entry of `allow_origins`, written as browsers write origins (Fetch standard §3.1): in lower
/// case, without the default port, IPv6 addresses in their short form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginPattern {
    /// This origin, byte for byte.
    Exact(String),
    /// `https://*.example.com`: one or more labels between the scheme and the suffix.
    Subdomains {
        /// `https://`.
        scheme: String,
        /// `.example.com`, with the port if it is not the default.
        suffix: String,
    },
}

impl Cors {
    /// The value of `access-control-allow-origin`; `None` unless the request has exactly one
    /// `origin` and it is allowed.
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
    /// Whether an origin matches. Only the labels of a host may replace `*.`, so that every browser
    /// reads the origin as a subdomain.
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
