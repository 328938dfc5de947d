//! Replies in the shapes that the APIs publish, in each framing: the same number however they are cut.

use super::*;
use Preset::{Anthropic, Gemini, Ollama, OpenAi};

const CHAT: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Twelve \"total_tokens\": 7 é \ud83d\ude00\n","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":16,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":4}},"service_tier":"default"}"#;
const CHUNK: &str = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Tw\u00e9lve"},"finish_reason":null}],"usage":null}"#;
const CHUNK_LAST: &str = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29}}"#;
const RESPONSE: &str = r#"{"id":"resp_1","object":"response","status":"completed","error":null,"output":[{"type":"message","content":[{"type":"output_text","text":"Under [a] {tree}","annotations":[]}]}],"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":0},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":123},"metadata":{}}"#;
const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"tool_use","name":"f","input":{"usage":{"output_tokens":1},"a":[[{}]]}}],"stop_reason":"tool_use","usage":{"input_tokens":25,"cache_creation_input_tokens":100,"cache_read_input_tokens":1000,"cache_creation":{"ephemeral_5m_input_tokens":100},"output_tokens":15,"service_tier":"standard"}}"#;
const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"usage":{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":1000,"output_tokens":1}}}"#;
const DELTA: &str =
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#;
const MESSAGE_DELTA: &str =
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}"#;
const GENERATE: &str = r#"{"candidates":[{"content":{"parts":[{"text":"Hi, ]}"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":20,"totalTokenCount":128,"thoughtsTokenCount":100,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8}]},"modelVersion":"m-2"}"#;
const PART: &str = r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":2,"totalTokenCount":10}}"#;
const OLLAMA_PART: &str = r#"{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"Hi"},"done":false}"#;
const OLLAMA_LAST: &str = r#"{"model":"m","message":{"role":"assistant","content":""},"done_reason":"stop","done":true,"total_duration":4883583458,"prompt_eval_count":26,"prompt_eval_duration":342546000,"eval_count":282,"eval_duration":4535599000}"#;

/// A stream of events, each with its name.
fn named(events: &[(&str, &str)]) -> String {
    events.iter().map(|(name, data)| format!("event: {name}\ndata: {data}\n\n")).collect()
}

/// A stream of events without names that ends as OpenAI's.
fn chunks(end: &str, data: &[&str]) -> String {
    data.iter().chain([&"[DONE]"]).map(|data| format!("data: {data}{end}{end}")).collect()
}

/// A document over several `data` lines.
fn spread(document: &str) -> String {
    format!("data: {}\n\n", document.replace(",\"", "\ndata: ,\""))
}

