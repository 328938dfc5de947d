//! Envoy's changes to the authority of a request before it selects a virtual host: a model of its
//! `HeaderUtility::stripPortFromHost`, `stripTrailingHostDot` and of its route configuration.

#![allow(dead_code, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::{Value, json};

/// The treatment of the authority by the connection manager or the route configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostOption {
    None,
    StripAnyPort,
    StripMatchingPort,
    StripTrailingDot,
    IgnorePort,
    /// As the examples have it: any port and the dot.
    StripBoth,
}

impl HostOption {
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::StripAnyPort,
        Self::StripMatchingPort,
        Self::StripTrailingDot,
        Self::IgnorePort,
        Self::StripBoth,
    ];

    /// Fields of the connection manager.
    pub fn manager(self) -> Value {
        match self {
            Self::None | Self::IgnorePort => json!({}),
            Self::StripAnyPort => json!({"strip_any_host_port": true}),
            Self::StripMatchingPort => json!({"strip_matching_host_port": true}),
            Self::StripTrailingDot => json!({"strip_trailing_host_dot": true}),
            Self::StripBoth => {
                json!({"strip_any_host_port": true, "strip_trailing_host_dot": true})
            }
        }
    }

    /// The authority that filters and upstreams see.
    pub fn seen(self, given: &str, listener: u16) -> String {
        let without_port = |text: &str, only: Option<u16>| -> String {
            let Some((host, port)) = port_of(text) else { return text.to_owned() };
            match port.parse::<u32>() {
                Ok(port) if only.is_none_or(|only| u32::from(only) == port) => host.to_owned(),
                _ => text.to_owned(),
            }
        };
        let without_dot = |text: &str| -> String {
            match text.rfind('.') {
                Some(at) if at + 1 == text.len() => text[..at].to_owned(),
                Some(at) if text[at + 1..].starts_with(':') => {
                    format!("{}{}", &text[..at], &text[at + 1..])
                }
                _ => text.to_owned(),
            }
        };
        match self {
            Self::None | Self::IgnorePort => given.to_owned(),
            Self::StripAnyPort => without_port(given, None),
            Self::StripMatchingPort => without_port(given, Some(listener)),
            Self::StripTrailingDot => without_dot(given),
            Self::StripBoth => without_port(&without_dot(given), None),
        }
    }

    /// The part of an authority, as filters see it, that is compared with domains.
    pub fn compared(self, seen: &str) -> String {
        let host = match (self, port_of(seen)) {
            (Self::IgnorePort, Some((host, _))) => host,
            _ => seen,
        };
        host.to_ascii_lowercase()
    }
}

/// The texts before and after the last `:` outside brackets.
fn port_of(text: &str) -> Option<(&str, &str)> {
    let at = text.rfind(':')?;
    match text.rfind(']') {
        Some(bracket) if bracket > at => None,
        _ => Some((&text[..at], &text[at + 1..])),
    }
}
