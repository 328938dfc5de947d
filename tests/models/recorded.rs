//! Responses in the published shapes of the APIs, with texts of our own; each cost [`TOKENS`].

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use support::prelude::*;

/// The tokens of each response: 30 of the prompt and 12 of the answer.
pub const TOKENS: u64 = 42;

/// A server that compresses where it is asked to, and for the model `unasked` always.
pub fn answer(python: &Path) -> impl Fn(&Recorded) -> Reply + Send + Sync + 'static {
    let all = [CHAT, MESSAGES, GEMINI, GEMINI_STREAM].map(|body| (body, gzip(python, body)));
    move |request| {
        let body = match request.path.as_str() {
            path if path.contains(":streamGenerateContent") => GEMINI_STREAM,
            path if path.contains(":generateContent") => GEMINI,
            "/v1/messages" => MESSAGES,
            _ => CHAT,
        };
        let stream = body.starts_with("data:") || body.starts_with("event:");
        let kind = if stream { "text/event-stream" } else { "application/json" };
        let asked = request.header("accept-encoding").is_some_and(|value| value.contains("gzip"));
        let unasked = String::from_utf8_lossy(&request.body).contains("unasked");
        match all.iter().find(|(plain, _)| *plain == body) {
            Some((_, coded)) if asked || unasked => {
                Reply::new(200, coded.clone()).header("content-encoding", "gzip")
            }
            _ => Reply::new(200, body),
        }
        .header("content-type", kind)
    }
}

fn gzip(python: &Path, body: &str) -> Vec<u8> {
    let code = "import gzip, sys; sys.stdout.buffer.write(gzip.compress(sys.stdin.buffer.read()))";
    let mut child = Command::new(python)
        .args(["-c", code])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    child.wait_with_output().unwrap().stdout
}

const CHAT: &str = r#"{
  "id": "chatcmpl-1", "object": "chat.completion", "created": 1790000000, "model": "tiny",
  "choices": [{"index": 0, "message": {"role": "assistant", "content": "An answer."}, "finish_reason": "stop"}],
  "usage": {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}
}"#;

const MESSAGES: &str = r#"event: message_start
data: {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "tiny", "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 30, "output_tokens": 1}}}

event: content_block_start
data: {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "An answer."}}

event: content_block_stop
data: {"type": "content_block_stop", "index": 0}

event: message_delta
data: {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 12}}

event: message_stop
data: {"type": "message_stop"}

"#;

const GEMINI: &str = r#"{
  "candidates": [{"content": {"parts": [{"text": "An answer."}], "role": "model"}, "finishReason": "STOP", "index": 0}],
  "usageMetadata": {"promptTokenCount": 30, "candidatesTokenCount": 12, "totalTokenCount": 42},
  "modelVersion": "tiny", "responseId": "1"
}"#;

const GEMINI_STREAM: &str = "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"An \"}], \"role\": \"model\"}, \
    \"index\": 0}], \"usageMetadata\": {\"promptTokenCount\": 30, \"totalTokenCount\": 30}, \"modelVersion\": \"tiny\"}\r\n\r\n\
    data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"answer.\"}], \"role\": \"model\"}, \"finishReason\": \"STOP\", \
    \"index\": 0}], \"usageMetadata\": {\"promptTokenCount\": 30, \"candidatesTokenCount\": 12, \"totalTokenCount\": 42}, \
    \"modelVersion\": \"tiny\"}\r\n\r\n";
