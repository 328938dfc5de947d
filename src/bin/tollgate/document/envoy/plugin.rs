//! Reads one `PluginConfig` of Envoy and finds its risks.

use serde_json::Value;

use super::super::tree::{at, field, items, member, text};
use super::super::{Finding, Found, Host};
use super::capabilities;
use crate::environment::Handed;

/// Reads a plugin; `None` if it is another filter. `labelled` says that the manifest's label claims it.
pub fn read(config: &Value, path: &str, labelled: bool) -> Option<Found> {
    let configuration = field(config, "configuration");
    let value = configuration.and_then(|c| c.get("value")).and_then(Value::as_str);
    let is_named = labelled || names_us(config);
    if !(is_named || value.is_some_and(has_providers)) {
        return None;
    }
    let at = member(path, "configuration");
    let mut found = Found {
        at: at.clone(),
        name: text(config, &["name"]).map(str::to_owned),
        is_named,
        shared: Some(
            [&["vm_config", "vm_id"][..], &["name"]]
                .map(|path| text(config, path).unwrap_or_default().to_owned())
                .into(),
        ),
        handed: Some(handed(config)),
        handed_at: format!("{path}.vm_config.environment_variables"),
        is_text: true,
        host: Host::Envoy {
            holds_heads: field(config, "allow_on_headers_stop_iteration")
                == Some(&Value::Bool(true)),
        },
        ..Found::default()
    };
    match configuration {
        None => found.findings.push(Finding::problem(
            at,
            "is required; write a google.protobuf.StringValue with the filter's JSON text",
        )),
        Some(configuration) => match text_of(configuration) {
            Ok(text) => found.text = Some(text),
            Err(message) => found.findings.push(Finding::problem(at, message)),
        },
    }
    check_failure_policy(config, path, &mut found);
    let capabilities = capabilities::check(config, &found.configuration(), path);
    found.findings.extend(capabilities);
    if let Some(text) = text(config, &["vm_config", "code", "remote", "sha256"]) {
        found.findings.extend(digest(text, format!("{path}.vm_config.code.remote.sha256"), MODULE));
        check_mark(config, text, path, &mut found);
    }
    Some(found)
}

/// Envoy looks for a running VM before it has fetched the module, so the digest must be part of what it
/// looks for (docs/upgrading.md).
fn check_mark(config: &Value, digest: &str, path: &str, found: &mut Found) {
    let configuration = at(config, &["vm_config", "configuration"]);
    if !configuration.is_some_and(|configuration| configuration.to_string().contains(digest)) {
        let why = "lacks the digest of code.remote: after a change of the module, Envoy goes on with the \
                   old code; write a google.protobuf.StringValue with the digest";
        found.findings.push(Finding::warning(format!("{path}.vm_config.configuration"), why));
    }
}

/// The text that the filter gets: a `StringValue` arrives as text, every other type in binary.
fn text_of(configuration: &Value) -> Result<Vec<u8>, String> {
    const ALLOWED: &str = "allowed: google.protobuf.StringValue with the JSON text as its value";
    let kind = configuration.get("@type").and_then(Value::as_str).unwrap_or_default();
    let kind = kind.rsplit('/').next().unwrap_or_default();
    match (kind, configuration.get("value")) {
        ("google.protobuf.StringValue", Some(Value::String(text))) if is_yaml(text) => Err(
            "looks like YAML, and the filter reads this text as JSON; keep the YAML in a file of its own, and \
             write what `tollgate json FILE --into ENVOY` prints"
                .to_owned(),
        ),
        ("google.protobuf.StringValue", Some(Value::String(text))) => Ok(text.clone().into_bytes()),
        ("google.protobuf.StringValue", _) => Err(format!("has no text as its value; {ALLOWED}")),
        ("google.protobuf.Struct", _) => Err(format!(
            "is a google.protobuf.Struct, which reaches the filter in binary form; {ALLOWED}"
        )),
        ("", _) => Err(format!("has no @type; {ALLOWED}")),
        (kind, _) => Err(format!("is a {kind:?}; {ALLOWED}")),
    }
}

/// Whether a text begins with a member as YAML writes it. JSON begins with a brace.
fn is_yaml(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_end);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#') && *line != "---");
    first.and_then(|line| line.split_once(':')).is_some_and(|(name, rest)| {
        let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_name && !name.is_empty() && (rest.is_empty() || rest.starts_with(' '))
    })
}

/// The file or address of the module, and the labels of the plugin.
fn names_us(config: &Value) -> bool {
    let code = ["local", "remote"].map(|source| at(config, &["vm_config", "code", source]));
    let labels = [
        text(config, &["name"]),
        text(config, &["root_id"]),
        text(config, &["vm_config", "vm_id"]),
    ];
    labels.into_iter().flatten().any(mentions_us)
        || code.into_iter().flatten().any(|source| mentions_us(&source.to_string()))
}

/// The message for a digest of zeros.
pub const PLACEHOLDER: &str = "is a placeholder that no module has";

/// What to write instead of the digest of an image.
pub const IMAGE: &str = "write the digest that `make push` or `make release` prints";

/// What to write instead of the digest of a module.
const MODULE: &str = "write the digest of the module, as `sha256sum` prints it";

/// The same for the digest that belongs to a source of Envoy Gateway.
pub fn write_for(source: &str) -> &'static str {
    if source == "http" { MODULE } else { IMAGE }
}

/// Finds flaws in the digest of a module or an image. `write` says what to write instead of zeros.
pub fn digest(text: &str, path: String, write: &str) -> Option<Finding> {
    let hexadecimal = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    match text.bytes().all(|b| b == b'0') {
        true => Some(Finding::warning(path, format!("{PLACEHOLDER}; {write}"))),
        false if !hexadecimal => {
            let why = "is not a SHA-256 digest; allowed: 64 hexadecimal digits";
            Some(Finding::problem(path, why))
        }
        false => None,
    }
}

/// Whether a name or an address contains the name of this filter.
pub fn mentions_us(text: &str) -> bool {
    text.to_ascii_lowercase().contains("tollgate")
}

fn has_providers(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value.get("providers").is_some())
}

fn handed(config: &Value) -> Handed {
    let variables = ["vm_config", "environment_variables"];
    let from_host = items(config, &[variables[0], variables[1], "host_env_keys"]);
    let values = at(config, &[variables[0], variables[1], "key_values"]);
    let values = values.and_then(Value::as_object).into_iter().flatten();
    Handed {
        from_host: from_host.filter_map(Value::as_str).map(str::to_owned).collect(),
        values: values
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect(),
    }
}

fn check_failure_policy(config: &Value, path: &str, found: &mut Found) {
    if field(config, "fail_open") == Some(&Value::Bool(true)) {
        let why = "is true: without a VM, every request passes without a token; leave it out, and set \
                   failure_policy: FAIL_RELOAD";
        found.findings.push(Finding::warning(member(path, "fail_open"), why));
    }
    let policy = text(config, &["failure_policy"]);
    let why = match policy {
        Some("FAIL_RELOAD") => return,
        Some("FAIL_OPEN") => {
            "is FAIL_OPEN: without a VM, every request passes without a token; write FAIL_RELOAD"
        }
        _ => {
            "is not FAIL_RELOAD: after its VM ends, the filter refuses every request until the proxy \
             restarts; write FAIL_RELOAD"
        }
    };
    found.findings.push(Finding::warning(member(path, "failure_policy"), why));
}
