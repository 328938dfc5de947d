//! Bodies of responses, and where their numbers are.

use tollgate::body::meter::Preset;

use super::SIZE;
use super::random::{Random, list};

pub struct Reply {
    pub name: &'static str,
    pub preset: Preset,
    pub content_type: &'static str,
    pub body: String,
}

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

pub fn all() -> Vec<Reply> {
    let mut random = Random(2);
    let r = &mut random;
    let usage = r#""usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29}"#;
    let reply = |name, preset, content_type, body| Reply { name, preset, content_type, body };
    vec![
        reply("a reply: chat completion", Preset::OpenAi, JSON, {
            let text = r
                .words(SIZE as u64)
                .replace("table. ", "table.\\n\\n")
                .replace("however", "\\\"however\\\"");
            format!(
                r#"{{"id":"chatcmpl-1","object":"chat.completion","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],{usage}}}"#
            )
        }),
        reply("a reply: embeddings", Preset::OpenAi, JSON, {
            let vector = list(SIZE, || format!("{:.9}", r.unit()));
            format!(r#"{{"object":"list","data":[{{"embedding":[{vector}]}}],{usage}}}"#)
        }),
        reply("a stream: chat completion", Preset::OpenAi, EVENTS, {
            events("\n\n", || {
                let word = r.words(1);
                format!(
                    r#"{{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1721075651,"model":"gpt-4o","system_fingerprint":"fp_1","choices":[{{"index":0,"delta":{{"content":"{word}"}},"logprobs":null,"finish_reason":null}}],"usage":null}}"#
                )
            }) + &format!("data: {{\"choices\":[],{usage}}}\n\ndata: [DONE]\n\n")
        }),
        reply("a stream: Responses", Preset::OpenAi, EVENTS, {
            let deltas = events("\n\n", || {
                let (word, number) = (r.words(1), r.below(10_000));
                format!(
                    r#"{{"type":"response.output_text.delta","sequence_number":{number},"item_id":"msg_68a","output_index":0,"content_index":0,"delta":"{word}","logprobs":[],"obfuscation":"x8Ka0"}}"#
                )
            });
            let usage = r#""usage":{"input_tokens":36,"output_tokens":87,"total_tokens":123}"#;
            format!(
                "{deltas}data: {{\"type\":\"response.completed\",\"response\":{{{usage}}}}}\n\n"
            )
        }),
        reply("a stream: Gemini, numbers in each event", Preset::Gemini, EVENTS, {
            let mut tokens = 0;
            events("\r\n\r\n", || {
                tokens += 9;
                let (bytes, all) = (r.below(60), tokens + 8);
                let words = r.words(bytes);
                format!(
                    r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{words}"}}],"role":"model"}},"index":0}}],"usageMetadata":{{"promptTokenCount":8,"candidatesTokenCount":{tokens},"totalTokenCount":{all},"promptTokensDetails":[{{"modality":"TEXT","tokenCount":8}}]}},"modelVersion":"gemini-2.5-flash","responseId":"mAitaLmkHPPlz7IPvtfUqQ4"}}"#
                )
            })
        }),
        reply("lines: Ollama", Preset::Ollama, "application/x-ndjson", {
            let mut body = String::new();
            while body.len() < SIZE {
                let word = r.words(1);
                body += &format!(
                    "{{\"model\":\"llama3\",\"created_at\":\"2026-01-01T00:00:00Z\",\"message\":{{\"role\":\"assistant\",\"content\":\"{word}\"}},\"done\":false}}\n"
                );
            }
            body + "{\"done\":true,\"prompt_eval_count\":26,\"eval_count\":298}\n"
        }),
    ]
}

/// A stream of events that end like this.
fn events(end: &str, mut document: impl FnMut() -> String) -> String {
    let mut all = String::new();
    while all.len() < SIZE {
        all += &format!("data: {}{end}", document());
    }
    all
}
