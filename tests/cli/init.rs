//! `tollgate init`: every form passes `check`, and wrong options are refused.

use std::path::Path;

use serde_json::Value;
use support::manifests;
use support::removal::{Removal, tag_headers};
use support::walk::configurations;

use super::{file, tollgate};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const TARGETS: [&str; 3] = ["envoy", "istio", "envoy-gateway"];

/// The options of issuers, and the address of the keys in the result.
const SOURCES: [(&[&str], &str); 4] = [
    (&["--entra", TENANT], "login.microsoftonline.com, port_value: 443"),
    (&["--issuer", "https://team.eu.auth0.com/"], "team.eu.auth0.com, port_value: 443"),
    (&["--issuer", "https://idp.test:8443/realms/a"], "idp.test, port_value: 8443"),
    (&["--issuer", "http://127.0.0.1:8087"], "127.0.0.1, port_value: 8087"),
];

#[test]
fn every_form_passes_check_and_only_the_digest_of_the_image_is_left_to_set() {
    for target in TARGETS {
        for (index, (source, keys)) in SOURCES.iter().enumerate() {
            let common = ["init", "--for", target, "--audience", "api://\"quoted\""];
            let (text, errors, code) = tollgate(&[&common[..], source].concat());
            if target != "envoy" && source[1].starts_with("http:") {
                assert_eq!((code, errors.contains("https")), (2, true), "{errors}");
                continue;
            }
            assert_eq!(code, 0, "{target} {source:?}: {errors}");
            assert!(target == "istio" || text.contains(keys), "{text}");
            let of_example = ["buffer.yaml", "proxy.yaml", "scoring\n", "api://scoring", "score"];
            let left = of_example.iter().find(|part| text.contains(**part));
            assert_eq!(left, None, "a part of the example is left:\n{text}");

            let documents = Value::Array(manifests::documents(&text));
            let config = configurations(&documents).remove(0);
            let misses = Removal::of(&documents).misses(tag_headers(&config));
            assert!(misses.is_empty(), "not removed before all filters: {misses:?}\n{text}");

            let path = file(&format!("init/{target}-{index}.yaml"), &text);
            let (result, _, code) = tollgate(&["check", "--json", path.to_str().unwrap()]);
            let result: Value = serde_json::from_str(&result).unwrap();
            let findings = result["findings"].as_array().unwrap();
            assert_eq!((code, result["configurations"].as_u64()), (0, Some(1)), "{result:#}");
            assert_eq!(findings.len(), usize::from(target != "envoy"), "{result:#}");
            for finding in findings {
                assert!(finding["path"].as_str().unwrap().ends_with("sha256"), "{result:#}");
            }
        }
    }
}

#[test]
fn every_preset_passes_check_in_every_form_and_opens_no_other_path() {
    for preset in ["openai", "anthropic", "gemini", "azure-openai", "kserve", "mcp"] {
        for target in TARGETS {
            for key in [&[][..], &["--upstream-key", "UPSTREAM_KEY"]] {
                let server: &[&str] =
                    if preset == "mcp" { &["--server", "https://ml.example.com"] } else { &[] };
                let common = ["init", "--audience", "a", "--for", target, "--preset", preset];
                let options = [&common[..], SOURCES[1].0, key, server].concat();
                let (text, errors, code) = tollgate(&options);
                assert_eq!(code, 0, "{options:?}: {errors}");

                let path = file(&format!("init/{preset}-{target}-{}.yaml", key.len()), &text);
                let (result, _, code) = tollgate(&["check", "--json", path.to_str().unwrap()]);
                let result: Value = serde_json::from_str(&result).unwrap();
                let findings = result["findings"].as_array().unwrap().iter();
                let mut findings = findings.filter(|finding| finding["level"] != "note");
                let other = findings.find(|f| !f["path"].as_str().unwrap().ends_with("sha256"));
                assert_eq!((code, other), (0, None), "{options:?}");

                let config = configurations(&Value::Array(manifests::documents(&text))).remove(0);
                for rule in config["rules"].as_array().unwrap() {
                    let matched = &rule["match"];
                    assert!(matched["paths"].is_array() && matched["methods"].is_array(), "{rule}");
                    let lends = rule["upstream_authorization"]["env"] == "UPSTREAM_KEY";
                    let is_open = rule["auth"] == "none";
                    assert_eq!(lends, !key.is_empty() && !is_open, "{options:?} {rule}");
                    // Envoy's form alone can hold back the headers of a guarded request.
                    assert!(target == "envoy" || rule["payload"].is_null(), "{options:?} {rule}");
                }
                let hidden = config["token"]["forward"] == false;
                assert_eq!(hidden, !key.is_empty(), "{options:?}");
            }
        }
    }
}

