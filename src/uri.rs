//! The address of a fetch.

/// An `http` or `https` URI taken apart for the `:scheme`, `:authority` and `:path` of a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUri {
    /// `http` or `https`.
    pub scheme: String,
    /// Host and optional port.
    pub authority: String,
    /// Path and query, beginning with `/`.
    pub path: String,
}

impl std::fmt::Display for HttpUri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

impl HttpUri {
    /// Takes a URI apart; `None` where it is not one of the two schemes, has user information or a
    /// fragment, or holds bytes that a URI may not (RFC 3986 §3, RFC 9110 §4.2).
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let legal = |b: u8| b.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&b);
        if !matches!(scheme.as_str(), "http" | "https") || !rest.bytes().all(legal) {
            return None;
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        if !is_authority(authority) {
            return None;
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Self { scheme, authority: authority.to_ascii_lowercase(), path })
    }
}

/// Whether a text is a host with an optional port; user information is refused.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(literal) => match literal.split_once(']') {
            Some((host, port)) => (host, port),
            None => return false,
        },
        None => text.split_at_checked(text.find(':').unwrap_or(text.len())).unwrap_or_default(),
    };
    let host_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let host_fits = match text.starts_with('[') {
        true => host.parse::<std::net::Ipv6Addr>().is_ok(),
        false => !host.is_empty() && host.bytes().all(host_byte),
    };
    let port_fits = match port.strip_prefix(':') {
        Some(digits) => {
            digits.bytes().all(|b| b.is_ascii_digit())
                && digits.parse::<u16>().is_ok_and(|port| port > 0)
        }
        None => port.is_empty(),
    };
    host_fits && port_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_taken_apart_or_refused() {
        for (text, want) in [
            ("https://a.example/keys", Some(("https", "a.example", "/keys"))),
            ("HTTP://A.example:8080", Some(("http", "a.example:8080", "/"))),
            ("https://a?x=1", Some(("https", "a", "/?x=1"))),
            ("https://[::1]:443/k?a=b", Some(("https", "[::1]:443", "/k?a=b"))),
            ("ftp://a/", None),
            ("https:/a", None),
            ("https://", None),
            ("https:///keys", None),
            ("https://user@a/", None),
            ("https://user:pw@a/", None),
            ("https://a:0/", None),
            ("https://a:65536/", None),
            ("https://a:/", None),
            ("https://a:+1/", None),
            ("https://a b/", None),
            ("https://a/#f", None),
            ("https://a/\r\nx", None),
            ("https://ä/", None),
            ("https://a/{tenantid}", None),
            ("https://[::1/", None),
            ("https://[]/", None),
            ("https://[1]/", None),
            ("https://[::g]/", None),
            ("https://[::1%25eth0]/", None),
            ("a/keys", None),
            ("", None),
        ] {
            let got = HttpUri::parse(text);
            let got =
                got.as_ref().map(|u| (u.scheme.as_str(), u.authority.as_str(), u.path.as_str()));
            assert_eq!(got, want, "{text}");
        }
    }
}
