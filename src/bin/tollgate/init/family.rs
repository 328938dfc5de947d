//! The APIs that `--preset` knows: their paths, and where their clients put the token.

use clap::ValueEnum;

mod openai;

/// An API whose clients call through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// The API of OpenAI, which vLLM, Ollama and others serve as well.
    Openai,
    /// The API of Anthropic.
    Anthropic,
    /// The Gemini API of Google.
    Gemini,
    /// Azure OpenAI, with deployments in the path and with `/openai/v1`.
    AzureOpenai,
    /// The Open Inference Protocol (V2) of KServe and Triton, over HTTP and gRPC.
    Kserve,
    /// A server of the Model Context Protocol at `/mcp`.
    Mcp,
}

/// What is known of an API.
pub struct Family {
    /// The header in which SDKs send an API key, where it is another one than `authorization`.
    pub header: Option<&'static str>,
    /// The form of refusals that SDKs show.
    pub body: &'static str,
    /// Paths for probes, which need no token.
    pub open: &'static [&'static str],
    /// Where a request names its model, as a template, if its bodies are guarded.
    pub model: Option<&'static str>,
    /// The rules, in order.
    pub rules: &'static [Paths],
    /// The budget of model tokens, where responses name them.
    pub budget: Option<Budget>,
}

/// What `limits` needs to know of the tokens of an API.
pub struct Budget {
    /// The `preset` of `response_cost`.
    pub preset: &'static str,
    /// The members of a request that bound the answer.
    pub bounds: &'static [&'static str],
}

/// A rule of an API.
pub struct Paths {
    pub name: &'static str,
    pub methods: &'static [&'static str],
    pub paths: &'static [&'static str],
    pub bodies: Bodies,
    pub tokens: Tokens,
    /// Members that bound the answers of the API's other paths. The server ignores them here, so that a caller could
    /// reserve little by them.
    pub closed: &'static [&'static str],
}

/// Whether responses name the tokens that they cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// They name none.
    Unnamed,
    /// Every response does.
    Named,
    /// A stream does if `stream_options.include_usage` asks for it.
    Asked,
}

/// The bodies of a rule's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// None, or a stream without end.
    Unguarded,
    /// Up to the bound, of any type.
    Bounded,
    /// Up to the bound, of these types.
    Of(&'static [&'static str]),
}

const JSON: Bodies = Bodies::Of(&["application/json"]);

const fn post(name: &'static str, paths: &'static [&'static str], bodies: Bodies) -> Paths {
    Paths { name, methods: &["POST"], paths, bodies, tokens: Tokens::Unnamed, closed: &[] }
}

/// Calls of a model, with JSON.
const fn model(name: &'static str, paths: &'static [&'static str], tokens: Tokens) -> Paths {
    Paths { tokens, ..post(name, paths, JSON) }
}

/// Paths that list or describe: no other method is admitted.
const fn get(name: &'static str, paths: &'static [&'static str]) -> Paths {
    let bodies = Bodies::Unguarded;
    Paths { name, methods: &["GET"], paths, bodies, tokens: Tokens::Unnamed, closed: &[] }
}

// The table leaves out what stores data at the provider for later requests (files, batches, stored responses,
// assistants): all callers share the account of the upstream's key.

// https://docs.anthropic.com/en/api, api.md of github.com/anthropics/anthropic-sdk-python
const ANTHROPIC: Family = Family {
    header: Some("x-api-key"),
    body: "json",
    open: &[],
    model: Some("{@body:/model}"),
    rules: &[
        model("generate", &["/v1/messages"], Tokens::Named),
        post("other", &["/v1/messages/count_tokens"], JSON),
        get("models", &["/v1/models", "/v1/models/*"]),
    ],
    budget: Some(Budget { preset: "anthropic", bounds: &["/max_tokens"] }),
};

// https://ai.google.dev/api, google/genai/models.py of github.com/googleapis/python-genai. Its version 3 calls /v1,
// earlier ones call /v1beta.
const GEMINI: Family = Family {
    header: Some("x-goog-api-key"),
    body: "json",
    open: &[],
    model: Some("{@path:model}"),
    rules: &[
        model(
            "generate",
            &[
                "/v1/models/{model}:generateContent",
                "/v1/models/{model}:streamGenerateContent",
                "/v1beta/models/{model}:generateContent",
                "/v1beta/models/{model}:streamGenerateContent",
            ],
            Tokens::Named,
        ),
        post(
            "other",
            &[
                "/v1/models/*:embedContent",
                "/v1/models/*:batchEmbedContents",
                "/v1/models/*:countTokens",
                "/v1beta/models/*:embedContent",
                "/v1beta/models/*:batchEmbedContents",
                "/v1beta/models/*:countTokens",
            ],
            JSON,
        ),
        get("models", &["/v1/models", "/v1/models/*", "/v1beta/models", "/v1beta/models/*"]),
    ],
    budget: Some(Budget { preset: "gemini", bounds: &GEMINI_BOUNDS }),
};

/// The bound of an answer in both spellings that JSON of Protobuf messages may have.
const GEMINI_BOUNDS: [&str; 4] = [
    "/generationConfig/maxOutputTokens",
    "/generationConfig/max_output_tokens",
    "/generation_config/maxOutputTokens",
    "/generation_config/max_output_tokens",
];

// https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol, and for binary
// tensors and the stream docs/protocol of github.com/triton-inference-server/server. The calls that load
// models or share memory are left out. tritonclient 2.73 sends no content type.
const KSERVE: Family = Family {
    header: None,
    body: "v2",
    open: &["/v2/health/live", "/v2/health/ready"],
    model: None,
    rules: &[
        post(
            "infer",
            &["/v2/models/{endpoint}/infer", "/v2/models/{endpoint}/versions/*/infer"],
            Bodies::Of(&["application/json", "application/octet-stream", "none"]),
        ),
        get(
            "metadata",
            &[
                "/v2",
                "/v2/models/{endpoint}",
                "/v2/models/{endpoint}/ready",
                "/v2/models/{endpoint}/versions/*",
                "/v2/models/{endpoint}/versions/*/ready",
            ],
        ),
        post(
            "grpc",
            &[
                "/inference.GRPCInferenceService/ModelInfer",
                "/inference.GRPCInferenceService/ModelMetadata",
                "/inference.GRPCInferenceService/ModelReady",
                "/inference.GRPCInferenceService/ServerLive",
                "/inference.GRPCInferenceService/ServerMetadata",
                "/inference.GRPCInferenceService/ServerReady",
            ],
            Bodies::Of(&["application/grpc", "application/grpc+proto"]),
        ),
        post(
            "grpc-stream",
            &["/inference.GRPCInferenceService/ModelStreamInfer"],
            Bodies::Unguarded,
        ),
    ],
    budget: None,
};

// https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#streamable-http
const MCP: Family = Family {
    header: None,
    body: "jsonrpc",
    open: &[],
    model: None,
    rules: &[Paths {
        name: "mcp",
        methods: &["POST", "GET", "DELETE"],
        paths: &["/mcp"],
        bodies: JSON,
        tokens: Tokens::Unnamed,
        closed: &[],
    }],
    budget: None,
};

impl Preset {
    /// What is known of the API.
    pub const fn family(self) -> Family {
        match self {
            Self::Openai => openai::OPENAI,
            Self::Anthropic => ANTHROPIC,
            Self::Gemini => GEMINI,
            Self::AzureOpenai => openai::AZURE_OPENAI,
            Self::Kserve => KSERVE,
            Self::Mcp => MCP,
        }
    }
}
