//! `tollgate check`: its findings in wrong documents and in the samples, and its exit code.

mod around;
mod capabilities;
mod envoy;
mod kubernetes;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{tollgate, tollgate_reads};

const KEYS: &str = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
                       "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// A file of this machine.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

/// Exit code and the JSON that was printed.
fn check(arguments: &[&str]) -> (i32, Value) {
    let (output, _, code) = tollgate(&[&["check", "--json"], arguments].concat());
    (code, serde_json::from_str(&output).unwrap_or_default())
}

/// A file of these tests.
fn file(name: &str, text: &str) -> PathBuf {
    crate::file(&format!("check/{name}"), text)
}

fn check_text(name: &str, text: &str) -> (i32, Value) {
    check(&[file(name, text).to_str().unwrap()])
}

/// `level path` of each finding.
fn found(result: &Value) -> Vec<String> {
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings = result["findings"].as_array().unwrap();
    findings.iter().map(|f| format!("{} {}", text(f, "level"), text(f, "path"))).collect()
}

fn good() -> Value {
    let keys: Value = serde_json::from_str(KEYS).unwrap();
    json!({"providers": [{"name": "p", "issuers": ["https://issuer.test"], "audiences": ["a"],
                          "keys": {"inline": keys}}]})
}

/// An Envoy bootstrap around a configuration, with an authenticated cluster `idp`.
fn bootstrap(config: &Value) -> Value {
    json!({
        "static_resources": {
            "listeners": [{
                "filter_chains": [{"filters": [{"typed_config": {"http_filters": [{
                    "name": "envoy.filters.http.wasm",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                        "config": {
                            "name": "tollgate",
                            "failure_policy": "FAIL_RELOAD",
                            "vm_config": {"vm_id": "tollgate"},
                            "configuration": {
                                "@type": "type.googleapis.com/google.protobuf.StringValue",
                                "value": config.to_string(),
                            },
                        },
                    },
                }]}}]}],
            }],
            "clusters": [{
                "name": "idp",
                "transport_socket": {"typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.\
                              UpstreamTlsContext",
                    "sni": "issuer.test",
                    "common_tls_context": {"validation_context": {
                        "trusted_ca": {"filename": HERE},
                        "match_typed_subject_alt_names": [
                            {"san_type": "DNS", "matcher": {"exact": "issuer.test"}}],
                    }},
                }},
            }],
        },
    })
}

const PLUGIN: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/\
                      http_filters/0/typed_config/config";
const PLUGIN_PATH: &str = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.\
                           http_filters[0].typed_config.config";

fn remote() -> Value {
    let mut config = good();
    config["providers"][0]["keys"] =
        json!({"remote": {"uri": "https://issuer.test/keys", "cluster": "idp"}});
    config
}

/// The good configuration with its keys in a variable.
fn keys_by_env() -> Value {
    let mut config = good();
    config["providers"][0]["keys"] = json!({"env": "KEYS"});
    config
}

/// A configuration with a guard, with a member of the document set.
fn guarding(hold_head: bool) -> Value {
    let mut config = good();
    config["rules"] = json!([{"name": "r", "payload": {"require_any": ["/data"]}}]);
    config["hold_head"] = json!(hold_head);
    config
}

#[test]
fn a_mistake_in_a_bare_document_is_found_at_its_path_and_decides_the_exit_code() {
    let empty = || good().to_string();
    for (name, text, code, findings) in [
        ("good.json", empty(), 0, vec![]),
        ("truncated.json", "{\"providers\": [".to_owned(), 1, vec!["problem providers"]),
        ("empty.json", String::new(), 1, vec!["problem (document)"]),
        ("braces.yaml", "{}".to_owned(), 1, vec!["problem providers"]),
        (
            "twice.json",
            r#"{"providers": [], "providers": []}"#.to_owned(),
            1,
            vec!["problem providers"],
        ),
        ("twice.yaml", "providers: []\nproviders: []\n".to_owned(), 1, vec!["problem (file)"]),
        ("text.yaml", "a: b: c".to_owned(), 1, vec!["problem (file)"]),
        (
            "several.yaml",
            format!(
                "providers:\n- name: P!\n  audiences: any\n  issuers: [\"https://i\"]\n  keys: \
                 {{inline: {KEYS}}}\nlimits: [{{name: l, rate: 0/s}}]\n"
            ),
            1,
            vec!["problem providers[0].name", "problem limits[0].rate"],
        ),
    ] {
        let (exit, result) = check_text(name, &text);
        let mut got = found(&result);
        got.retain(|finding| finding.starts_with("problem"));
        assert_eq!(
            (exit, got),
            (code, findings.iter().map(|f| (*f).to_owned()).collect()),
            "{name}: {result:#}"
        );
    }
}

