//! `responses`: the realm, the metadata of the resource, and CORS.

use serde_json::{Value, json};

use crate::document::*;

/// An entry of `responses.resource_metadata` with these members.
fn metadata(more: Value) -> Value {
    let mut entry = json!({"url": "https://a/.well-known/oauth-protected-resource"});
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    entry
}

#[test]
fn metadata_have_a_url_of_their_own_and_name_what_exists() {
    refused("/responses", [(json!({"realm": "a\"b"}), ".realm: …quote")]);
    let second = "[1].url: \"https://a/.well-known/";
    for (value, rest) in [
        (json!("https://a/b?c"), ": has a query"),
        (json!([]), ": is an empty list"),
        (json!([{"paths": ["/mcp"]}]), "[0].url: is required"),
        (json!([metadata(json!({"hosts": ["a:1"]}))]), "[0].hosts[0]: \"a:1\" is not a host"),
        (json!([metadata(json!({"paths": ["mcp"]}))]), "[0].paths[0]: \"mcp\" must begin"),
        (
            json!([metadata(json!({"providers": ["x"]}))]),
            "[0].providers[0]: \"x\" is not a provider",
        ),
        (json!([metadata(json!({"scopes": ["a b"]}))]), "[0].scopes[0]: contains a space"),
        (json!([metadata(json!({"resource": "mcp"}))]), "[0].resource: \"mcp\" is not a resource"),
        (json!([metadata(json!({"paths": ["/a"]})), metadata(json!({"paths": ["/b"]}))]), second),
    ] {
        let rest = format!(".resource_metadata{rest}");
        refused("/responses", [(json!({"resource_metadata": value}), &rest)]);
    }
}

#[test]
fn metadata_that_no_client_finds_are_warned_of() {
    let other = "https://b/.well-known/oauth-protected-resource";
    for (value, warning) in [
        (json!("https://a/b"), ": its path does not begin with /.well-known/"),
        (
            json!([metadata(json!({"resource": "https://a/mcp"}))]),
            "[0].resource: is not the resource of its URL",
        ),
        (
            json!([metadata(json!({"paths": ["/a/**"]})), {"url": other, "paths": ["/a/b"]}]),
            "[1]: no challenge names it",
        ),
    ] {
        let document = with("/responses", json!({"resource_metadata": value}));
        warned(&document, Some(&format!("responses.resource_metadata{warning}")));
    }
}

#[test]
fn an_origin_of_cors_is_one_and_credentials_go_to_named_ones_alone() {
    refused(
        "/responses",
        [
            (
                json!({"cors": {"allow_origins": ["https://a/"]}}),
                ".cors.allow_origins[0]: \"https://a/\" is not an origin",
            ),
            (
                json!({"cors": {"allow_origins": ["*"], "allow_credentials": true}}),
                ".cors.allow_origins[0]: * is not allowed",
            ),
        ],
    );
}
