//! `http` and `https` URIs in parts.

/// A URI in the parts that a request carries as `:scheme`, `:authority` and `:path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUri {
    /// `http` or `https`.
    pub scheme: String,
    /// Host and optional port, in lower case.
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
    /// The host and the port, which is the default port of the scheme if the URI has none
    /// (RFC 9110 §4.2). Two URIs of one server have equal pairs.
    pub fn authority_and_port(&self) -> (&str, &str) {
        let default = if self.scheme == "https" { "443" } else { "80" };
        let literal = self.authority.rfind(']').unwrap_or(0);
        match self.authority.rsplit_once(':') {
            Some((host, port)) if host.len() >= literal => (host, port),
            _ => (&self.authority, default),
        }
    }

    /// Whether a request with this `:authority` is for the URI's server; either may omit the default
    /// port (RFC 9110 §4.2.3).
    pub fn has_authority(&self, authority: &[u8]) -> bool {
        let port: &[u8] = if self.scheme == "https" { b":443" } else { b":80" };
        let [own, other] = [self.authority.as_bytes(), authority]
            .map(|authority| authority.strip_suffix(port).unwrap_or(authority));
        own.eq_ignore_ascii_case(other)
    }

    /// Parses a URI; `None` if it has another scheme, user information, a fragment, or a byte that
    /// is not allowed in URIs (RFC 3986 §3, RFC 9110 §4.2).
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

/// Whether a text is a host with an optional port, without user information (RFC 3986 §3.2).
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(literal) => match literal.split_once(']') {
            Some((host, port)) => (host, port),
            None => return false,
        },
        None => text.split_at_checked(text.find(':').unwrap_or(text.len())).unwrap_or_default(),
    };
    let host_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let host_is_valid = match text.starts_with('[') {
        true => host.parse::<std::net::Ipv6Addr>().is_ok(),
        false => !host.is_empty() && host.bytes().all(host_byte),
    };
    let port_is_valid = match port.strip_prefix(':') {
        Some(digits) => {
            digits.bytes().all(|b| b.is_ascii_digit())
                && digits.parse::<u16>().is_ok_and(|port| port > 0)
        }
        None => port.is_empty(),
    };
    host_is_valid && port_is_valid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_of_one_server_are_equal_with_and_without_the_default_port() {
        for (text, want) in [
            ("https://a.example/x", ("a.example", "443")),
            ("https://A.example:443/y", ("a.example", "443")),
            ("http://a.example/", ("a.example", "80")),
            ("https://a.example:8443/", ("a.example", "8443")),
            ("https://[::1]/", ("[::1]", "443")),
            ("https://[::1]:8443/", ("[::1]", "8443")),
        ] {
            assert_eq!(HttpUri::parse(text).unwrap().authority_and_port(), want, "{text}");
        }
    }

    #[test]
    fn uris_are_parsed_or_refused() {
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
