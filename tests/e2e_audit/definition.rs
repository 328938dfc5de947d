//! docs/audit.json.

use std::collections::BTreeSet;

use serde_json::Value;
use support::root;

/// A field of the audit line.
pub struct Field {
    pub name: String,
    /// What Envoy writes: a command operator.
    pub value: String,
    /// The same in the line without personal data; `None` if that line has no such field.
    pub private: Option<String>,
    /// The same where an allowed request has its tags in headers alone, if it differs.
    pub auto: Option<String>,
    pub kind: Kind,
    /// For readers.
    pub content: String,
    /// Whether Azure ML's traffic log has a column of this name.
    pub azure_ml: bool,
    /// Only some examples have it.
    pub optional: bool,
}

/// How a value is written in JSON.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Text,
    Number,
    /// A number as text.
    Digits,
}

/// Where Envoy's access log service finds the value of a field.
pub enum Source {
    /// In a state that the filter writes.
    State(String),
    /// In a header that the example adds.
    Header(String),
    /// In a member of Envoy's own message.
    Message,
}

impl Field {
    /// What an example writes; `None` if it has no such field. [`PRIVATE`] are those whose lines have
    /// no personal data, [`AUTO`] is that of `telemetry.filter_state: auto`.
    pub fn value_in(&self, example: &str) -> Option<&str> {
        if example.ends_with(AUTO) {
            return Some(self.auto.as_ref().unwrap_or(&self.value));
        }
        match PRIVATE.iter().any(|part| example.contains(part)) {
            true => self.private.as_deref(),
            false => Some(&self.value),
        }
    }

    /// The type of the value as it stands in the line, in KQL.
    pub fn kusto(&self) -> &'static str {
        match self.kind {
            Kind::Number => "long",
            Kind::Text if self.name == "Time" => "datetime",
            Kind::Text | Kind::Digits => "string",
        }
    }

    pub fn source(&self) -> Source {
        let between = |start: &str, end: &str| {
            let inside = self.value.strip_prefix(start)?.split_once(end)?.0;
            Some(inside.to_owned())
        };
        if let Some(state) = between("%FILTER_STATE(", ":PLAIN)%") {
            return Source::State(state);
        }
        let header = between("%REQ(", ")").map(|header| header.to_lowercase());
        let own = [":method", "x-request-id", "user-agent"];
        header.filter(|name| !own.contains(&name.as_str())).map_or(Source::Message, Source::Header)
    }
}

/// The example for `telemetry.filter_state: auto`.
pub const AUTO: &str = "envoy/telemetry/auto.yaml";

/// In the names of examples that write lines without personal data.
pub const PRIVATE: [&str; 2] = ["telemetry/private", "telemetry-private"];

/// The fields in the order of the file.
pub fn definition() -> Vec<Field> {
    let text = std::fs::read_to_string(root().join("docs/audit.json")).unwrap();
    let fields: Vec<Value> = serde_json::from_str(&text).unwrap();
    fields.iter().map(field).collect()
}

fn field(value: &Value) -> Field {
    let text =
        |name: &str| value[name].as_str().unwrap_or_else(|| panic!("{name}: {value}")).into();
    let flag = |name: &str| value.get(name).is_some_and(|flag| flag.as_bool().unwrap());
    let known = ["name", "value", "private", "auto", "kind", "content", "azure_ml", "optional"];
    assert!(value.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{value}");
    let kind = match value["kind"].as_str() {
        Some("text") => Kind::Text,
        Some("number") => Kind::Number,
        Some("digits") => Kind::Digits,
        _ => panic!("the kind of {value}"),
    };
    Field {
        name: text("name"),
        value: text("value"),
        private: match value.get("private") {
            None => Some(text("value")),
            Some(private) => private.as_str().map(str::to_owned),
        },
        auto: value.get("auto").map(|_| text("auto")),
        kind,
        content: text("content"),
        azure_ml: flag("azure_ml"),
        optional: flag("optional"),
    }
}

/// The fields that every example has.
pub fn required() -> BTreeSet<String> {
    definition().into_iter().filter(|field| !field.optional).map(|field| field.name).collect()
}

/// The columns of `AmlOnlineEndpointTrafficLog`, as Microsoft documents them (2026-08).
pub const AZURE_ML: [&str; 24] = [
    "AuthType",
    "AzureMLWorkspaceId",
    "AzureMLWorkspaceName",
    "DeploymentName",
    "EndpointName",
    "IdentityData",
    "Location",
    "Method",
    "ModelStatusCode",
    "ModelStatusReason",
    "OperationName",
    "Path",
    "Protocol",
    "RequestDurationMs",
    "RequestPayloadSize",
    "ResponseCode",
    "ResponseCodeReason",
    "ResponseDurationMs",
    "ResponsePayloadSize",
    "TimeGenerated",
    "TotalDurationMs",
    "UserAgent",
    "XMSClientRequestId",
    "XRequestId",
];

#[test]
fn each_field_has_one_name_and_no_secret_and_the_columns_of_azure_ml_are_marked() {
    let fields = definition();
    let names: BTreeSet<_> = fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names.len(), fields.len());
    for Field { name, value, auto, content, azure_ml, .. } in &fields {
        assert_eq!(*azure_ml, AZURE_ML.contains(&name.as_str()), "{name}");
        let operator = value.starts_with('%') && value.matches('%').count() == 2;
        assert!(operator, "{name}: {value}");
        if let Some(value) = auto {
            let operator = value.starts_with("%COALESCE({") && value.matches('%').count() == 2;
            assert!(operator && !value.trim_end_matches("})%").contains(')'), "{name}: {value}");
        }
        assert!(!content.is_empty() && !content.contains('|'), "{name}: {content}");
        let secret = ["AUTHORIZATION", "COOKIE", "REQ(:PATH", "WQ:", "ORIGINAL-PATH"];
        assert!(secret.iter().all(|part| !value.to_uppercase().contains(part)), "{name}: {value}");
    }
}
