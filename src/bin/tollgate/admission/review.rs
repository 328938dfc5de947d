//! Judges one `AdmissionReview` of `admission.k8s.io/v1`: JSON in, JSON out.

use serde_json::{Value, json};

use super::words;
use crate::check;
use crate::document::{self, Finding, Level};

/// The version of reviews that is understood and answered.
const VERSION: &str = "admission.k8s.io/v1";

/// The kinds that are judged, with their API groups. Others have kinds of the same names.
const KINDS: [(&str, &str); 4] = [
    ("extensions.istio.io", "WasmPlugin"),
    ("extensions.istio.io", "TrafficExtension"),
    ("networking.istio.io", "EnvoyFilter"),
    ("gateway.envoyproxy.io", "EnvoyExtensionPolicy"),
];

/// An object of so many levels is not judged. The reader of JSON refuses more than 128 levels.
const DEEP: usize = 100;

/// The levels around the object: the review and the request.
const AROUND: usize = 2;

/// The most bytes of the configurations of an object: three times a large one. Each rule is compared with
/// every other, so that more would take longer than the API server waits.
const LARGE: usize = 128 << 10;

/// An answer to a review.
pub struct Answer {
    /// The review with the response.
    pub body: String,
    /// The name of the object and the message, if it is refused.
    pub refused: Option<String>,
}

/// What a webhook says about an object.
#[derive(Default)]
struct Verdict {
    /// The message of a refusal.
    refusal: Option<String>,
    warnings: Vec<String>,
}

/// Answers a review.
///
/// # Errors
/// Why the text is not such a review; there is then no object to answer about.
pub fn answer(text: &[u8]) -> Result<Answer, String> {
    let review = match serde_json::from_slice::<Value>(text) {
        Ok(review) => review,
        Err(error) => serde_json::from_slice(&cut(text))
            .map_err(|_| format!("the body is not JSON: {error}"))?,
    };
    let member = |name| review.get(name).and_then(Value::as_str);
    if (member("apiVersion"), member("kind")) != (Some(VERSION), Some("AdmissionReview")) {
        return Err(format!("the body is not an AdmissionReview of {VERSION}"));
    }
    let request = review.get("request").unwrap_or(&Value::Null);
    let uid = text_of(request, "uid");
    if uid.is_empty() {
        return Err("the review has no request.uid".to_owned());
    }
    let Verdict { refusal, warnings } = judge(request);
    let mut response = json!({"uid": uid, "allowed": refusal.is_none()});
    if let (Some(response), Some(message)) = (response.as_object_mut(), &refusal) {
        // Not 422: some clients delete and create an object again that the API finds invalid.
        let status = json!({"code": 400, "reason": "BadRequest", "message": message});
        response.insert("status".to_owned(), status);
    }
    if let (Some(response), false) = (response.as_object_mut(), warnings.is_empty()) {
        response.insert("warnings".to_owned(), warnings.into());
    }
    let body = json!({"apiVersion": VERSION, "kind": "AdmissionReview", "response": response});
    let kind = request.pointer("/kind/kind").and_then(Value::as_str).unwrap_or_default();
    let (namespace, name) = (text_of(request, "namespace"), text_of(request, "name"));
    let refused = refusal.map(|message| format!("{kind} {namespace}/{name}: {message}"));
    Ok(Answer { body: body.to_string(), refused })
}

fn text_of<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn judge(request: &Value) -> Verdict {
    let object = request.get("object").unwrap_or(&Value::Null);
    let is_written = matches!(text_of(request, "operation"), "CREATE" | "UPDATE");
    // A status, for example.
    let is_part = !text_of(request, "subResource").is_empty();
    if !is_written || is_part || !is_of_our_kinds(object) {
        return Verdict::default();
    }
    let configurations = document::named(object);
    if configurations.is_empty() {
        return Verdict::default();
    }
    let refused = |why: String| Verdict { refusal: Some(why), warnings: Vec::new() };
    // The names, by which it is known as ours, are not that deep.
    if depth(object) >= DEEP {
        return refused(format!("nests too deep; allowed: fewer than {DEEP} levels"));
    }
    let size = configurations.iter().flat_map(|found| &found.text).map(Vec::len).sum::<usize>();
    let is_as_before = is_as_before(request, object);
    if size > LARGE {
        let why = format!("has {size} bytes of configuration; allowed: at most {LARGE}");
        return match is_as_before {
            true => Verdict { refusal: None, warnings: vec![why] },
            false => refused(why),
        };
    }
    let findings = check::object(configurations);
    let (problems, mut warned): (Vec<Finding>, Vec<Finding>) =
        findings.into_iter().partition(|finding| finding.level == Level::Problem);
    if problems.is_empty() || is_as_before {
        warned.splice(0..0, problems);
        return Verdict { refusal: None, warnings: words::warnings(&warned) };
    }
    Verdict { refusal: Some(words::message(&problems)), warnings: words::warnings(&warned) }
}

fn is_of_our_kinds(object: &Value) -> bool {
    let group = text_of(object, "apiVersion").split('/').next().unwrap_or_default();
    KINDS.contains(&(group, text_of(object, "kind")))
}

/// Whether an update leaves alone what is judged. Refusing it would mend nothing: the configuration is
/// in the cluster already.
fn is_as_before(request: &Value, object: &Value) -> bool {
    let old = request.get("oldObject").unwrap_or(&Value::Null);
    old.get("spec").is_some_and(|spec| object.get("spec") == Some(spec))
        && document::is_labelled(old) == document::is_labelled(object)
}

/// The levels of a value.
fn depth(value: &Value) -> usize {
    let deepest = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(members) => members.values().map(depth).max(),
        _ => return 0,
    };
    deepest.unwrap_or_default().saturating_add(1)
}

/// A JSON text with `null` for each value that begins below the last level that is judged.
fn cut(text: &[u8]) -> Vec<u8> {
    let most = DEEP.saturating_add(AROUND);
    let mut kept = Vec::with_capacity(text.len());
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in text {
        let is_deep = depth > most;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth = depth.saturating_add(1);
                if !is_deep && depth > most {
                    kept.extend_from_slice(b"null");
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        // The brackets of what is cut are part of it.
        if !is_deep && depth <= most {
            kept.push(byte);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn a_text_is_cut_below_its_last_level_and_nowhere_else() {
        let most = DEEP + AROUND;
        let nested = |levels: usize, inner: &str| {
            format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels))
        };
        let cut = |text: &str| String::from_utf8(cut(text.as_bytes())).unwrap();
        for text in [r#"{"a": "\"[{", "b": ["]", {}, 1]}"#, &nested(most, r#""[[", 1"#)] {
            assert_eq!(cut(text), text);
        }
        assert_eq!(cut(&nested(most + 1, "1")), nested(most, "null"));
        assert_eq!(cut(&nested(most, r#"{"a": [{}]}, [], 2"#)), nested(most, "null, null, 2"));
        let value: Value = serde_json::from_str(&cut(&nested(9999, ""))).unwrap();
        assert_eq!(depth(&value), most);
    }
}
