//! `tollgate json`: the configuration as JSON in the order of its author, alone or within Envoy's file, and nothing that
//! `check` refuses.

use serde_json::Value;

use super::{file, tollgate};

const GOOD: &str = "# A comment.\nrules:\n- {name: all, allow: &some [{roles_any: [a]}]}\n- {name: rest, allow: *some}\n\
    providers:\n- name: p\n  issuers: [\"https://issuer.test\"]\n  audiences: any\n  keys: {env: KEYS}\n";

const AS_JSON: &str = r#"{"rules":[{"name":"all","allow":[{"roles_any":["a"]}]},{"name":"rest","allow":[{"roles_any":["a"]}]}],"providers":[{"name":"p","issuers":["https://issuer.test"],"audiences":"any","keys":{"env":"KEYS"}}]}"#;

/// Without white space between tokens.
fn compact(text: &str) -> String {
    text.replace("\": ", "\":").lines().map(str::trim_start).collect()
}

#[test]
fn a_configuration_is_printed_as_json_in_the_order_of_its_author() {
    let plugin = format!(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: tollgate}}\nspec:\n  \
         url: file:///t.wasm\n  vmConfig: {{env: [{{name: KEYS, valueFrom: HOST}}]}}\n  pluginConfig: {AS_JSON}\n"
    );
    let two = format!("---\n{}---\n{GOOD}", GOOD.replace("rest", "other"));
    for (name, text, more, same) in [
        ("good.yaml", GOOD, &[][..], true),
        ("good.json", AS_JSON, &[], true),
        ("two.yaml", &two, &["--number", "2"], true),
        // An object in a manifest has no order.
        ("plugin.yaml", &plugin, &[], false),
    ] {
        let path = file(&format!("convert/{name}"), text);
        let path = path.to_str().unwrap();
        let (printed, errors, code) = tollgate(&[&["json", path], more].concat());
        assert_eq!((code, errors.as_str()), (0, ""), "{name}");
        let value: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(AS_JSON).unwrap(), "{name}");
        assert_eq!(compact(&printed) == AS_JSON, same, "{name}: {printed}");
        // What it prints is in order.
        let again = file(&format!("convert/{name}.printed.json"), &printed);
        assert_eq!(tollgate(&["check", again.to_str().unwrap()]).2, 0, "{name}");
    }
}

#[test]
fn what_check_refuses_is_not_printed() {
    for (name, text, more, code, said) in [
        ("rate.yaml", "limits: [{name: l, rate: 0/s}]", &[][..], 1, "limits[0].rate (line 1, "),
        ("twice.yaml", "rules: []\nrules: []\n", &[], 1, "duplicate"),
        ("other.yaml", "clusters: []\n", &[], 1, "contains no configuration of tollgate"),
        ("good.yaml", GOOD, &["--number", "2"], 2, "the file has 1 configuration(s)"),
    ] {
        let path = file(&format!("convert/{name}"), text);
        let (printed, errors, found) =
            tollgate(&[&["json", path.to_str().unwrap()], more].concat());
        assert_eq!((printed.as_str(), found), ("", code), "{name}: {errors}");
        assert!(errors.contains(said), "{name}: {errors}");
    }
}

#[test]
fn a_configuration_replaces_that_of_each_example_of_envoy_and_nothing_around_it() {
    let good = file("convert/into-good.yaml", GOOD);
    let good = good.to_str().unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/envoy");
    let names = [
        "minimal.yaml",
        "envoy.yaml",
        "remote-keys.yaml",
        "gateway.yaml",
        "sidecar.yaml",
        "azure-ml-managed.yaml",
    ];
    for name in names {
        let example = format!("{folder}/{name}");
        let text = std::fs::read_to_string(&example).unwrap();
        let (into, errors, code) = tollgate(&["json", "--into", &example, good]);
        assert_eq!((code, errors.as_str()), (0, ""), "{name}");
        let path = file(&format!("convert/into-{name}"), &into);
        let path = path.to_str().unwrap();
        assert!(compact(&into).contains(AS_JSON), "{name}: {into}");
        // Put back, the file is what it was.
        let (own, ..) = tollgate(&["json", &example]);
        let own = file(&format!("convert/own-{name}.json"), &own);
        let (back, errors, _) = tollgate(&["json", "--into", path, own.to_str().unwrap()]);
        assert_eq!(back, text, "{name}: {errors}");
    }
}

#[test]
fn a_configuration_goes_only_into_one_block_of_text_of_envoy() {
    let good = file("convert/into.yaml", GOOD);
    let good = good.to_str().unwrap();
    let filter = |value: &str| {
        format!(
            "http_filters:\n- name: tollgate\n  typed_config:\n    \
             \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n    config:\n      \
             name: tollgate\n      configuration:\n        \
             \"@type\": type.googleapis.com/google.protobuf.StringValue\n        {value}\n"
        )
    };
    let block = filter("value: |\n          providers: []\n\n# Below.");
    let (printed, errors, code) =
        tollgate(&["json", "--into", file("convert/block.yaml", &block).to_str().unwrap(), good]);
    assert_eq!((code, errors.as_str()), (0, ""), "YAML in its place is replaced, too");
    assert!(
        printed.contains("value: |\n          {\n")
            && printed.ends_with("\n          }\n\n# Below.\n"),
        "{printed}"
    );
    let filters = block.clone() + &block.replace("http_filters", "more");
    for (name, text, said) in [
        ("quoted", filter("value: \"{}\""), "has no block of text to replace; write `value: |`"),
        ("empty", filter("value: |"), "has no block of text to replace"),
        ("two", filters, "has several filters; allowed: one"),
        ("bare", GOOD.to_owned(), "is not a configuration of Envoy"),
        ("broken", "a: [".to_owned(), "is not valid YAML"),
        ("none", "clusters: []\n".to_owned(), "contains no configuration of tollgate"),
    ] {
        let path = file(&format!("convert/into-{name}.yaml"), &text);
        let (printed, errors, code) = tollgate(&["json", "--into", path.to_str().unwrap(), good]);
        assert_eq!((printed.as_str(), code), ("", 2), "{name}: {errors}");
        assert!(errors.contains(said), "{name}: {errors}");
    }
}