#[test]
fn every_finding_has_its_line_and_column() {
    let yaml = format!(
        "# A comment.\nproviders:\n- name: p\n  issuers:\n  - https://sts.windows.net/x\n  \
         audiences: any\n  keys: {{inline: {KEYS}}}\nrules:\n- name: r\n\n  match: {{paths: [\n    \
         /a,\n    '/b/:id']}}\n"
    );
    let json =
        "{\n \"providers\": [],\n\n \"limits\": [\n  {\"name\": \"l\",\n  \"rate\": \"x\"}]\n}";
    let indented: String =
        serde_json::to_string_pretty(&good()).unwrap().replace("https://issuer.test", "https://*");
    let block: String = indented.lines().map(|line| format!("            {line}\n")).collect();
    let broken: String = block.replace("\"providers\": [", "\"providers\": x[");
    // The usual form: the text of the configuration as a block.
    let around = |block: &str| {
        format!(
            "http_filters:\n- name: w\n  typed_config:\n    '@type': type.googleapis.com/envoy.extensions.\
         filters.http.wasm.v3.Wasm\n    config:\n      name: tollgate\n      configuration:\n        \
         '@type': type.googleapis.com/google.protobuf.StringValue\n        value: |\n{block}      \
         vm_config: {{}}\n"
        )
    };
    let issuers = indented.lines().position(|line| line.contains("https://*")).unwrap();
    let plugin = "apiVersion: v1\nkind: ConfigMap\n---\napiVersion: extensions.istio.io/v1alpha1\nkind: \
                  WasmPlugin\nmetadata: {name: tollgate}\nspec:\n  url: file:///t.wasm\n  phase: AUTHN\n  \
                  failStrategy: FAIL_OPEN\n  pluginConfig:\n    providers:\n    - name: P\n";
    let config_map: String = around(&block).lines().map(|line| format!("    {line}\n")).collect();
    let config_map =
        format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  envoy.yaml: |\n{config_map}");
    for (name, text, wanted) in [
        (
            "lines.yaml",
            yaml,
            vec![("providers[0].issuers[0]", 5, 5), ("rules[0].match.paths[1]", 14, 5)],
        ),
        ("lines.json", json.to_owned(), vec![("providers", 2, 2), ("limits[0].rate", 6, 3)]),
        (
            "lines envoy.yaml",
            around(&block),
            vec![
                ("providers[0].issuers[0]", 10 + issuers, 21),
                ("http_filters[0].typed_config.config.failure_policy", 5, 5),
            ],
        ),
        (
            "lines config map.yaml",
            config_map,
            vec![
                ("providers[0].issuers[0]", 14 + issuers, 25),
                ("data.envoy.yaml.http_filters[0].typed_config.config.failure_policy", 9, 9),
            ],
        ),
        (
            "lines plugin.yaml",
            plugin.to_owned(),
            vec![
                ("providers[0].name", 13, 7),
                ("providers[0].keys", 13, 7),
                ("spec.failStrategy", 10, 3),
            ],
        ),
        // Errors of syntax, and members that are given twice.
        ("lines broken envoy.yaml", around(&broken), vec![("providers", 11, 28)]),
        ("lines broken.json", "{\n \"providers\": [}".to_owned(), vec![("providers[0]", 2, 16)]),
        ("lines broken.yaml", "a:\n  b: c: d\n".to_owned(), vec![("(file)", 2, 7)]),
        (
            "lines twice.json",
            "{\"limits\": [],\n \"limits\": []}".to_owned(),
            vec![("limits", 2, 2)],
        ),
        ("lines twice.yaml", "a:\n  b: c\n  b: d\n".to_owned(), vec![("(file)", 3, 3)]),
    ] {
        let (_, result) = check_text(name, &text);
        let findings = result["findings"].as_array().unwrap();
        for (path, line, column) in wanted {
            let finding = findings.iter().find(|finding| finding["path"] == path);
            let finding = finding.unwrap_or_else(|| panic!("{name} {path}: {result:#}"));
            let place = (&finding["line"], &finding["column"]);
            assert_eq!(place, (&json!(line), &json!(column)), "{name} {path}: {result:#}\n{text}");
        }
    }
}

