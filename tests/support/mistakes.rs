//! The rows of `docs/mistakes.md`, and the findings of `tollgate check`.

use serde_json::{Value, json};

use super::root;

/// One row: the text to find in a document, its replacement, and the message.
pub struct Row {
    pub write: String,
    pub mistake: String,
    pub message: String,
}

/// A document, and the rows that change one place of it.
pub struct Section {
    pub name: String,
    pub document: String,
    pub rows: Vec<Row>,
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The content of a cell, which is code or in parentheses.
fn code(cell: &str) -> String {
    let text = match cell.strip_prefix("`` ") {
        Some(text) => text.strip_suffix(" ``"),
        None => cell.strip_prefix('`').and_then(|text| text.strip_suffix('`')),
    };
    text.unwrap_or_default().replace("\\|", "|")
}

fn row(line: &str) -> Option<Row> {
    let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
    let cells: Vec<&str> = cells.split(" | ").collect();
    let [mistake, message, write] = cells[..] else { panic!("{line}") };
    if message == "Message" {
        return None;
    }
    assert!(mistake == "(left out)" || mistake.contains('`'), "{line}");
    Some(Row { write: code(write), mistake: code(mistake), message: code(message) })
}

/// The sections of the page. The document of one is a block of the page, or a file that it names.
pub fn sections() -> Vec<Section> {
    let page = read("docs/mistakes.md");
    let mut sections: Vec<Section> = Vec::new();
    let mut block: Option<String> = None;
    for line in page.lines() {
        let of_file = line.strip_prefix("In [`").and_then(|line| line.split('`').next());
        match &mut block {
            Some(text) if line == "```" => {
                let document = std::mem::take(text);
                sections.push(Section { name: "page.yaml".into(), document, rows: Vec::new() });
                block = None;
            }
            Some(text) => text.extend([line, "\n"]),
            None if line == "```yaml" => block = Some(String::new()),
            None if of_file.is_some() => {
                let name = of_file.unwrap_or_default();
                let section = (name.replace('/', "-"), read(name));
                sections.push(Section { name: section.0, document: section.1, rows: Vec::new() });
            }
            None => {
                let row = Some(line).filter(|line| !line.starts_with("|--")).and_then(row);
                if let Some(section) = sections.last_mut() {
                    section.rows.extend(row);
                }
            }
        }
    }
    sections
}

impl Section {
    /// The document with one mistake.
    pub fn with(&self, row: &Row) -> String {
        assert!(self.document.contains(&row.write), "{} has no {:?}", self.name, row.write);
        self.document.replacen(&row.write, &row.mistake, 1)
    }
}

/// `path: message` of each finding of a level in the JSON of `tollgate check`, with the whole path in the
/// manifest.
pub fn findings(result: &Value, level: &str) -> Vec<String> {
    let all = result["findings"].as_array().unwrap_or_else(|| panic!("{result}")).iter();
    let line = |finding: &Value| {
        let text = |name: &str| finding[name].as_str().unwrap_or_default();
        let (at, path, message) = (text("at"), text("path"), text("message"));
        let at = at.strip_suffix(".configuration").map_or(at.to_owned(), |_| format!("{at}.value"));
        match path {
            _ if path.starts_with("spec.") => format!("{path}: {message}"),
            "(document)" => format!("{at}: {message}"),
            _ => format!("{at}.{path}: {message}"),
        }
    };
    all.filter(|finding| finding["level"] == level).map(line).collect()
}

/// The variables that the page's configuration reads.
const VARIABLES: [&str; 2] = ["AML_ENDPOINT_KEY", "TOLLGATE_HASH_KEY"];

/// A manifest of each kind that holds a configuration, in the namespace `models`.
pub fn manifests(config: &Value, name: &str) -> [Value; 4] {
    let digest = "9d".repeat(32);
    let variables = VARIABLES.map(|name| json!({"name": name, "valueFrom": "HOST"}));
    let istio = json!({"url": "oci://registry.test/tollgate", "sha256": digest, "phase": "AUTHN",
        "failStrategy": "FAIL_RELOAD", "vmConfig": {"env": variables}, "pluginConfig": config});
    let mut wasm = istio.clone();
    let phase = wasm.as_object_mut().unwrap().remove("phase");
    let policy = json!({"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "g"}],
        "wasm": [{"name": "tollgate", "config": config, "env": {"hostKeys": VARIABLES},
            "code": {"type": "Image", "image": {"url": "registry.test/tollgate", "sha256": digest}}}]});
    let filter = json!({"configPatches": [{"applyTo": "HTTP_FILTER",
        "match": {"listener": {"filterChain": {"filter": {"name": "envoy.filters.network.http_connection_manager"}}}},
        "patch": {"operation": "INSERT_BEFORE", "value": {"name": "tollgate", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {"name": "tollgate", "failure_policy": "FAIL_RELOAD",
                "vm_config": {"runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": "/tollgate.wasm"}},
                    "environment_variables": {"host_env_keys": VARIABLES}},
                "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": config.to_string()}}}}}}]});
    [
        ("extensions.istio.io/v1alpha1", "WasmPlugin", istio),
        ("extensions.istio.io/v1alpha1", "TrafficExtension", json!({"phase": phase, "wasm": wasm})),
        ("gateway.envoyproxy.io/v1alpha1", "EnvoyExtensionPolicy", policy),
        ("networking.istio.io/v1alpha3", "EnvoyFilter", filter),
    ]
    .map(|(version, kind, spec)| {
        let metadata = json!({"name": name, "namespace": "models"});
        json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
    })
}

/// The configuration of the page and each wrong one that is YAML.
pub fn configurations() -> (Value, Vec<Value>) {
    let sections = sections();
    let page = sections.iter().find(|section| section.name == "page.yaml").unwrap();
    let wrong = page.rows.iter().filter_map(|row| serde_yaml_ng::from_str(&page.with(row)).ok());
    (serde_yaml_ng::from_str(&page.document).unwrap(), wrong.collect())
}
