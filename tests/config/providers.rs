//! `providers`: issuers and their keys.

use serde_json::{Value, json};
use tollgate::verify::algorithm::Algorithm;
use tollgate::verify::provider::KeysFrom;

use crate::document::*;

#[test]
fn a_name_an_issuer_and_an_audience_are_required_and_checked() {
    let name = ": is required; allowed: [a-z0-9_-]{1,32}";
    let audiences = ": is required; allowed: a list of audiences, or the word any";
    for (pointer, rest) in [("name", name), ("issuers", ": is required"), ("audiences", audiences)]
    {
        let document = without(&format!("/providers/0/{pointer}")).to_string();
        refused_text(&document, &format!("providers[0].{pointer}{rest}"));
    }
    refused(
        "/providers/0/name",
        [
            (json!("Idp"), ": \"Idp\" is not a name"),
            (json!(""), ": …is not a name"),
            (json!("a".repeat(33)), ": …is not a name"),
        ],
    );
    refused(
        "/providers/0/issuers",
        [
            (json!([]), ": …empty list"),
            (json!([""]), "[0]: is empty"),
            (json!(["https://a/{tid}"]), "[0]: …{tenantid}"),
        ],
    );
    refused("/providers/0/audiences", [(json!([]), ": …empty list")]);
    refused("/providers/0/tenants", [(json!("any"), ": …no effect")]);
    let document = with("/providers/0/issuers", json!(["https://a/{tenantid}"]));
    refused_text(&document.to_string(), "providers[0].tenants: is required");
}

#[test]
fn the_rules_of_a_token_are_checked() {
    refused(
        "/providers/0/algorithms",
        [(json!([]), ": …empty list"), (json!(["none"]), "[0]: …allowed: RS256")],
    );
    refused("/providers/0/typ", [(json!([]), ": …empty list")]);
    refused(
        "/providers/0/clock_skew",
        [
            (json!("5x"), ": \"5x\" is not a duration; allowed:"),
            (json!("1h"), ": …allowed: 0s to 10m"),
            (json!("1500ms"), ": …seconds"),
        ],
    );
    refused("/providers/0/max_lifetime", [(json!("0s"), ": …out of bounds")]);
}

#[test]
fn an_identity_is_of_the_token_alone_and_keeps_its_parts_apart() {
    refused(
        "/providers/0/identity",
        [
            (json!([]), ": …empty list"),
            (json!(["{sub"]), "[0]: …`{` without a `}`"),
            (json!(["{@identity}"]), "[0]: …more than the token"),
            (json!(["{sub}{@header:x}"]), "[0]: …more than the token"),
            (json!(["all"]), "[0]: …has no claim"),
            (json!(["{tid}{oid}"]), "[0]: …without a separator"),
            (json!(["{tid}1{oid}"]), "[0]: …without a separator"),
            (json!(["{tid}%{oid}"]), "[0]: …without a separator"),
        ],
    );
}

#[test]
fn an_identity_that_callers_of_two_providers_may_have_is_warned_of() {
    let two = |first: &str, second: &str| {
        let mut document = with("/providers/0/identity", json!([first]));
        let mut other = document["providers"][0].clone();
        other["name"] = json!("other");
        other["issuers"] = json!(["https://other.example"]);
        other["identity"] = json!([second]);
        document["providers"].as_array_mut().unwrap().push(other);
        warnings(&document)
    };
    for (first, second, warned) in [
        ("{iss}/{sub}", "{iss}/{sub}", &[][..]),
        ("{/iss}/{sub}", "{@provider}/{sub}", &[]),
        ("{sub}", "{iss}/{sub}", &["providers[0].identity[0]: "]),
        ("{iss}/{sub}", "{tid}/{oid}", &["providers[1].identity[0]: "]),
        ("{sub}", "{sub}", &["providers[0].identity[0]: ", "providers[1].identity[0]: "]),
    ] {
        let lines = two(first, second);
        assert_eq!(lines.len(), warned.len(), "{lines:?}");
        for (line, start) in lines.iter().zip(warned) {
            assert!(line.starts_with(start) && line.contains("another provider's"), "{line}");
        }
    }
    assert_eq!(warnings(&with("/providers/0/identity", json!(["{sub}"]))), [""; 0]);
}