#[test]
fn every_sample_of_the_repository_is_in_order() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directories = ["envoy", "istio", "examples/envoy-gateway"].map(|name| root.join(name));
    let arguments: Vec<&str> =
        directories.iter().filter(|d| d.is_dir()).map(|d| d.to_str().unwrap()).collect();
    let (exit, result) = check(&arguments);
    assert_eq!(exit, 0, "{result:#}");
    assert!(result["configurations"].as_u64().unwrap() >= 2, "{result:#}");
    // Nothing is set for the check: it says what it assumed.
    let notes = result["findings"].as_array().unwrap().iter();
    let notes: Vec<&Value> = notes.filter(|finding| finding["level"] == "note").collect();
    assert_eq!(result["notes"], notes.len(), "{result:#}");
    let keys = notes.iter().find(|note| note["path"] == "TOLLGATE_JWKS").unwrap();
    assert_eq!(keys["message"], "not set; assumed to hold a key set");
}

#[test]
fn warnings_pass_unless_strict_and_usage_has_an_exit_code_of_its_own() {
    let mut config = good();
    config["limits"] = json!([{"name": "unused", "rate": "1/s"}]);
    let path = file("warned.json", &config.to_string());
    let path = path.to_str().unwrap();
    let (exit, result) = check(&[path]);
    assert_eq!((exit, result["problems"].as_u64()), (0, Some(0)), "{result:#}");
    assert!(result["warnings"].as_u64() > Some(0), "{result:#}");
    assert_eq!(check(&["--strict", path]).0, 1);
    // A directory in which nothing is checked is a mistake in the command.
    let empty = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli/check/empty");
    std::fs::create_dir_all(&empty).unwrap();
    let _ = std::fs::remove_file(empty.join("values.yaml"));
    assert_eq!(check(&[empty.to_str().unwrap()]).0, 2);
    std::fs::write(empty.join("values.yaml"), "a: 1\n").unwrap();
    assert_eq!(check(&[empty.to_str().unwrap()]).0, 2);
    assert_eq!(check(&[path, empty.to_str().unwrap()]).0, 2);
    for usage in [&["/no/such/file"][..], &[], &["--env", "TOLLGATE_NOT_SET_HERE", path], &["--no"]]
    {
        assert_eq!(check(usage).0, 2, "{usage:?}");
    }
}

#[test]
fn a_file_of_a_directory_that_cannot_be_read_is_ours_if_it_mentions_the_filter() {
    for (name, text, exit, level) in [
        ("ours.yaml", "name: tollgate\n a: 1\n", 1, "problem"),
        ("ours.json", "{\"name\": \"tollgate\",}", 1, "problem"),
        ("template.yaml", "name: tollgate\n{{ .Values.a }}: 1\n", 0, "warning"),
        ("other.yaml", "name: else\n a: 1\n", 0, "warning"),
    ] {
        let folder = format!("broken/{}", name.replace('.', "-"));
        let path = file(&format!("{folder}/{name}"), text);
        let directory = path.parent().unwrap().to_str().unwrap();
        // An earlier run may have left the other file.
        let _ = std::fs::remove_file(path.with_file_name("sound.json"));
        let alone = tollgate(&["check", directory]);
        let told = [&alone.0[..], &alone.1].concat();
        assert!(told.contains(name) && alone.2 != 0, "{name}: {told}");
        file(&format!("{folder}/sound.json"), &good().to_string());
        let (found, result) = check(&[directory]);
        let findings = result["findings"].as_array().unwrap().iter();
        let of_file = |f: &&Value| f["file"].as_str().is_some_and(|file| file.ends_with(name));
        let levels: Vec<&Value> = findings.filter(of_file).map(|f| &f["level"]).collect();
        assert_eq!((found, levels), (exit, vec![&json!(level)]), "{name}: {result:#}");
    }
}

#[test]
fn nothing_is_coloured_without_a_terminal() {
    let path = file("plain.json", "{}");
    let (output, ..) = tollgate(&["check", path.to_str().unwrap()]);
    assert!(!output.contains('\u{1b}'), "{output:?}");
}

