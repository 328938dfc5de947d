//! Discovery documents, and the cluster of the keys.

use serde_json::json;

use super::*;
use crate::keys::answer::FetchError;
use crate::verify::provider::{Issuer, KeysFrom, Provider, Tenants};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

fn provider() -> Provider {
    Provider {
        issuers: vec![
            Issuer::Exact("https://i".to_owned()),
            Issuer::Tenanted { prefix: "https://t/".to_owned(), suffix: "/v2.0".to_owned() },
        ],
        tenants: Tenants::Only(vec![TENANT.to_owned()].into()),
        ..Provider::of("https://i", KeysFrom::Remote(remote()))
    }
}

#[test]
fn a_discovery_document_must_be_of_the_providers_issuer() {
    let provider = provider();
    let uri = |document: &str| answer::jwks_uri(document.as_bytes(), &provider);
    let of = |issuer: &str| uri(&json!({"issuer": issuer, "jwks_uri": "https://k/x"}).to_string());
    for issuer in ["https://i", "https://t/{tenantid}/v2.0", &format!("https://t/{TENANT}/v2.0")] {
        assert_eq!(of(issuer).unwrap().path, "/x", "{issuer}");
    }
    for issuer in ["https://i/", "https://I", "https://t/other/v2.0", ""] {
        let error = of(issuer).unwrap_err();
        assert_eq!(error.label(), "issuer_mismatch");
        // The message names both issuers.
        let known = "the provider has https://i, https://t/{tenantid}/v2.0";
        let text = error.to_string();
        assert!(text.contains(&format!("names {issuer}, and {known}")), "{text}");
    }
    let odd = of(&format!("https://i\r\n\u{1b}{}", "x".repeat(9_000))).unwrap_err().to_string();
    assert!(odd.len() < 600 && odd.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{odd}");
    for (document, words) in [
        (json!({"jwks_uri": "https://k/x"}), "without a string issuer"),
        (json!({"issuer": "https://i"}), "without a string jwks_uri"),
        (json!({"issuer": ["https://i"], "jwks_uri": "https://k/x"}), "without a string issuer"),
        (json!({"keys": []}), "keys.remote.uri"),
        (json!([]), "not a JSON object"),
    ] {
        let error = uri(&document.to_string()).unwrap_err();
        assert_eq!(error.label(), "malformed");
        assert!(error.to_string().contains(words), "{document}: {error}");
    }
}

#[test]
fn a_discovery_document_is_read_as_strictly_as_a_token() {
    let provider = provider();
    let uri = |document: &str| answer::jwks_uri(document.as_bytes(), &provider);
    let good = r#"{"issuer":"https://i","jwks_uri":"https://k/x","x":{"a":[1]}}"#;
    assert!(uri(good).is_ok());
    for (from, to) in [
        (r#""issuer""#, r#""issuer":"https://evil","issuer""#),
        (r#""issuer""#, r#""\u0069ssuer":"https://evil","issuer""#),
        (r#""jwks_uri""#, r#""jwks_uri":"https://evil/x","jwks_uri""#),
        (r#""a":[1]"#, r#""a":1,"a":1"#),
        ("1", "1e400"),
        ("{", "\u{feff}{"),
    ] {
        let document = good.replacen(from, to, 1);
        let error = uri(&document).unwrap_err();
        assert!(matches!(error, FetchError::Document(_)), "{document}: {error}");
    }
    let gzip = answer::jwks_uri(b"\x1f\x8b\x08\0", &provider).unwrap_err();
    assert!(gzip.to_string().contains("compressed with gzip"), "{gzip}");
}

#[test]
fn a_jwks_uri_that_is_no_absolute_address_is_named_as_such_and_not_repeated() {
    let provider = provider();
    let long = format!("https://k/{}", "x".repeat(9_000));
    for address in [
        "/jwks",
        "jwks",
        "//k/jwks",
        "https://user:secret@k/jwks",
        "https://k/jwks#secret",
        "https://k\u{e4}/jwks",
        "ftp://k/jwks",
        "",
        long.as_str(),
    ] {
        let document = json!({"issuer": "https://i", "jwks_uri": address}).to_string();
        let error = answer::jwks_uri(document.as_bytes(), &provider).unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with("jwks_uri is not an absolute http(s) address"), "{address}: {text}");
        assert!(!text.contains("secret") && error.label() == "malformed");
    }
}

#[test]
fn keys_on_another_host_than_the_discovery_document_come_through_their_own_cluster() {
    let uri = |text: &str| HttpUri::parse(text).unwrap();
    let google = Remote {
        source: RemoteSource::Discovery(uri("https://accounts.google.com/.well-known/x")),
        cluster: "accounts".to_owned(),
        keys_cluster: Some("certs".to_owned()),
        ..remote()
    };
    for (address, cluster) in [
        ("https://www.googleapis.com/oauth2/v3/certs", "certs"),
        ("https://accounts.google.com/keys", "accounts"),
        ("https://accounts.google.com:443/keys", "accounts"),
        ("https://accounts.google.com:8443/keys", "certs"),
        ("https://accounts.google.com.evil/keys", "certs"),
        ("http://accounts.google.com/keys", "certs"),
    ] {
        assert_eq!(google.cluster_of(&uri(address)), cluster, "{address}");
    }
    let one = Remote { keys_cluster: None, ..google };
    assert_eq!(one.cluster_of(&uri("https://www.googleapis.com/x")), "accounts");
}
