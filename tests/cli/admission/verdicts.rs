//! Which objects are refused, in which words.

use std::sync::atomic::{AtomicUsize, Ordering};

use support::manifests::{files, read};
use support::mistakes::{self, configurations, manifests};

use super::*;
use crate::tollgate;

/// The problems and warnings of `check` in an object.
fn checked(object: &Value) -> [Vec<String>; 2] {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("admission/{}.yaml", NEXT.fetch_add(1, Ordering::Relaxed));
    let path = crate::file(&name, object.to_string());
    let (text, errors, _) = tollgate(&["check", "--json", path.to_str().unwrap()]);
    let result = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{errors}"));
    ["problem", "warning"].map(|level| mistakes::findings(&result, level))
}

/// A review whose request is this text.
fn raw(request: &str) -> String {
    format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{request}}}"#
    )
}

fn message(response: &Value) -> &str {
    response["status"]["message"].as_str().unwrap_or_default()
}

/// The problems of a refusal.
fn problems(response: &Value) -> Vec<String> {
    match message(response) {
        "" => Vec::new(),
        list if list.contains("\n- ") => list.split("\n- ").skip(1).map(str::to_owned).collect(),
        line => vec![line.to_owned()],
    }
}

/// A WasmPlugin with this configuration.
fn plugin(config: &Value) -> Value {
    let [plugin, ..] = manifests(config, "tollgate");
    plugin
}

