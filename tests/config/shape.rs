//! Text, syntax and shape: unknown members, wrong types, members given twice.

use serde_json::json;

use crate::document::*;

#[test]
fn a_document_that_protects_nothing_is_refused() {
    for document in ["", "  ", "{}", r#"{"providers": []}"#] {
        let lines = problems(document);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("protects nothing"), "{lines:?}");
    }
}

#[test]
fn an_error_of_shape_names_its_path_and_what_is_allowed() {
    for (pointer, value, rest) in [
        ("/providers/0/issuer", json!("x"), ": unknown field `issuer`"),
        ("/provider", json!([]), ": …expected one of `providers`"),
        ("/rules/0/match", json!({"path": []}), ".path: unknown field"),
        ("/rules/0/match", json!("x"), ": …an object with hosts, paths"),
        ("/rules/0/cost", json!("1"), ": …a whole number, or an object"),
        ("/rules/0/cost", json!(1.5), ": …a whole number, or an object"),
        ("/rules/0/cost", json!(-1), ": …a whole number, or an object"),
        ("/rules/0/cost", json!({"x": 1}), ".x: unknown field `x`"),
        ("/rules/0/cost", json!({"max": []}), ".max: …a whole number"),
        ("/providers/0/audiences", json!("all"), ": …the word `any`"),
        ("/providers/0/audiences", json!([1]), "[0]: …a text"),
        ("/providers/0/tenants", json!({}), ": …the word `any`"),
        ("/providers/0/clock_skew", json!(60), ": …a duration"),
        ("/providers/0/bind", json!("tls"), ": …`none` or `mtls`"),
        ("/providers/0/preset", json!("aad"), ": …`entra`"),
        ("/limits/0/rate", json!(10), ": …a rate"),
        ("/limits/0/burst", json!("10"), ": …a whole number"),
        ("/token", json!({"max_bytes": true}), ".max_bytes: …a size"),
        ("/token", json!({"from": [{"body": "x"}]}), ".from[0].body: unknown field"),
        ("/failure_mode", json!("open"), ": …`deny` or `allow`"),
        ("/dry_run", json!("no"), ": …a boolean"),
        ("/rules", json!(null), ": is null; write a value"),
        ("/rules/0/match", json!(null), ": is null; write a value"),
        ("/providers/0/keys", json!(SECRET), ": is a text, expected an object"),
        ("/providers/0/keys", json!({"remote": SECRET}), ".remote: …a text"),
        // Some parsers read a list as the members in order; an empty one would be all defaults.
        ("/rules/0/match", json!([]), ": …an object with hosts, paths"),
        ("/rules/0", json!(["x"]), ": …an object"),
        ("/providers/0/keys", json!([SECRET]), ": …an object"),
        ("/telemetry", json!([]), ": …an object"),
    ] {
        assert!(!schema().is_valid(&with(pointer, value.clone())), "{pointer} {value}");
        refused(pointer, [(value, rest)]);
    }
    assert!(!schema().is_valid(&json!([])));
    refused_text("[]", "(document): …the configuration");
}

