use serde_json::{Value, json};

use super::*;
use crate::config::{self, NoVariables};

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
fn a_challenge_names_the_first_entry_that_matches_host_and_path() {
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
fn documents_are_distinguished_by_path_and_then_by_host() {
    let several = several();
    let path = "/.well-known/oauth-protected-resource";
    for (authority, below, want) in [
        ("a.test", "/mcp", Some(0)),
        ("A.TEST:443", "/mcp", Some(0)),
        ("b.test", "/mcp", Some(1)),
        ("b.test:80", "/mcp", None),
        ("c.test", "/mcp", None),
        // The only entry at its path matches any host, which an earlier proxy may have changed.
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
        (2, "http://[::1]:8443/other", json!(["https://one.test", "https://two.test"]), "of:rule"),
    ] {
        let want = json!({
            "resource": resource, "authorization_servers": servers,
            "scopes_supported": [scopes], "bearer_methods_supported": ["header"],
        });
        assert_eq!(document(at), want);
    }
}