#[test]
fn keys_have_exactly_one_source_with_a_usable_key() {
    let exactly = "providers[0].keys: …exactly one of inline, env, remote";
    refused_text(&without("/providers/0/keys").to_string(), exactly);
    refused(
        "/providers/0/keys",
        [
            (json!({}), ": …exactly one of"),
            (json!({"env": "JWKS", "inline": {}}), ": …more than one"),
            (json!({"inline": {"keys": []}}), ".inline: …key"),
            (json!({"env": "UNSET"}), ".env: …variable UNSET is not set"),
            (json!({"env": "EMPTY"}), ".env: …variable EMPTY is not set"),
            (json!({"env": format!("{SECRET}=")}), ".env: …not the name"),
            (json!({"env": "GARBAGE"}), ".env: "),
            // Without HS* among the algorithms a shared secret is no usable key.
            (json!({"env": "SECRETS"}), ".env: …key"),
        ],
    );
    let odd = with("/providers/0/keys/inline/keys/-", json!({"kty": "odd"}));
    warned(&odd, Some("providers[0].keys.inline.keys[1]: the key is skipped"));
}

#[test]
fn a_remote_key_set_has_one_address_and_a_cluster() {
    let remote = |name: &str, value: Value| {
        let mut remote = json!({"uri": "https://idp.example/keys", "cluster": "idp"});
        remote[name] = value;
        json!({ "remote": remote })
    };
    let spaces = json!({"discovery": "https://x/", "cluster": "c", "keys_cluster": "a b"});
    refused(
        "/providers/0/keys",
        [
            (remote("timeout", json!("5x")), ".remote.timeout: \"5x\" is not a duration; allowed:"),
            (
                remote("timeout", json!("2m")),
                ".remote.timeout: \"2m\" is out of bounds; allowed: 10ms to 1m",
            ),
            (remote("max_stale", json!("10m")), ".remote.max_stale: is shorter"),
            (remote("cluster", json!("")), ".remote.cluster: is empty"),
            (
                remote("keys_cluster", json!("other")),
                ".remote.keys_cluster: is given without discovery",
            ),
            (json!({"remote": spaces}), ".remote.keys_cluster: is empty or contains spaces"),
            (remote("uri", json!("ftp://x")), ".remote.uri: \"ftp://x\" is not a URI"),
            (remote("discovery", json!("https://x")), ".remote: has both uri and discovery"),
            (json!({"remote": {"cluster": "c"}}), ".remote: is required"),
            (json!({"remote": {"uri": "https://x"}}), ".remote.cluster: is required"),
        ],
    );
}

#[test]
fn keys_on_another_host_may_have_a_cluster_of_their_own_and_ed25519_either_name() {
    let remote = json!({"discovery": "https://x/", "cluster": "c", "keys_cluster": "d"});
    let mut document = with("/providers/0/keys", json!({"remote": remote}));
    set(&mut document, "/providers/0/algorithms", json!(["Ed25519"]));
    let policy = load(&document);
    let KeysFrom::Remote(remote) = &policy.providers[0].keys else { panic!("no remote keys") };
    assert_eq!((remote.cluster.as_str(), remote.keys_cluster.as_deref()), ("c", Some("d")));
    let algorithms: Vec<_> = policy.providers[0].algorithms.unwrap().iter().collect();
    assert_eq!(algorithms, [Algorithm::EdDsa]);
}

#[test]
fn hmac_keys_come_from_inline_or_env_and_only_where_named() {
    let mut document = with("/providers/0/keys", json!({"env": "SECRETS"}));
    set(&mut document, "/providers/0/algorithms", json!(["HS256"]));
    assert_eq!(load(&document).providers.len(), 1);
    assert_eq!(warnings(&document), [""; 0]);
    set(&mut document, "/providers/0/keys", json!({"inline": secret_set()}));
    assert!(warnings(&document)[0].starts_with("providers[0].keys.inline: HS* keys"));
    let remote = json!({"remote": {"uri": "https://x/", "cluster": "c"}});
    set(&mut document, "/providers/0/keys", remote);
    let lines = problems(&document.to_string());
    assert!(lines[0].starts_with("providers[0].keys: algorithms contains HS*"), "{lines:?}");
}
