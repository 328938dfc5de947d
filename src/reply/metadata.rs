//! The metadata of protected resources (RFC 9728): which entry a request is about.

use crate::policy::responses::{ResourceMetadata, Responses};
use crate::request::headers::Headers;
use crate::request::host::Authority;
use crate::request::matcher::RequestLine;
use crate::request::path;
use crate::uri::HttpUri;

impl Responses {
    /// The entry that the challenge to a request names: the first that fits its host and path.
    pub(super) fn challenge_metadata(&self, headers: &Headers) -> Option<&ResourceMetadata> {
        let line = RequestLine {
            authority: headers.value(":authority").and_then(Authority::parse),
            path: headers.value(":path").map(path::without_query),
            method: headers.value(":method").unwrap_or_default(),
            headers,
        };
        self.resource_metadata.iter().find(|metadata| metadata.requests.matches(&line.reading()))
    }

    /// The position of the entry whose document a request asks for: the one at this path, and of
    /// several at one path the one at this host.
    pub fn metadata_at(&self, headers: &Headers, path: &[u8]) -> Option<usize> {
        let mut here = self
            .resource_metadata
            .iter()
            .enumerate()
            .filter(|(_, metadata)| metadata.uri.path.as_bytes() == path);
        let first = here.next()?;
        let Some(second) = here.next() else { return Some(first.0) };
        let authority = headers.value(":authority")?;
        let mut here = [first, second].into_iter().chain(here);
        here.find(|(_, metadata)| is_authority_of(&metadata.uri, authority)).map(|(at, _)| at)
    }
}

/// Whether a request with this authority is one for the URI: the default port may stand or not
/// (RFC 9110 §4.2.3).
fn is_authority_of(uri: &HttpUri, authority: &[u8]) -> bool {
    let port: &[u8] = if uri.scheme == "https" { b":443" } else { b":80" };
    let bare = |authority: &'_ [u8]| authority.strip_suffix(port).unwrap_or(authority).to_vec();
    bare(uri.authority.as_bytes()).eq_ignore_ascii_case(&bare(authority))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::{self, tests::NoVariables};

    fn responses(metadata: Value) -> Responses {
        let provider = |name: &str| {
            json!({
                "name": name,
                "issuers": [format!("https://{name}.test")],
                "audiences": ["a"],
                "keys": {"inline": {"keys": [{
                    "kty": "OKP", "crv": "Ed25519",
                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", // RFC 8037 appendix A.2
                }]}},
            })
        };
        let document = json!({
            "providers": [provider("one"), provider("two")],
            "rules": [{"name": "r", "allow": [{"scopes_all": ["of:rule"]}]}],
            "responses": {"resource_metadata": metadata},
        });
        let (policy, warnings) =
            config::compile(document.to_string().as_bytes(), &NoVariables).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        policy.responses
    }

    fn several() -> Responses {
        responses(json!([
            {
                "url": "https://a.test/.well-known/oauth-protected-resource/mcp",
                "hosts": ["a.test"], "paths": ["/mcp", "/mcp/**"], "providers": ["two"],
                "scopes": ["mcp:read"],
            },
            {
                "url": "https://b.test/.well-known/oauth-protected-resource/mcp",
                "hosts": ["b.test", "*.b.test"],
                "resource": "https://b.test/mcp",
            },
            {
                "url": "http://[::1]:8443/.well-known/oauth-protected-resource/other",
                "paths": ["/other/**"],
            },
        ]))
    }

    #[test]
    fn a_challenge_names_the_first_entry_that_fits_host_and_path() {
        let several = several();
        let one = responses(json!("https://a.test/.well-known/oauth-protected-resource"));
        for (authority, path, want) in [
            ("a.test", "/mcp", Some(0)),
            ("A.test:8443", "/mcp/x?y=/other/", Some(0)),
            ("a.test", "/mcpx", None),
            ("a.test", "/", None),
            ("b.test", "/mcp", Some(1)),
            ("x.b.test", "/other/x", Some(1)),
            ("c.test", "/mcp", None),
            ("c.test", "/other/mcp", Some(2)),
        ] {
            let headers = Headers::from_pairs(&[(":authority", authority), (":path", path)]);
            let named = several.challenge_metadata(&headers);
            let want = want.map(|at: usize| &several.resource_metadata[at]);
            assert_eq!(named, want, "{authority}{path}");
            assert!(one.challenge_metadata(&headers).is_some(), "{authority}{path}");
        }
    }

    #[test]
    fn documents_are_told_apart_by_path_and_where_that_is_the_same_by_host() {
        let several = several();
        let path = "/.well-known/oauth-protected-resource";
        for (authority, below, want) in [
            ("a.test", "/mcp", Some(0)),
            ("A.TEST:443", "/mcp", Some(0)),
            ("b.test", "/mcp", Some(1)),
            ("b.test:80", "/mcp", None),
            ("c.test", "/mcp", None),
            // Alone at its path: the host may be what a proxy before us made of it.
            ("c.test", "/other", Some(2)),
            ("a.test", "/mcp/", None),
            ("a.test", "", None),
        ] {
            let headers = Headers::from_pairs(&[(":authority", authority)]);
            let at = several.metadata_at(&headers, format!("{path}{below}").as_bytes());
            assert_eq!(at, want, "{authority} {below}");
        }
    }

    #[test]
    fn a_document_lists_the_providers_and_scopes_of_its_entry_else_all() {
        let document = |at: usize| -> Value {
            serde_json::from_str(&several().resource_metadata[at].document).unwrap()
        };
        for (at, resource, servers, scopes) in [
            (0, "https://a.test/mcp", json!(["https://two.test"]), "mcp:read"),
            (1, "https://b.test/mcp", json!(["https://one.test", "https://two.test"]), "of:rule"),
            (
                2,
                "http://[::1]:8443/other",
                json!(["https://one.test", "https://two.test"]),
                "of:rule",
            ),
        ] {
            let want = json!({
                "resource": resource, "authorization_servers": servers,
                "scopes_supported": [scopes], "bearer_methods_supported": ["header"],
            });
            assert_eq!(document(at), want);
        }
    }
}
