//! The API of OpenAI, at OpenAI and at Azure.
//!
//! Each path knows other members that bound its answer, so each has a rule that refuses those of the others.

use super::{Bodies, Budget, Family, JSON, Paths, Tokens, get, model, post};

const OPENAI_BOUNDS: &[&str] = &["/max_tokens", "/max_completion_tokens", "/max_output_tokens"];
const NOT_OF_CHAT: &[&str] = &["/max_output_tokens"];
const NOT_OF_COMPLETIONS: &[&str] = &["/max_completion_tokens", "/max_output_tokens"];
const NOT_OF_RESPONSES: &[&str] = &["/max_tokens", "/max_completion_tokens"];

const fn closing(closed: &'static [&'static str], rule: Paths) -> Paths {
    Paths { closed, ..rule }
}

// https://platform.openai.com/docs/api-reference, api.md of github.com/openai/openai-python
pub(super) const OPENAI: Family = Family {
    header: None,
    body: "json",
    open: &[],
    model: Some("{@body:/model}"),
    rules: &[
        closing(NOT_OF_CHAT, model("chat", &["/v1/chat/completions"], Tokens::Asked)),
        closing(NOT_OF_COMPLETIONS, model("completions", &["/v1/completions"], Tokens::Asked)),
        closing(NOT_OF_RESPONSES, model("responses", &["/v1/responses"], Tokens::Named)),
        closing(OPENAI_BOUNDS, model("embeddings", &["/v1/embeddings"], Tokens::Named)),
        post("other", &["/v1/moderations", "/v1/images/generations"], JSON),
        post("media", &["/v1/audio/**", "/v1/images/edits"], Bodies::Bounded),
        get("models", &["/v1/models", "/v1/models/*"]),
    ],
    budget: Some(Budget { preset: "openai", bounds: OPENAI_BOUNDS }),
};

// https://learn.microsoft.com/azure/ai-services/openai/reference, and src/openai/lib/azure.py of
// github.com/openai/openai-python
pub(super) const AZURE_OPENAI: Family = Family {
    header: Some("api-key"),
    body: "json",
    open: &[],
    model: Some("{@body:/model}"),
    rules: &[
        closing(
            NOT_OF_CHAT,
            model(
                "chat",
                &["/openai/deployments/{endpoint}/chat/completions", "/openai/v1/chat/completions"],
                Tokens::Asked,
            ),
        ),
        closing(
            NOT_OF_COMPLETIONS,
            model(
                "completions",
                &["/openai/deployments/{endpoint}/completions", "/openai/v1/completions"],
                Tokens::Asked,
            ),
        ),
        closing(
            NOT_OF_RESPONSES,
            model("responses", &["/openai/responses", "/openai/v1/responses"], Tokens::Named),
        ),
        closing(
            OPENAI_BOUNDS,
            model(
                "embeddings",
                &["/openai/deployments/{endpoint}/embeddings", "/openai/v1/embeddings"],
                Tokens::Named,
            ),
        ),
        post(
            "other",
            &["/openai/deployments/{endpoint}/images/generations", "/openai/v1/images/generations"],
            JSON,
        ),
        post(
            "media",
            &[
                "/openai/deployments/{endpoint}/audio/**",
                "/openai/deployments/{endpoint}/images/edits",
                "/openai/v1/audio/**",
                "/openai/v1/images/edits",
            ],
            Bodies::Bounded,
        ),
        get(
            "models",
            &["/openai/models", "/openai/models/*", "/openai/v1/models", "/openai/v1/models/*"],
        ),
    ],
    budget: Some(Budget { preset: "openai", bounds: OPENAI_BOUNDS }),
};
