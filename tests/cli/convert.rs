//! `tollgate json`: the configuration as JSON in the order of its author, and nothing that `check` refuses.

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