#[test]
fn all_errors_of_shape_are_reported_at_once() {
    let mut document = least();
    set(&mut document, "/provider", json!([]));
    set(&mut document, "/providers/0/issuer", json!("x"));
    set(&mut document, "/providers/0/clock_skew", json!(60));
    set(&mut document, "/rules/0/match", json!({"hosts": [1, "a", {}], "path": "/"}));
    set(&mut document, "/rules/0/cost", json!(-1));
    set(&mut document, "/limits/0/rate", json!(null));
    // An error of meaning waits until the shape is right.
    set(&mut document, "/limits/0/name", json!("Not A Name"));
    let twice = document.to_string().replacen('{', r#"{"crypto":"auto","crypto":"host","#, 1);
    assert_eq!(
        problems(&twice),
        [
            "crypto: is given twice; remove one of the two",
            "provider: unknown field `provider` (did you mean `providers`?); expected one of \
             `providers`, `token`, `rules`, `limits`, `tags`, `responses`, `telemetry`, `privacy`, \
             `crypto`, `token_cache`, `store`, `client_address`, `hold_head`, `failure_mode`, `ambiguous_paths`, `dry_run`",
            "providers[0].issuer: unknown field `issuer` (did you mean `issuers`?); expected one of \
             `name`, `preset`, `issuers`, `tenants`, `audiences`, `algorithms`, `keys`, \
             `clock_skew`, `require_exp`, `max_lifetime`, `typ`, `token_use`, `bind`, `identity`",
            "providers[0].clock_skew: is 60, expected a duration: a text such as `500ms`, `5s`, \
             `10m` or `1h`",
            "rules[0].match.path: unknown field `path` (did you mean `paths`?); expected one of \
             `hosts`, `paths`, `ignore_case`, `trailing_slash`, `encoded_slash`, `methods`, \
             `headers`",
            "rules[0].match.hosts[0]: is 1, expected a text",
            "rules[0].match.hosts[2]: is an object, expected a text",
            "rules[0].cost: is -1, expected a whole number, or an object with header or json_rows",
            "limits[0].rate: is null; write a value, or leave the member out for its default",
            "crypto: is \"host\", expected `auto` or `module`",
        ]
    );
}

#[test]
fn all_errors_of_meaning_are_reported_at_once() {
    let mut document = least();
    set(&mut document, "/providers/0/clock_skew", json!("5x"));
    set(&mut document, "/providers/0/algorithms", json!(["RS1"]));
    set(&mut document, "/providers/-", json!({}));
    set(&mut document, "/rules/0/limits", json!(["nope", "calls"]));
    set(&mut document, "/limits/0/rate", json!("fast"));
    set(&mut document, "/store", json!({"max_identities": 1}));
    let lines = problems(&document.to_string());
    let paths: Vec<&str> = lines.iter().map(|line| line.split_once(": ").unwrap().0).collect();
    assert_eq!(
        paths,
        [
            "providers[0].algorithms[0]",
            "providers[0].clock_skew",
            "providers[1].name",
            "providers[1].issuers",
            "providers[1].audiences",
            "providers[1].keys",
            "limits[0].rate",
            "rules[0].limits[0]",
            "store.max_identities",
        ]
    );
}

#[test]
fn a_hundred_problems_are_listed_and_no_more() {
    let lines = problems(&json!({"providers": vec![1; 5_000]}).to_string());
    assert_eq!(lines.len(), 101);
    assert_eq!(lines[100], "(document): has more problems, which are not listed");
}

#[test]
fn an_error_of_syntax_has_its_path_and_its_line() {
    let line = problems("{\"rules\": [{\"match\":\n {\"paths\": [\"/\", }]}}]}").join("\n");
    assert!(
        line.starts_with("rules[0].match.paths[1]: is not valid JSON: expected value at line 2"),
        "{line}"
    );
}

#[test]
fn yaml_is_refused_with_the_command_that_converts_it() {
    for document in
        ["providers:\n- name: p", "# A comment.\nproviders: []", "---\nrules: []", "- a: b"]
    {
        let line = problems(document).join("\n");
        assert!(
            line.starts_with("(document): looks like YAML; ")
                && line.contains("tollgate json FILE"),
            "{line}"
        );
    }
    for document in ["null", "true", "-1", "{\"a\": 1}", "nonsense", "\"a: b\""] {
        assert!(!problems(document).join("\n").contains("YAML"), "{document}");
    }
}

#[test]
fn text_that_is_not_one_json_value_is_refused() {
    for document in ["{", "nonsense", "{} {}", "{\"providers\": [}", "\u{feff}{}", "\"x\"", "1"] {
        assert_eq!(problems(document).len(), 1, "{document:?}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(problems(&deep).len(), 1);
    assert!(problems(&" ".repeat(5 << 20))[0].contains("at most"));
}

#[test]
fn a_member_given_twice_is_refused() {
    let document = r#"{"dry_run": true, "dry_run": false}"#;
    refused_text(document, "dry_run: is given twice");
    let twice = least().to_string().replacen(r#""kid":"1""#, r#""kid":"1","kid":"2""#, 1);
    refused_text(&twice, "providers[0].keys.inline.keys[0].kid: is given twice");
    let headers = with("/rules/0/match", json!({"headers": {"X-A": "1"}})).to_string();
    let twice = headers.replacen(r#""X-A":"1""#, r#""X-A":"1","X-A":"2""#, 1);
    refused_text(&twice, "rules[0].match.headers.X-A: is given twice");
}

#[test]
fn a_problem_is_one_short_line_whatever_the_document_holds() {
    let nasty = "a\r\n\u{1b}[31m\u{2028}\u{0}".repeat(200);
    for document in [
        with(&format!("/{nasty}"), json!(1)),
        with("/providers/0/name", json!(nasty)),
        with("/failure_mode", json!(nasty)),
        with("/rules/0/limits", json!([nasty])),
        with("/rules/0/match", json!({"headers": {nasty.clone(): "1"}})),
    ] {
        for line in problems(&document.to_string()) {
            assert!(!line.chars().any(|c| c.is_control() || c == '\u{2028}'), "{line:?}");
            assert!(line.len() < 20_000, "{}", line.len());
        }
    }
}

#[test]
fn no_damaged_document_loads_or_panics() {
    let bytes = CONTRACT.as_bytes();
    for end in 0..bytes.len().saturating_sub(2) {
        assert!(tollgate::config::compile(&bytes[..end], &Variables).is_err(), "{end}");
    }
    let least = least().to_string().into_bytes();
    for at in 0..least.len() {
        for byte in *b"\0\"[]{},:09-e \xff" {
            let mut damaged = least.clone();
            damaged[at] = byte;
            // Some still load: a changed letter in a name is another name.
            let _ = tollgate::config::compile(&damaged, &Variables);
        }
    }
}
