//! Answers of key servers, and the messages about refused ones.

use serde_json::json;

use super::*;
use crate::keys::answer::FetchError;
use crate::request::headers::Headers;

fn head(status: &str, more: &[(&str, &str)]) -> Headers {
    let pairs: Vec<_> = [(":status", status)]
        .iter()
        .chain(more)
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect();
    Headers::from_pairs(&pairs)
}

#[test]
fn only_a_complete_small_200_is_looked_at() {
    use FetchError::*;
    for (status, size, error) in [
        ("200", 0, None),
        ("200", answer::MAX_BODY, None),
        ("200", answer::MAX_BODY + 1, Some(TooLarge)),
        ("204", 0, Some(Status(204))),
        ("304", 0, Some(Status(304))),
        ("500", answer::MAX_BODY + 1, Some(Status(500))),
        ("ok", 0, Some(Unreachable)),
    ] {
        assert_eq!(answer::check_head(&head(status, &[]), size).err(), error, "{status} {size}");
    }
    let none: [(Vec<u8>, Vec<u8>); 0] = [];
    assert_eq!(answer::check_head(&Headers::from_pairs(&none), 0), Err(Unreachable));
}

#[test]
fn each_reason_for_which_a_fetched_set_is_refused_is_in_its_message() {
    let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let encryption = format!(r#"{{"keys":[{}]}}"#, key.replace("{", r#"{"use":"enc","#));
    let with_bom = format!("\u{feff}{{\"keys\":[{key}]}}");
    let twice = format!(r#"{{"keys":[{key}],"keys":[{key}]}}"#);
    let secret = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}).to_string();
    let many = json!({"keys": vec![json!({}); 20]}).to_string();
    for (body, label, words) in [
        ("", "malformed", "not a JSON object"),
        ("<html>", "malformed", "a page of HTML or XML"),
        (" \n<?xml?>", "malformed", "a page of HTML or XML"),
        ("[]", "malformed", "not a JSON object"),
        (r#"{"keys":"#, "malformed", "not a JSON object"),
        (twice.as_str(), "malformed", "unique members"),
        (with_bom.as_str(), "malformed", "a byte order mark"),
        ("{}", "malformed", "without an array keys"),
        (r#"{"keys":null}"#, "malformed", "without an array keys"),
        (key, "malformed", "a single key (JWK)"),
        (r#"{"a":"-----BEGIN CERTIFICATE-----\nMII"}"#, "malformed", "a map of X.509 certificates"),
        (
            r#"{"issuer":"https://i","jwks_uri":"https://i/k"}"#,
            "malformed",
            "keys.remote.discovery",
        ),
        (r#"{"keys":[]}"#, "no_usable_key", "keys is empty"),
        (r#"{"keys":[{"kty":"RSA"}]}"#, "no_usable_key", "keys[0]: n is absent"),
        (encryption.as_str(), "no_usable_key", "keys[0]: use is neither sig nor jwt-svid"),
        (r#"{"keys":[{"kty":"RSA","kty":"EC"}]}"#, "no_usable_key", "keys[0]: a duplicate member"),
        (secret.as_str(), "no_usable_key", "keys[0]: oct keys are only accepted in inline or env"),
        (many.as_str(), "no_usable_key", "keys[7]: kty is absent; and 12 more"),
    ] {
        let error = answer::key_set(body.as_bytes()).map(|_| ()).unwrap_err();
        assert_eq!(error.label(), label, "{body}");
        let text = error.to_string();
        assert!(text.contains(words) && text.len() < 600, "{body}: {text}");
    }
    let gzip = answer::key_set(b"\x1f\x8b\x08\0").map(|_| ()).unwrap_err();
    assert!(gzip.to_string().contains("compressed with gzip"), "{gzip}");
    assert!(answer::key_set(&set("k")).is_ok());
}

#[test]
fn a_coded_answer_is_refused_by_the_name_of_its_coding() {
    for coding in ["gzip", "br", "identity, gzip", "\u{1b}[1m"] {
        let error = answer::check_head(&head("200", &[("content-encoding", coding)]), 9);
        let Err(FetchError::Coded(name)) = error else { panic!("{coding}: {error:?}") };
        assert!(name == coding || name == "?[1m", "{name}");
    }
    for coding in ["", "identity", " Identity "] {
        let head = head("200", &[("content-encoding", coding)]);
        assert_eq!(answer::check_head(&head, 9), Ok(()), "{coding}");
    }
    let long = "x".repeat(9_000);
    let error = answer::check_head(&head("200", &[("content-encoding", &long)]), 9).unwrap_err();
    assert!(error.to_string().len() < 400);
}

#[test]
fn a_redirect_is_logged_by_host_and_path_without_what_may_be_secret() {
    for (location, to) in [
        ("https://idp.example/login?code=secret#frag", "idp.example/login"),
        ("https://user:secret@idp.example:8443/login", "idp.example:8443/login"),
        ("//user:secret@idp.example/login", "idp.example/login"),
        ("https://idp.example", "idp.example"),
        ("/login?next=/keys", "/login"),
        ("login", "login"),
        ("/a//b@c", "/a//b@c"),
        ("/\r\nx-evil: 1", "/??x-evil: 1"),
        ("https://idp.example/\u{e9}", "idp.example/??"),
        ("", ""),
    ] {
        for status in ["301", "302", "303", "307", "308"] {
            let error = answer::check_head(&head(status, &[("location", location)]), 0);
            let Err(error @ FetchError::Redirect { .. }) = error else { panic!("{error:?}") };
            assert_eq!(error.label(), "status");
            let text = format!("status {status}, a redirect to {to}, which is not followed");
            assert_eq!(error.to_string(), text);
        }
    }
    let long = format!("https://idp.example/{}", "x".repeat(9_000));
    let error = answer::check_head(&head("302", &[("location", &long)]), 0).unwrap_err();
    assert!(error.to_string().len() < 400);
}

#[test]
fn words_of_the_proxy_are_its_own_and_safe() {
    let tls = b"upstream connect error or disconnect/reset before headers. TLS_error:\r\n\x1b[1m";
    let words = answer::words_of_proxy(503, tls).unwrap();
    assert!(words.ends_with("TLS_error:???[1m"), "{words}");
    assert_eq!(answer::words_of_proxy(500, tls), None);
    assert_eq!(answer::words_of_proxy(503, b"my own upstream connect error"), None);
    let long = [&b"no healthy upstream"[..], &[b'x'; 4096]].concat();
    assert!(answer::words_of_proxy(503, &long).unwrap().len() < 400);
}

#[test]
fn max_age_is_read_from_cache_control_alone() {
    for (value, expected) in [
        ("max-age=600", Some(10 * MINUTE)),
        ("public, Max-Age=600, must-revalidate", Some(10 * MINUTE)),
        ("max-age=\"600\"", Some(10 * MINUTE)),
        ("s-maxage=600", None),
        ("max-age=-1", None),
        ("max-age", None),
        ("max-age=99999999999999999999", None),
        ("no-store", None),
    ] {
        assert_eq!(answer::max_age(&head("200", &[("cache-control", value)])), expected, "{value}");
    }
    assert_eq!(answer::max_age(&head("200", &[("age", "600")])), None);
}
