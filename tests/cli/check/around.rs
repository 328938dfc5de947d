//! What surrounds a filter in Envoy: the headers that are removed before it, the labels of its metrics, and the log.

use super::{bootstrap, check_text, good};
use serde_json::{Value, json};

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// The warnings about a bootstrap in this file, as `PATH: MESSAGE`. Tests run at once: each has a file of its own.
fn warnings(file: &str, document: &Value) -> Vec<String> {
    let (_, result) = check_text(file, &document.to_string());
    let findings = result["findings"].as_array().unwrap().iter();
    let warnings = findings.filter(|finding| finding["level"] == "warning");
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    warnings.map(|found| format!("{}: {}", text(found, "path"), text(found, "message"))).collect()
}

#[test]
fn a_tag_whose_header_is_not_removed_before_the_filters_is_warned_of() {
    let expression =
        |regex: &str| json!({"remove_on_match": {"key_matcher": {"safe_regex": {"regex": regex}}}});
    let matcher =
        |name: &str, value: &str| json!({"remove_on_match": {"key_matcher": {name: value}}});
    let folding = |name: &str, value: &str| json!({"remove_on_match": {"key_matcher": {name: value, "ignore_case": true}}});
    let example = expression("x[^a-z0-9]auth[^a-z0-9](identity|subject|issuer)");
    for (mutations, header, warned) in [
        (vec![], "x-user", false),
        (vec![example.clone()], "x-auth-subject", false),
        (vec![example.clone()], "X-Auth-Subject", false),
        (vec![example.clone()], "x-user", true),
        (vec![example.clone()], "x-auth-subjects", true),
        (vec![example.clone(), expression("x[^a-z0-9]user")], "x-user", false),
        (vec![example.clone(), json!({"remove": "X-User"})], "x-user", false),
        (vec![example.clone(), json!({"append": {"header": {"key": "x-user"}}})], "x-user", true),
        (vec![matcher("prefix", "x-us")], "x-user", false),
        (vec![matcher("suffix", "-user")], "x-user", false),
        (vec![matcher("contains", "use")], "x-user", false),
        (vec![matcher("exact", "x-user")], "x-user", false),
        (vec![matcher("exact", "x-users")], "x-user", true),
        // Envoy has the names in lower case.
        (vec![matcher("exact", "X-User")], "x-user", true),
        (vec![matcher("prefix", "X-Us")], "x-user", true),
        (vec![folding("exact", "X-User")], "X-User", false),
        (vec![folding("prefix", "X-Us")], "x-user", false),
        (vec![folding("contains", "-US")], "x-user", false),
        // What the tool cannot read may remove it.
        (vec![expression("(")], "x-user", false),
        (vec![matcher("ignore_case", "true")], "x-user", false),
    ] {
        let mut config = good();
        config["tags"] = json!([
            {"name": "plain", "value": "{sub}"}, {"name": "user", "value": "{sub}", "header": header},
        ]);
        let mut document = bootstrap(&config);
        document.pointer_mut(MANAGER).unwrap()["early_header_mutation_extensions"] =
            json!([{"typed_config": {"mutations": mutations}}]);
        let found = warnings("removed.json", &document);
        let about = found.iter().filter(|warning| warning.contains("tags[1].header: "));
        assert_eq!(about.count(), usize::from(warned), "{mutations:?} {header}: {found:?}");
    }
    // Without `tags` there are three headers.
    let mut document = bootstrap(&good());
    document.pointer_mut(MANAGER).unwrap()["early_header_mutation_extensions"] =
        json!([{"typed_config": {"mutations": [{"remove": "x-auth-identity"}]}}]);
    let found = warnings("removed.json", &document);
    for (header, count) in [("x-auth-identity", 0), ("x-auth-subject", 1), ("x-auth-issuer", 1)] {
        let about = found.iter().filter(|warning| warning.contains(&format!(": {header} is not")));
        assert_eq!(about.count(), count, "{found:?}");
    }
}

#[test]
fn a_bootstrap_that_shows_metrics_without_labels_is_warned_of() {
    let tag = |regex: &str| json!({"stats_tags": [{"tag_name": "rule", "regex": regex}]});
    let labels = tag(r"^wasmcustom\.(?:.*;\.;)?(rule=\.=([^.;]*);\.;).*tollgate_\w+$");
    for (members, metrics, warned) in [
        (json!({}), true, false),
        (json!({"admin": {}}), true, true),
        (json!({"stats_sinks": []}), true, true),
        (json!({"admin": {}}), false, false),
        (json!({"admin": {}, "stats_config": labels}), true, false),
        (json!({"admin": {}, "stats_config": tag("^cluster\\.((.+?)\\.)")}), true, true),
    ] {
        let mut config = good();
        config["telemetry"] = json!({"metrics": metrics});
        let mut document = bootstrap(&config);
        for (name, value) in members.as_object().unwrap() {
            document[name] = value.clone();
        }
        let found = warnings("labels.json", &document);
        let about = found.iter().filter(|warning| warning.starts_with("stats_config: "));
        assert_eq!(about.count(), usize::from(warned), "{members}: {found:?}");
    }
}

#[test]
fn a_field_of_the_log_that_no_tag_fills_is_warned_of() {
    let state = |name: &str| format!("%FILTER_STATE(wasm.tollgate.{name}:PLAIN)%");
    let fields = json!({
        "Reason": state("reason"), "Identity": state("identity"), "Kid": state("kid"), "Own": state("x"),
        "Endpoint": state("endpoint"), "Other": "%FILTER_STATE(wasm.other.kid:PLAIN)%", "Path": "%REQ(:PATH)%",
    });
    let tag = |name: &str| json!({"name": name, "value": "{sub}"});
    let unwritten = json!({"name": "kid", "value": "{@kid}", "filter_state": false});
    for (tags, warned) in [
        (None, &["Kid", "Own"][..]),
        (Some(json!([])), &["Identity", "Kid", "Own"]),
        (Some(json!([tag("kid"), tag("x")])), &["Identity"]),
        (Some(json!([tag("identity"), unwritten, tag("x")])), &["Kid"]),
        (Some(json!([tag("identity"), tag("kid"), tag("x"), tag("more")])), &[]),
    ] {
        let mut config = good();
        if let Some(tags) = &tags {
            config["tags"] = tags.clone();
        }
        let mut document = bootstrap(&config);
        document.pointer_mut(MANAGER).unwrap()["access_log"] =
            json!([{"typed_config": {"log_format": {"json_format": fields}}}]);
        let found = warnings("logged.json", &document);
        let about = found.iter().filter_map(|warning| {
            let (path, message) = warning.split_once(": reads wasm.tollgate.")?;
            assert!(message.contains(", and no tag of this name writes it: "), "{message}");
            path.rsplit('.').next()
        });
        let about: Vec<_> = about.collect();
        assert_eq!(about, warned, "{tags:?}: {found:?}");
    }
}
