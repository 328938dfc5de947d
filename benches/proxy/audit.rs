//! The audit line, as the examples have it for the two values of `telemetry.filter_state`.

use serde_json::{Value, json};

use crate::listener::set;

/// Where the line finds the tags that have a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audit {
    /// In filter state (`all`), like the line of `envoy/envoy.yaml`.
    State,
    /// In filter state or in the header (`auto`): `envoy/telemetry/auto.yaml`.
    Header,
}

const EXAMPLE: &str = "envoy/telemetry/auto.yaml";
const LINE: &str = "/access_log/0/typed_config/log_format/json_format";

impl Audit {
    /// The value of `filter_state` that the line is written for.
    pub fn filter_state(self) -> &'static str {
        match self {
            Self::State => "all",
            Self::Header => "auto",
        }
    }

    /// The access log. Its lines go nowhere, so that no disk is measured.
    pub fn log(self) -> Value {
        let mut example = support::sample::read(EXAMPLE);
        if let Some(config) = example.pointer_mut("/access_log/0/typed_config") {
            set(config, "path", json!("/dev/null"));
        }
        if self == Self::State
            && let Some(line) = example.pointer_mut(LINE)
        {
            set(line, "Identity", json!("%FILTER_STATE(wasm.tollgate.identity:PLAIN)%"));
        }
        example.get_mut("access_log").map_or(Value::Null, Value::take)
    }
}