fn changed(object: &Value, pointer: &str, value: Value) -> Value {
    let mut object = object.clone();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[member] = value;
    object
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_is_refused_in_each_kind_with_the_words_of_check() {
    let webhook = Webhook::start();
    let (good, wrong) = configurations();
    for object in manifests(&good, "tollgate") {
        let response = webhook.create(&object).await;
        assert_eq!(response["allowed"], true, "{response}");
        assert!(response["status"].is_null());
    }
    let mut refused = 0;
    for (index, config) in wrong.iter().enumerate() {
        let object = &manifests(config, "tollgate")[index % 4];
        let [expected, warned] = checked(object);
        let response = webhook.create(object).await;
        assert_eq!(problems(&response), expected, "{config}");
        assert_eq!(response["allowed"], expected.is_empty());
        refused += usize::from(!expected.is_empty());
        let warnings = response["warnings"].as_array().map_or(&[][..], Vec::as_slice);
        // Those about the buffers of a proxy depend on other objects.
        let of_object = |warning: &&String| !warning.contains("].payload");
        let warned: Vec<_> = warned.iter().filter(of_object).collect();
        assert_eq!(warnings.len(), warned.len(), "{response}: {warned:#?}");
        for (warning, wanted) in warnings.iter().zip(warned) {
            let warning = warning.as_str().unwrap().strip_prefix("tollgate: ").unwrap();
            // The beginning of a long path is left out.
            let short = warning.strip_prefix('…').is_some_and(|end| wanted.ends_with(end));
            assert!(short || warning == wanted, "{warning}: {wanted}");
        }
    }
    assert!(refused >= 40, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_manifests_are_admitted_with_the_warnings_of_check() {
    let webhook = Webhook::start();
    let (mut ours, mut objects) = (0, 0);
    for path in files("istio").into_iter().chain(files("examples")) {
        for object in read(&path).iter().filter(|object| object["kind"].is_string()) {
            let response = webhook.create(object).await;
            assert_eq!(response["allowed"], true, "{}: {response}", path.display());
            objects += 1;
            ours += usize::from(response["warnings"].is_array());
        }
    }
    // The zeros of their digests.
    assert!(ours >= 2 && objects > 40, "{ours} of {objects}");
}

/// A syntax error has its place in the text, which the object holds as one line.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_in_a_text_has_its_line_and_column() {
    let webhook = Webhook::start();
    let [.., filter] = manifests(&json!({}), "tollgate");
    let text = "/spec/configPatches/0/patch/value/typed_config/config/configuration/value";
    let filter = changed(&filter, text, json!("{\n  \"limits\": [],\n}"));
    let response = webhook.create(&filter).await;
    let path = "spec.configPatches[0].patch.value.typed_config.config.configuration.value";
    let wanted = format!("{path} (line 3, column 1): is not valid JSON: trailing comma");
    assert_eq!(message(&response), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_else_is_left_alone() {
    let webhook = Webhook::start();
    let wrong = plugin(&json!({"providers": 1}));
    assert_eq!(webhook.create(&wrong).await["allowed"], false);
    let other = changed(&wrong, "/metadata/name", json!("authn"));
    let other = changed(&other, "/spec/url", json!("oci://registry.test/authn"));
    let nested = |levels: usize| {
        let text = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let text = other.to_string().replace("{\"providers\":1}", &text);
        format!(r#"{{"operation": "CREATE", "uid": "0001", "object": {text}}}"#)
    };
    // Not even JSON's usual depth bounds what another filter may hold.
    let answer = webhook.send(&post(raw(&nested(5000)))).await;
    assert_eq!(answer.json()["response"]["allowed"], true, "{answer:?}");

    let mut objects = vec![
        other.clone(),
        changed(&other, "/spec", json!(null)),
        changed(&other, "/spec", json!(["providers", -1e308, {"": {"@type": 7}}])),
        changed(&other, "/spec/pluginConfig", json!({"providers": "x".repeat(1 << 20)})),
        changed(&wrong, "/apiVersion", json!("extensions.higress.io/v1alpha1")),
        changed(&wrong, "/kind", json!("ConfigMap")),
        changed(&wrong, "/spec/url", json!(null)),
        json!(null),
        json!("tollgate"),
        json!({}),
    ];
    // Filters of other modules.
    for mut object in manifests(&json!({"providers": 1}), "authn") {
        let text = object.to_string().replace("tollgate", "authn");
        object = serde_json::from_str(&text).unwrap();
        objects.push(object);
    }
    for object in objects {
        let response = webhook.create(&object).await;
        assert_eq!(response, json!({"uid": "0001", "allowed": true}), "{object}");
    }
    for request in [
        json!({"operation": "DELETE", "object": null, "oldObject": wrong}),
        json!({"operation": "DELETE", "object": wrong}),
        json!({"operation": "CONNECT", "object": wrong}),
        json!({"operation": "UPDATE", "subResource": "status", "object": wrong}),
        json!({"object": wrong}),
        json!({"operation": 1, "object": wrong}),
    ] {
        assert_eq!(webhook.review(request).await["allowed"], true);
    }
    let request = json!({"operation": "CREATE", "dryRun": true, "object": wrong});
    assert_eq!(webhook.review(request).await["allowed"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_label_claims_a_filter_of_any_name() {
    let webhook = Webhook::start();
    for object in manifests(&json!({"rules": []}), "authn") {
        let text = object.to_string().replace("tollgate", "authn");
        let object: Value = serde_json::from_str(&text).unwrap();
        for (label, allowed) in [("check", false), ("", true), ("other", true)] {
            let labelled = changed(&object, "/metadata/labels", json!({"tollgate": label}));
            let response = webhook.create(&labelled).await;
            assert_eq!(response["allowed"], allowed, "{response}");
            if !allowed {
                assert_eq!(problems(&response), checked(&labelled)[0]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_leaves_the_spec_alone_is_admitted_with_its_problems_as_warnings() {
    let webhook = Webhook::start();
    let good = plugin(&configurations().0);
    let bad = changed(&good, "/spec/pluginConfig/limits/0/rate", json!("10 per minute"));
    let worse = changed(&bad, "/spec/pluginConfig/limits/0/burst", json!(0));
    let annotated = changed(&bad, "/metadata/annotations", json!({"a": "b"}));
    let labelled = changed(&bad, "/metadata/labels", json!({"tollgate": "check"}));
    let status = changed(&bad, "/status", json!({"a": "b"}));
    for (old, new, allowed) in [
        (&bad, &bad, true),
        (&bad, &annotated, true),
        (&bad, &status, true),
        (&bad, &good, true),
        (&bad, &worse, false),
        (&bad, &labelled, false),
        (&good, &bad, false),
        (&Value::Null, &bad, false),
    ] {
        let request = json!({"operation": "UPDATE", "oldObject": old, "object": new});
        let response = webhook.review(request).await;
        assert_eq!(response["allowed"], allowed, "{response}");
        let warned = response["warnings"].to_string().contains("is not a rate");
        assert_eq!(warned, allowed && new != &good, "{response}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_warnings_are_bounded() {
    let webhook = Webhook::start();
    let limits = |rate: &str, count: usize| {
        let limit = |n| json!({"name": format!("l{n}"), "rate": rate});
        (0..count).map(limit).collect::<Value>()
    };
    let (mut config, _) = configurations();
    // Each unused limit is a warning, each invalid rate a problem.
    config["limits"].as_array_mut().unwrap().extend(limits("1/s", 200).as_array().unwrap().clone());
    let response = webhook.create(&plugin(&config)).await;
    assert_eq!(response["allowed"], true);
    let warnings: Vec<_> =
        response["warnings"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    let characters = |text: &&str| text.chars().count();
    assert!(warnings.iter().all(|warning| characters(warning) <= 256));
    let sum: usize = warnings.iter().map(characters).sum();
    assert!((3500..=4096).contains(&sum), "{sum}");
    assert!(warnings.last().unwrap().ends_with("more warnings; `tollgate check` prints all"));

    config["limits"] = limits(&"é\n\u{202e}".repeat(30), 400);
    let response = webhook.create(&plugin(&config)).await;
    let message = message(&response);
    assert!(message.contains(" problems\n- spec.pluginConfig.limits[0].rate: "), "{message}");
    assert!(message.chars().count() <= 17 * 1024, "{}", message.len());
    assert!(message.contains("\n- and "), "{message}");
    // Nothing in it acts on a terminal.
    assert!(
        message.lines().skip(1).all(|line| line.starts_with("- ")) && !message.contains('\u{202e}')
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_ours_that_nests_too_deep_is_refused_and_can_be_mended() {
    let webhook = Webhook::start();
    let config = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let object = plugin(&json!("DEEP")).to_string();
    let deep = |levels| object.replace("\"DEEP\"", &config(levels));
    let good = plugin(&configurations().0);
    for (request, said) in [
        (
            format!(r#"{{"uid": "0001", "operation": "CREATE", "object": {}}}"#, deep(5000)),
            "nests too deep; allowed: ",
        ),
        (
            format!(r#"{{"uid": "0001", "operation": "CREATE", "object": {}}}"#, deep(130)),
            "nests too deep; allowed: ",
        ),
        (
            format!(r#"{{"uid": "0001", "operation": "CREATE", "object": {}}}"#, deep(90)),
            "spec.pluginConfig: ",
        ),
        (
            format!(
                r#"{{"uid": "0001", "operation": "UPDATE", "oldObject": {}, "object": {good}}}"#,
                deep(5000)
            ),
            "",
        ),
    ] {
        let response = webhook.send(&post(raw(&request))).await.json()["response"].clone();
        assert!(message(&response).starts_with(said), "{response}");
        assert_eq!(response["allowed"], said.is_empty(), "{response}");
    }
}
