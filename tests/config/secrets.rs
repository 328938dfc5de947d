//! Keys, tokens and credentials: never in a tag, a bucket's name, a problem or a policy's text.

use serde_json::{Value, json};

use crate::document::*;

#[test]
fn no_credential_is_drawn_into_a_tag_or_a_key() {
    let document = |part: &str, pointer: &str| {
        let mut document = with(
            "/token",
            json!({"from": [
                {"header": "x-user-token"}, {"websocket_protocol": "bearer."}, {"cookie": "session"},
            ]}),
        );
        let value = match pointer {
            "/tags" => json!([{"name": "t", "value": format!("{{sub}}{{@header:{part}}}")}]),
            _ => json!(format!("{{@header:{part}}}")),
        };
        set(&mut document, pointer, value);
        document
    };
    let secrets = [
        "authorization",
        "Authorization",
        "cookie",
        "proxy-authorization",
        "x-user-token",
        "X_User_Token",
        "x.user-token",
        "sec-websocket-protocol",
        "sec_websocket_protocol",
    ];
    for (pointer, path) in [("/tags", "tags[0].value"), ("/limits/0/key", "limits[0].key")] {
        for part in secrets {
            let line = format!("{path}: …contains credentials; allowed: a header other than");
            refused_text(&document(part, pointer).to_string(), &line);
        }
        load(&document("x-user", pointer));
    }
}

#[test]
fn no_secret_is_in_a_problem_or_a_policy() {
    let mut document = with("/providers/0/keys", json!({"env": "SECRETS"}));
    set(&mut document, "/providers/0/algorithms", json!(["HS256"]));
    assert!(!format!("{:?}", load(&document)).contains(SECRET));
    let inline = |set: Value| with("/providers/0/keys", json!({"inline": set}));
    let upstream = json!({"env": "ENDPOINT_KEY", "prefix": SECRET, "x": SECRET});
    for document in [
        inline(secret_set()),
        inline(json!(SECRET)),
        inline(json!([SECRET])),
        inline(json!({"keys": SECRET})),
        with("/providers/0/keys", json!(SECRET)),
        with("/providers/0/keys", json!([SECRET])),
        with("/providers/0/keys", json!({"env": "GARBAGE"})),
        with("/providers/0/keys", json!({"env": format!("{SECRET}\",expected=")})),
        with("/providers/0/keys", json!({"remote": format!("{SECRET}\", expected {SECRET}")})),
        with("/rules/0/upstream_authorization", json!(SECRET)),
        with("/rules/0/upstream_authorization", upstream),
        with("/privacy", json!(SECRET)),
    ] {
        let lines = problems(&document.to_string());
        assert!(lines.iter().all(|line| !line.contains(SECRET)), "{document}: {lines:?}");
    }
}

/// A document with one hashed tag, its key in the variable `name`.
fn hashed(name: &str) -> Value {
    let mut document = with("/privacy", json!({"hash_key_env": name}));
    set(&mut document, "/tags", json!([{"name": "a", "value": "{sub}", "hash": true}]));
    document
}

#[test]
fn a_hashed_tag_loads_with_its_key_which_never_prints() {
    let document = hashed("HASH_KEY");
    let policy = load(&document);
    assert!(policy.tags[0].hash.is_some());
    assert!(!format!("{policy:?}").contains(&SECRET[..16]));
    for (name, message) in [
        ("SHORT_KEY", "SHORT_KEY is too short; allowed: at least 32"),
        ("ABSENT", "ABSENT is not set"),
    ] {
        let document = hashed(name).to_string();
        refused_text(&document, &format!("privacy.hash_key_env: …{message}"));
        assert!(!problems(&document)[0].contains(&SECRET[..16]));
    }
    refused("/privacy", [(json!({}), ".hash_key_env: is required")]);
}

#[test]
fn a_value_that_is_hashed_in_one_tag_and_shown_in_another_is_warned_of() {
    let mut document = hashed("HASH_KEY");
    document["tags"].as_array_mut().unwrap().push(json!({"name": "b", "value": "{sub}"}));
    let lines = warnings(&document);
    assert!(lines.iter().any(|l| l.starts_with("tags[1].value: shows what")), "{lines:?}");
}