/// Each reply with its API, its media type and its number.
fn replies() -> Vec<(Preset, &'static str, String, Option<u64>)> {
    let response = |kind: &str| format!(r#"{{"type":"{kind}","response":{RESPONSE}}}"#);
    let completed = response("response.completed");
    let anthropic = [("message_start", START), ("content_block_delta", DELTA)];
    let delta = ("message_delta", MESSAGE_DELTA);
    let stop = ("message_stop", r#"{"type":"message_stop"}"#);
    let zero = r#"{"type":"message_delta","usage":{"input_tokens":0,"cache_read_input_tokens":null,"output_tokens":0}}"#;
    let whole = r#"{"type":"message_delta","usage":{"input_tokens":30,"cache_read_input_tokens":1000,"output_tokens":16}}"#;
    let text = |text: &str| text.to_owned();
    vec![
        (OpenAi, JSON, text(CHAT), Some(29)),
        (OpenAi, JSON, format!("\u{feff}{CHAT}\r\n"), Some(29)),
        (OpenAi, "", text(CHAT), Some(29)),
        (OpenAi, JSON, CHAT.replace("\"total_tokens\":29,", ""), Some(29)),
        (OpenAi, JSON, CHAT.replace(":10,\"total", ":100,\"total"), Some(119)),
        (OpenAi, JSON, CHAT.replace("total_tokens\":29", "total_\\u0074okens\":2.9e1"), Some(29)),
        (
            OpenAi,
            JSON,
            CHAT.replace("\"total_tokens\":29", "\"total_tokens\":1e99"),
            Some(u64::MAX),
        ),
        (
            OpenAi,
            JSON,
            CHAT.replace(":10,\"total", ":99999999999999999999,\"total"),
            Some(u64::MAX),
        ),
        (OpenAi, JSON, CHAT.replace("\"usage\"", "\"use\""), None),
        (OpenAi, JSON, text(CHAT.trim_end_matches('}')), None),
        (
            OpenAi,
            JSON,
            text(
                r#"{"object":"text_completion","choices":[{"text":"x"}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#,
            ),
            Some(12),
        ),
        (
            OpenAi,
            JSON,
            text(
                r#"{"object":"list","data":[{"object":"embedding","embedding":[0.01,-2e-3],"index":0}],"usage":{"prompt_tokens":8,"total_tokens":8}}"#,
            ),
            Some(8),
        ),
        (OpenAi, EVENTS, chunks("\n", &[CHUNK, CHUNK, CHUNK_LAST]), Some(29)),
        (OpenAi, EVENTS, chunks("\r\n", &[CHUNK, CHUNK, CHUNK_LAST]), Some(29)),
        (OpenAi, EVENTS, chunks("\r", &[CHUNK, CHUNK, CHUNK_LAST]), Some(29)),
        (
            OpenAi,
            EVENTS,
            format!("\u{feff}: ping\n\n{}", chunks("\n", &[CHUNK, CHUNK_LAST])),
            Some(29),
        ),
        (OpenAi, EVENTS, format!("id: 1\nretry: 3\n{}", spread(CHUNK_LAST)), Some(29)),
        // Under another media type.
        (OpenAi, "text/plain", chunks("\n", &[CHUNK, CHUNK_LAST]), Some(29)),
        (OpenAi, JSON, format!("\u{feff}:\n\n{}", chunks("\r\n", &[CHUNK_LAST])), Some(29)),
        (OpenAi, EVENTS, text(CHAT), Some(29)),
        (OpenAi, EVENTS, chunks("\n", &[CHUNK, CHUNK]), None),
        (OpenAi, EVENTS, chunks("\n", &[CHUNK, CHUNK_LAST, CHUNK]), Some(29)),
        // Without empty lines between events.
        (OpenAi, EVENTS, format!("data: {CHUNK}\ndata: {CHUNK_LAST}\ndata: [DONE]\n"), Some(29)),
        (OpenAi, JSON, text(RESPONSE), Some(123)),
        (
            OpenAi,
            EVENTS,
            named(&[("response.output_text.delta", DELTA), ("response.completed", &completed)]),
            Some(123),
        ),
        (
            OpenAi,
            EVENTS,
            named(&[("response.incomplete", &response("response.incomplete"))]),
            Some(123),
        ),
        (OpenAi, EVENTS, text(named(&[("response.completed", &completed)]).trim_end()), Some(123)),
        (Anthropic, JSON, text(MESSAGE), Some(1140)),
        (Anthropic, EVENTS, named(&[anthropic[0], anthropic[1], delta, stop]), Some(1040)),
        (
            Anthropic,
            EVENTS,
            named(&[anthropic[0], ("ping", "{\"type\": \"ping\"}"), delta]).replace('\n', "\r\n"),
            Some(1040),
        ),
        (
            Anthropic,
            EVENTS,
            named(&[anthropic[0], delta, ("message_delta", zero), stop]),
            Some(1040),
        ),
        (Anthropic, EVENTS, named(&[anthropic[0], ("message_delta", whole), stop]), Some(1046)),
        (Anthropic, EVENTS, named(&[anthropic[0], anthropic[1]]), Some(1026)),
        (
            Anthropic,
            EVENTS,
            named(&[("error", r#"{"type":"error","error":{"type":"overloaded_error"}}"#)]),
            None,
        ),
        (Gemini, JSON, text(GENERATE), Some(128)),
        (Gemini, JSON, format!("[{PART},\r\n{PART}\n,\r\n{GENERATE}\n]\n"), Some(128)),
        (Gemini, JSON, format!("[{GENERATE}"), Some(128)),
        (Gemini, EVENTS, chunks("\r\n", &[PART, GENERATE]), Some(128)),
        (Gemini, JSON, GENERATE.replace("\"totalTokenCount\":128,", ""), Some(128)),
        (
            Gemini,
            JSON,
            text(
                r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":8,"totalTokenCount":8}}"#,
            ),
            Some(8),
        ),
        (Ollama, LINE, format!("{OLLAMA_PART}\n{OLLAMA_PART}\n{OLLAMA_LAST}\n"), Some(308)),
        (Ollama, LINE, format!("{OLLAMA_PART}\r\n{OLLAMA_LAST}"), Some(308)),
        (Ollama, JSON, text(OLLAMA_LAST), Some(308)),
        (
            Ollama,
            JSON,
            text(r#"{"model":"m","embeddings":[[0.01]],"total_duration":1,"prompt_eval_count":8}"#),
            Some(8),
        ),
        (Ollama, LINE, format!("{OLLAMA_PART}\n{OLLAMA_PART}\n"), None),
        (Ollama, LINE, format!("{OLLAMA_LAST}\n{{\"error\":\"lost\n"), Some(308)),
    ]
}

/// The number, whole, byte by byte, and cut at every place.
fn read(measure: &Measure, content_type: &str, text: &[u8]) -> Option<u64> {
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut meter = ResponseMeter::new(measure, content_type.as_bytes());
        pieces.for_each(|piece| meter.feed(measure, piece));
        meter.finish(measure)
    };
    let whole = read(&mut text.chunks(1));
    for border in 0..=text.len() {
        let (first, second) = text.split_at(border);
        let cut = read(&mut [first, second].into_iter());
        assert_eq!(cut, whole, "{border}: {}", text.escape_ascii());
    }
    whole
}

#[test]
fn every_reply_of_an_api_has_its_number_wherever_it_is_cut() {
    let any = Preset::Any.measure().unwrap();
    let replies = replies();
    assert!(replies.len() >= 40);
    for (preset, content_type, reply, want) in replies {
        let own = preset.measure().unwrap();
        assert_eq!(read(&own, content_type, reply.as_bytes()), want, "{preset:?}: {reply}");
        assert_eq!(read(&any, content_type, reply.as_bytes()), want, "any: {reply}");
    }
}

#[test]
fn the_parts_of_a_sum_weigh_as_configured_and_saturate() {
    let parts: &[(&[&str], u64)] = &[
        (&["/usage/input_tokens", "/message/usage/input_tokens"], 1),
        (&["/usage/output_tokens"], 4),
    ];
    let stream = named(&[("message_start", START), ("message_delta", MESSAGE_DELTA)]);
    assert_eq!(read(&measure(parts), EVENTS, stream.as_bytes()), Some(25 + 4 * 15));
    let sum = measure(parts);
    for (usage, want) in [
        (r#"{"input_tokens":1.5,"output_tokens":0.2}"#, Some(2 + 4)),
        (r#"{"output_tokens":3}"#, Some(12)),
        (r#"{"input_tokens":3,"output_tokens":null}"#, Some(3)),
        (r#"{"input_tokens":-3,"output_tokens":"5"}"#, Some(0)),
        (r#"{"input_tokens":1,"output_tokens":4611686018427387904}"#, Some(u64::MAX)),
        (r#"{"input_tokens":18446744073709551615,"output_tokens":1}"#, Some(u64::MAX)),
        ("{}", None),
        ("null", None),
    ] {
        let reply = format!("{{\"usage\":{usage}}}");
        assert_eq!(read(&sum, JSON, reply.as_bytes()), want, "{reply}");
    }
    // The first pointer counts, also if it has a smaller number.
    let both = r#"{"message":{"usage":{"input_tokens":9}},"usage":{"input_tokens":2}}"#;
    assert_eq!(read(&sum, JSON, both.as_bytes()), Some(2));
}