#[test]
fn a_limit_of_one_name_and_two_sizes_in_filters_that_share_their_data_is_warned_of() {
    let limited = |rate: &str| {
        let mut config = good();
        config["rules"] = json!([{"name": "all", "limits": ["calls"]}]);
        config["limits"] = json!([{"name": "calls", "rate": rate}]);
        config
    };
    for (first, second, vm, want) in [
        ("10/h", "1/s", "tollgate", true),
        ("10/h", "10/h", "tollgate", false),
        ("60/m", "1/s", "tollgate", true),
        ("10/h", "1/s", "another", false),
    ] {
        let mut document = bootstrap(&limited(first));
        let mut other = bootstrap(&limited(second))["static_resources"]["listeners"][0].take();
        let filter = "/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config";
        other.pointer_mut(filter).unwrap()["vm_config"]["vm_id"] = json!(vm);
        document["static_resources"]["listeners"].as_array_mut().unwrap().push(other);
        let (code, result) = check_text("shared.yaml", &document.to_string());
        let told = result["findings"].as_array().unwrap().iter().any(|finding| {
            finding["path"].as_str().unwrap().ends_with("limits[0]")
                && finding["message"].as_str().unwrap().contains("another size than")
        });
        assert_eq!((code, told), (0, want), "{first} {second} {vm}: {result:#}");
    }
}

#[test]
fn a_workflow_of_github_gets_one_annotation_for_each_finding() {
    let config = r#"{"providers": [{"name": "P%", "issuers": ["i"], "audiences": "any",
        "keys": {"env": "K"}}],
 "limits": [{"name": "l,1", "rate": "1/s"}]}"#;
    let path = file("github, 1.json", config);
    let path = path.to_str().unwrap();
    let (text, _, code) = tollgate(&["check", "--format", "github", path]);
    let shown = path.replace(',', "%2C");
    let allowed = "is not a name; allowed: [a-z0-9_-]{1,32}";
    assert_eq!(
        text,
        format!(
            "::error file={shown},line=1,col=17::providers[0].name: \"P%25\" {allowed}\n\
             ::error file={shown},line=3,col=14::limits[0].name: \"l,1\" {allowed}\n\
             ::notice file={shown},line=1,col=1::K: not set; assumed to hold a key set\n\
             1 configuration: 2 problems, 0 warnings, 1 note\n"
        )
    );
    assert_eq!(code, 1);
    let synonym = tollgate(&["check", "--json", path]);
    assert_eq!(tollgate(&["check", "--format", "json", path]), synonym);
    assert_eq!(tollgate(&["check", "--format", "xml", path]).2, 2);
}

#[test]
fn files_that_are_made_to_exhaust_the_command_are_refused_with_a_message() {
    let deep = |open: &str, close: &str| [open.repeat(60_000), close.repeat(60_000)].concat();
    let blocks = (1..400).map(|indent| format!("{}a: |\n", " ".repeat(indent)));
    let copies = "bcdefghij".chars().scan('a', |last, name| {
        let of = std::mem::replace(last, name);
        Some(format!("{name}: &{name} [{}]\n", vec![format!("*{of}"); 9].join(",")))
    });
    for (name, text, message) in [
        ("lists.yaml", deep("- ", ""), "recursion limit"),
        ("flow.yaml", deep("[", "]"), "recursion limit"),
        ("maps.yaml", deep("{a: ", "}"), "recursion limit"),
        ("json.json", deep("{\"a\":", "}"), "recursion limit"),
        ("blocks.yaml", blocks.collect(), "unknown field"),
        ("copies.yaml", format!("a: &a [x]\n{}", copies.collect::<String>()), "repetition limit"),
        ("itself.yaml", "a: &a [*a]\n".to_owned(), "recursion limit"),
        ("large.yaml", "#".repeat(17 << 20), "is too large"),
        ("nul.yaml", "\0\0".to_owned(), "control characters"),
    ] {
        let path = file(&format!("hostile/{name}"), &text);
        let (output, errors, code) = tollgate(&["check", path.to_str().unwrap()]);
        assert_eq!((code, errors.as_str()), (1, ""), "{name}");
        assert!(output.contains(message), "{name}: {output}");
    }
    let (exit, result) = check(&["/dev/zero"]);
    assert_eq!((exit, found(&result)), (1, vec!["problem (file)".to_owned()]));
}

