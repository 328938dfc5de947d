//! The SDKs, and what is known of each.

use std::path::{Path, PathBuf};

use support::root;

use super::Seen;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Python,
    Node,
}

impl Language {
    /// The program that runs the scripts.
    pub fn program(self) -> PathBuf {
        match self {
            Self::Python => root().join("target/sdk/python/bin/python3"),
            Self::Node => support::skip::program("node").unwrap_or_default(),
        }
    }

    pub fn script(self) -> PathBuf {
        match self {
            Self::Python => root().join("tests/data/sdk/python/clients.py"),
            Self::Node => self.folder().join("clients.mjs"),
        }
    }

    /// Where Node finds the packages.
    pub fn folder(self) -> PathBuf {
        match self {
            Self::Python => root().to_owned(),
            Self::Node => root().join("target/sdk/node"),
        }
    }

    pub fn installed(self) -> bool {
        let exists = |path: &Path| path.exists();
        exists(&self.program()) && exists(&self.script())
    }
}

/// What a client lets its user see of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// The reason and the sentence.
    Sentence,
    /// The reason alone.
    Reason,
    /// Neither: it hides every body.
    Nothing,
}

pub struct Client {
    /// As the page names it.
    pub name: &'static str,
    pub language: Language,
    /// The name in its script.
    pub call: &'static str,
    /// The `body` of its rules; `grpc` where it gets none.
    pub body: &'static str,
    /// Where it puts the token.
    pub token: &'static str,
    pub shows: Shows,
    /// How many requests it sends before it gives up, where it is told not to retry.
    pub requests: usize,
    /// Whether it retries some refusals whatever they say, and then hides them.
    pub deaf: bool,
}

impl Client {
    /// A name for paths and hosts.
    pub fn key(&self) -> String {
        let name = self.name.to_lowercase();
        let words = name.split(|c: char| !c.is_ascii_alphanumeric());
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
    }

    /// Why a result is not what is known of the client.
    pub fn wrong(&self, seen: &Seen) -> Option<&'static str> {
        let passed = seen.class.is_empty();
        // An hour would be the wait of the limit.
        if seen.seconds > 120.0 {
            return Some("the client slept");
        }
        if seen.refused == 0 {
            return Some("nothing was refused");
        }
        if passed {
            return (!seen.case.passes_later).then_some("the call passed");
        }
        if self.deaf && seen.refused > self.requests {
            return (seen.shows() != (false, false)).then_some("it shows what it is known to hide");
        }
        if seen.case.never && seen.refused != self.requests {
            return Some("the client retried");
        }
        let (reason, sentence) = seen.shows();
        let shows = match (reason, sentence) {
            (true, true) => Shows::Sentence,
            (true, false) => Shows::Reason,
            _ => Shows::Nothing,
        };
        (shows != self.shows).then_some("another text than is known of the client")
    }
}

const fn python(
    name: &'static str,
    call: &'static str,
    body: &'static str,
    token: &'static str,
) -> Client {
    // A gRPC message has the reason alone.
    let shows = if matches!(body.as_bytes(), b"grpc") { Shows::Reason } else { Shows::Sentence };
    Client { name, language: Language::Python, call, body, token, shows, requests: 1, deaf: false }
}

const BEARER: &str = "`authorization: Bearer`";

pub const CLIENTS: &[Client] = &[
    python("openai (Python)", "openai", "json", BEARER),
    Client {
        name: "openai (Node)",
        language: Language::Node,
        call: "openai",
        body: "json",
        token: BEARER,
        shows: Shows::Sentence,
        requests: 1,
        deaf: false,
    },
    python("anthropic", "anthropic", "json", BEARER),
    python("google-genai", "google_genai", "json", "`x-goog-api-key`"),
    python(
        "azure-ai-inference",
        "azure_ai_inference",
        "json",
        "`api-key` and `authorization: Bearer`",
    ),
    python("azure-core", "azure_core", "json", BEARER),
    python("litellm", "litellm", "json", BEARER),
    Client { deaf: true, ..python("mlflow", "mlflow", "json", BEARER) },
    python("kserve (HTTP)", "kserve_http", "v2", BEARER),
    python("kserve (gRPC)", "kserve_grpc", "grpc", BEARER),
    python("tritonclient (HTTP)", "tritonclient_http", "v2", BEARER),
    python("tritonclient (gRPC)", "tritonclient_grpc", "grpc", BEARER),
    python("grpcio", "grpcio", "grpc", BEARER),
    // It asks for `server/discover` and for `initialize`.
    Client { requests: 2, ..python("mcp (Python)", "mcp", "jsonrpc", BEARER) },
    Client {
        name: "@modelcontextprotocol/sdk",
        language: Language::Node,
        call: "@modelcontextprotocol/sdk",
        body: "jsonrpc",
        token: BEARER,
        shows: Shows::Sentence,
        requests: 1,
        deaf: false,
    },
];