#[test]
fn wrong_options_are_refused_and_a_file_is_never_overwritten() {
    for (arguments, message) in [
        (
            &["--entra", "contoso"][..],
            "error: --entra: \"contoso\" is not a GUID; write the tenant ID",
        ),
        (&["--issuer", "https://team.eu.auth0.com"], "error: --issuer: no token has the issuer"),
        (&["--issuer", "https://idp.test", "--audience="], "error: --audience: is empty"),
        (&["--issuer", "idp.test"], "is not an address"),
        (&["--issuer", "http://idp.test"], "error: --issuer: "),
        (&["--issuer", "https://idp.test", "--entra", TENANT], "cannot be used with"),
        (&["--issuer", "https://idp.test", "--for", "nginx"], "invalid value"),
        (&["--entra", TENANT, "--preset", "mcp"], "--server <URL>"),
        (&["--entra", TENANT, "--preset", "mcp", "--server", "https://a/mcp"], "is not an origin"),
        (&["--entra", TENANT, "--preset", "mcp", "--server", "http://a"], "is not an origin"),
        (&["--entra", TENANT, "--preset", "openai", "--server", "https://a"], "only for --preset"),
        (&["--entra", TENANT, "--upstream-key", "KEY"], "--preset <API>"),
        (
            &["--entra", TENANT, "--preset", "openai", "--upstream-key", "A=B"],
            "error: --upstream-key: ",
        ),
        (&[], "<--issuer <URL>|--entra <TENANT>>"),
    ] {
        let audience: &[&str] = match arguments.contains(&"--audience=") {
            true => &["init"],
            false => &["init", "--audience", "api://scoring"],
        };
        let (text, errors, code) = tollgate(&[audience, arguments].concat());
        assert_eq!((code, text.as_str()), (2, ""), "{arguments:?}");
        assert!(errors.contains(message), "{arguments:?}: {errors}");
    }
    let path = file("init/new.yaml", "");
    std::fs::remove_file(&path).unwrap();
    let path = path.to_str().unwrap();
    let options = ["init", "--issuer", "https://idp.test", "--audience", "a", "--output", path];
    assert_eq!(tollgate(&options).2, 0);
    let written = std::fs::read_to_string(path).unwrap();
    assert_eq!(written, tollgate(&options[..5]).0);
    let (_, errors, code) = tollgate(&options);
    assert_eq!((code, errors.contains("the file exists")), (2, true), "{errors}");
    assert!(Path::new(path).is_file());
}

#[test]
fn the_values_of_the_options_arrive_as_they_were_given() {
    let audience = "https://login.microsoftonline.com/{realm:scoring}#'$X%\u{1f600}";
    for host in ["a.example.com", "login.microsoftonline.com.a.example.com", "on", "8443"] {
        let issuer = format!("https://{host}/login.microsoftonline.com/8443");
        for target in TARGETS {
            let options = ["init", "--for", target, "--audience", audience, "--issuer", &issuer];
            let (text, errors, code) = tollgate(&options);
            assert_eq!(code, 0, "{target} {issuer}: {errors}");
            for (expected, count) in [
                (format!("{issuer}/.well-known/openid-configuration\""), 1),
                (format!("[\"{issuer}\"]"), 1),
                (format!("[{}]", Value::from(audience)), 1),
                (format!("tokens of {issuer}.\n"), 1),
            ] {
                assert_eq!(text.matches(&expected).count(), count, "{expected}\n{text}");
            }
            // What is no text for YAML without quotes has them.
            let quoted = if host.contains('.') { host.to_owned() } else { format!("{host:?}") };
            assert!(text.contains(&format!("sni: {quoted}\n")), "{target} {host}\n{text}");
        }
    }
}

#[test]
fn an_issuer_without_a_host_name_is_refused() {
    for issuer in [
        "https://[::1]/",
        "https://10.0.0.1",
        "http://[::1]:80",
        "https://-",
        "https://a.",
        "https://a..b",
    ] {
        for target in TARGETS {
            let options = ["init", "--for", target, "--audience", "a", "--issuer", issuer];
            let (text, errors, code) = tollgate(&options);
            assert_eq!((code, text.as_str()), (2, ""), "{issuer}");
            assert!(errors.contains("is no host name"), "{issuer}: {errors}");
        }
    }
}