#[test]
fn a_block_of_many_lines_is_checked() {
    let rule =
        |index| json!({"name": format!("r{index}"), "match": {"paths": [format!("/{index}")]}});
    let mut config = good();
    config["rules"] = (0..500).map(rule).collect();
    config["rules"][499]["limits"] = json!(["absent"]);
    let config = serde_json::to_string_pretty(&config).unwrap();
    let lines: String = config.lines().map(|line| format!("      {line}\n")).collect();
    let text = format!(
        "'@type': /envoy.extensions.filters.http.wasm.v3.Wasm\n\
         config:\n  name: tollgate\n  configuration:\n    '@type': /google.protobuf.StringValue\n    \
         value: |\n{lines}"
    );
    let (exit, result) = check_text("many.yaml", &text);
    assert_eq!((exit, &result["findings"][0]["column"]), (1, &json!(15)), "{result:#}");
}

#[test]
fn a_given_variable_that_no_configuration_reads_is_a_mistake() {
    let path = file("env.json", &keys_by_env().to_string());
    let path = path.to_str().unwrap();
    let keys = format!("KEYS={}", KEYS.trim());
    for (given, code, cure) in [
        (keys.as_str(), 0, ""),
        ("KEY=a-secret", 2, "allowed: KEYS"),
        ("keys=a-secret", 2, "allowed: KEYS"),
        // The name was forgotten.
        ("sk-a-secret", 2, "allowed: NAME=VALUE"),
        ("1-a-secret=", 2, "allowed: NAME=VALUE"),
    ] {
        let (output, errors, exit) = tollgate(&["check", "--env", given, path]);
        assert_eq!(exit, code, "{output}{errors}");
        assert!(errors.contains(cure), "{errors}");
        assert!(![output, errors].concat().contains("a-secret"));
    }
}

#[test]
fn no_output_has_a_command_for_a_terminal() {
    let name = "\u{1b}]0;t\u{7}\u{9b}31m\u{202e}\u{200f}\r";
    let mut config = good();
    config[name] = json!(name);
    config["providers"][0]["name"] = json!(name);
    let path = file("terminal.json", &config.to_string());
    let path = path.to_str().unwrap();
    let line = json!({"Decision": "deny", "Reason": name, "Path": name, "Identity": name, "Kid": name,
                      "Detail": name, "Method": name, "Rule": [name], "ResponseCode": {name: 1}});
    let log = file("terminal.log", &line.to_string());
    let log = log.to_str().unwrap();
    for arguments in [
        &["check", path][..],
        &["check", "--json", path],
        &["check", "--format", "github", path],
        &["explain", "--config", path],
        &["explain", "--audit", log],
        &["explain", "--audit", log, "--json"],
    ] {
        let (output, errors, code) = tollgate(arguments);
        assert!(code == 1 || code == 3, "{arguments:?} {errors}");
        let all = [output, errors].concat();
        let bad = |c: &char| (c.is_control() && *c != '\n') || "\u{202e}\u{200f}".contains(*c);
        assert_eq!(all.chars().find(bad), None, "{arguments:?} {all:?}");
    }
}

#[test]
fn a_configuration_on_standard_input_is_checked_converted_and_explained() {
    let good = "providers:\n- name: p\n  issuers: [\"https://i.test\"]\n  audiences: any\n  \
                keys: {remote: {uri: \"https://i.test/k\", cluster: c}}\n";
    let (text, _, code) = tollgate_reads(good, &["check", "-"]);
    assert!(code == 0 && text.starts_with("- ok\n"), "{text}");
    let (text, _, code) = tollgate_reads(&good.replace("any", "1"), &["check", "-"]);
    assert!(code == 1 && text.contains("providers[0].audiences (line 4, column 3)"), "{text}");
    let (text, _, code) = tollgate_reads("", &["check", "-"]);
    assert!(code == 1 && text.contains("contains no configuration"), "{text}");
    let (text, _, code) = tollgate_reads(good, &["json", "-"]);
    assert!(code == 0 && text.contains(r#""audiences": "any""#), "{text}");
    let (text, _, code) = tollgate_reads(good, &["explain", "--config", "-"]);
    assert!(code == 3 && text.contains("deny token_missing"), "{text}");
    for (more, said) in [
        (&["--token", "-"][..], "--config: standard input has the token; name a file"),
        (&["--body", "-"], "--body: standard input has the configuration; name a file"),
    ] {
        let (_, errors, code) =
            tollgate_reads(good, &[&["explain", "--config", "-"], more].concat());
        assert!(code == 2 && errors.contains(said), "{errors}");
    }
}
