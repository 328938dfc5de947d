//! Envoy's options that change paths and hosts before the filter sees them.

use std::fmt;

use support::prelude::*;

/// Envoy's options for paths and hosts.
#[derive(Clone, Debug, Default)]
pub struct Options {
    normalize: bool,
    merge: bool,
    slashes: Slashes,
    strip_port: bool,
    strip_dot: bool,
    pub ignore_port: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Slashes {
    #[default]
    Keep,
    Reject,
    Redirect,
    Forward,
}

impl Slashes {
    const ALL: [Self; 4] = [Self::Keep, Self::Reject, Self::Redirect, Self::Forward];

    fn action(self) -> &'static str {
        match self {
            Self::Keep => "KEEP_UNCHANGED",
            Self::Reject => "REJECT_REQUEST",
            Self::Redirect => "UNESCAPE_AND_REDIRECT",
            Self::Forward => "UNESCAPE_AND_FORWARD",
        }
    }
}

impl Options {
    /// All of them, each with each.
    pub fn product() -> Vec<Self> {
        let bits = |at: usize, bit: usize| at >> bit & 1 == 1;
        let of = |at: usize| Self {
            normalize: bits(at, 0),
            merge: bits(at, 1),
            strip_port: bits(at, 2),
            strip_dot: bits(at, 3),
            ignore_port: bits(at, 4),
            slashes: Slashes::ALL[at >> 5],
        };
        (0..128).map(of).collect()
    }

    /// Every option on and off, and every action once.
    pub fn sample() -> Vec<Self> {
        let paths = |merge, slashes| Self { normalize: true, merge, slashes, ..Self::default() };
        vec![
            Self::default(),
            Self { strip_port: true, strip_dot: true, ..paths(true, Slashes::Forward) },
            Self { ignore_port: true, ..paths(false, Slashes::Redirect) },
            Self { strip_dot: true, normalize: false, ..paths(true, Slashes::Reject) },
        ]
    }

    /// The fields of the connection manager.
    pub fn hcm(&self) -> Value {
        json!({
            "normalize_path": self.normalize,
            "merge_slashes": self.merge,
            "path_with_escaped_slashes_action": self.slashes.action(),
            "strip_any_host_port": self.strip_port,
            "strip_trailing_host_dot": self.strip_dot,
            // Envoy's defaults are kinder: names with `_` are let in, and trailers over HTTP/1.1.
            "common_http_protocol_options": {
                "headers_with_underscores_action": "ALLOW", "max_headers_count": 400,
            },
            "http_protocol_options": {"enable_trailers": true},
        })
    }
}

impl fmt::Display for Options {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{self:?}")
    }
}
