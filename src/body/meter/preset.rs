//! Where the APIs of language models put the numbers of their tokens.

use super::measure::{Measure, Part};

/// A family of APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// OpenAI's chat, completions, Responses and embeddings, and the servers that follow them.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini, also in Vertex AI.
    Gemini,
    /// Ollama's own API.
    Ollama,
    /// All of them.
    Any,
}

/// The parts of a sum, each with the pointers to its number.
type Sum = &'static [&'static [&'static str]];

/// A total may lack tokens that the parts have, and the reverse: the larger one counts. An event of a streamed
/// Response has the Response as a member.
const OPENAI: &[Sum] = &[
    &[&["/usage/total_tokens", "/response/usage/total_tokens"]],
    &[
        &["/usage/prompt_tokens", "/usage/input_tokens", "/response/usage/input_tokens"],
        &["/usage/completion_tokens", "/usage/output_tokens", "/response/usage/output_tokens"],
    ],
];

/// `input_tokens` lacks the tokens that were written to the cache or read from it. A stream has them in its first
/// event, as a member of `message`, and its last numbers in `message_delta`.
const ANTHROPIC: &[Sum] = &[&[
    &["/usage/input_tokens", "/message/usage/input_tokens"],
    &["/usage/cache_creation_input_tokens", "/message/usage/cache_creation_input_tokens"],
    &["/usage/cache_read_input_tokens", "/message/usage/cache_read_input_tokens"],
    &["/usage/output_tokens", "/message/usage/output_tokens"],
]];

/// The prompt has the tokens of cached content. Only the total has those of every tool.
const GEMINI: &[Sum] = &[
    &[&["/usageMetadata/totalTokenCount"]],
    &[
        &["/usageMetadata/promptTokenCount"],
        &["/usageMetadata/candidatesTokenCount"],
        &["/usageMetadata/thoughtsTokenCount"],
        &["/usageMetadata/toolUsePromptTokenCount"],
    ],
];

const OLLAMA: &[Sum] = &[&[&["/prompt_eval_count"], &["/eval_count"]]];

impl Preset {
    /// The tokens of a response: those that went in and those that came out, each weighing 1.
    pub fn measure(self) -> Option<Measure> {
        let families: &[&[Sum]] = match self {
            Self::OpenAi => &[OPENAI],
            Self::Anthropic => &[ANTHROPIC],
            Self::Gemini => &[GEMINI],
            Self::Ollama => &[OLLAMA],
            Self::Any => &[OPENAI, ANTHROPIC, GEMINI, OLLAMA],
        };
        let tokens = |pointer: &&str| pointer.split('/').skip(1).map(str::to_owned).collect();
        let part = |pointers: &&[&str]| Part {
            pointers: pointers.iter().map(tokens).collect(),
            weight: 1,
        };
        let sum = |sum: &Sum| sum.iter().map(part).collect();
        Measure::new(families.iter().copied().flatten().map(sum).collect(), true)
    }
}
