//! Tokens, claims, key sets and the answers of key servers.

use serde_json::Value;
use tollgate::gate::verdict::Verdict;
use tollgate::keys::answer;
use tollgate::keys::record::Record;
use tollgate::request::headers::Headers;
use tollgate::time::Moment;
use tollgate::verify::algorithm::Algorithm;
use tollgate::verify::engine::ModuleEngine;
use tollgate::verify::header::Header;
use tollgate::verify::keyset::{KeySet, SecretKeys};
use tollgate::verify::token::Token;
use tollgate::verify::{base64url, json as strict_json};

use super::{NOW, SECRET, judge, policy};

/// A token has three canonical parts and one spelling; any other text is refused.
pub fn token(data: &[u8]) {
    let Ok(token) = Token::split(data, 4096) else { return };
    assert!(data.len() <= 4096);
    assert_eq!(data.iter().filter(|byte| **byte == b'.').count(), 2);
    if let Some(header) = base64url::decode(token.header()) {
        assert_eq!(base64url::encode(&header).as_bytes(), token.header());
        let _ = Header::parse(&header);
    }
    let verified = policy::verify(policy(), &ModuleEngine, data, Moment::from_secs(NOW));
    assert!(verified.is_err(), "it has no signature of a key");
    let _ = Header::parse(data);
}

/// Decoding is the inverse of encoding: no bytes have two spellings.
pub fn base64(data: &[u8]) {
    if let Some(decoded) = base64url::decode(data) {
        assert_eq!(base64url::encode(&decoded).as_bytes(), data);
    }
    assert_eq!(base64url::decode(base64url::encode(data).as_bytes()).as_deref(), Some(data));
}

/// An accepted object is the one that serde_json reads, in one pass, too, and taking it apart gives its members. A
/// text that can only be taken apart has parts that are JSON in form.
pub fn json_object(data: &[u8]) {
    let members = strict_json::parts::members(data);
    let document = strict_json::read_object(data.to_vec());
    let object = strict_json::parse_object(data);
    assert_eq!(document.is_some(), object.is_some());
    if let Some(object) = object {
        let members = members.as_ref().expect("it can be taken apart");
        assert_eq!(members.len(), object.len());
        for (name, text) in members {
            assert_eq!(strict_json::parse(text).as_ref(), object.get(name));
            if let Some(Value::Array(items)) = object.get(name) {
                let texts = strict_json::parts::items(text, usize::MAX).expect("an array");
                let texts: Vec<_> = texts.into_iter().filter_map(strict_json::parse).collect();
                assert_eq!(&texts, items);
            }
        }
        let usual: Value = serde_json::from_slice(data).expect("the usual parser takes it");
        assert_eq!(usual, Value::Object(object));
        assert!(document.is_some_and(|document| document.root() == usual));
    }
    for (_, text) in members.into_iter().flatten() {
        assert!(serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok());
    }
}

/// No key set verifies nonsense, and none from the network holds a secret.
pub fn jwks(data: &[u8]) {
    let Ok((keys, skipped)) = KeySet::parse(data, SecretKeys::Refuse) else { return };
    for skipped in &skipped {
        assert!(skipped.why.to_string().bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    }
    assert!(!keys.is_empty());
    for key in keys.iter().take(4) {
        for algorithm in Algorithm::ALL {
            let length = data.len() % 300;
            assert!(!key.verify(algorithm, b"message", &data[..length]));
        }
        assert!(!key.verify(Algorithm::Hs256, b"message", SECRET));
    }
}

/// Answers of a key server. Log texts repeat no words of it except those of the proxy.
pub fn answer(data: &[u8]) {
    // Log texts are printable, and short however long the answer is.
    let safe = |error: &answer::FetchError| {
        let text = error.to_string();
        assert!(
            text.len() < 900 && text.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
            "{text}"
        );
    };
    let _ = answer::key_set(data).map_err(|error| safe(&error));
    let provider = &policy().providers[0];
    match answer::jwks_uri(data, provider) {
        Ok(uri) => assert!(!format!("{uri:?}").contains('\n')),
        Err(error) => safe(&error),
    }
    for status in [data, b"200", b"302"] {
        let headers = Headers::from_pairs(&[
            (&b":status"[..], status),
            (b"cache-control", data),
            (b"content-encoding", data),
            (b"location", data),
        ]);
        let _ = answer::check_head(&headers, data.len()).map_err(|error| safe(&error));
        let _ = answer::max_age(&headers);
    }
    if let Some(words) = answer::words_of_proxy(503, data) {
        assert!(words.len() <= 320 && words.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    }
    let record = Record::decode(data);
    assert_eq!(Record::decode(&record.encode()), record);
}

/// A payload that the issuer signed: an allowed one has the right issuer, audience and time, and its
/// tags are safe.
pub fn claims(data: &[u8]) {
    let header = format!("{{\"alg\":\"HS256\",\"kid\":\"{}\"}}", "h");
    let input = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(data));
    let tag = hmac_sha256::HMAC::mac(input.as_bytes(), SECRET);
    let token = format!("Bearer {input}.{}", base64url::encode(&tag));
    let headers = Headers::from_pairs(&[
        (":method", "POST"),
        (":authority", "ml"),
        (":path", "/score"),
        ("authorization", token.as_str()),
    ]);
    judge(&headers, |decision| {
        if !matches!(decision.verdict, Verdict::Allow(_)) {
            return;
        }
        let claims: Value = serde_json::from_slice(data).expect("claims are JSON");
        assert_eq!(claims["iss"], "https://issuer.test");
        let aud = &claims["aud"];
        let ours = |value: &Value| value == "api://scoring";
        assert!(ours(aud) || aud.as_array().is_some_and(|list| list.iter().any(ours)));
        assert!(claims["exp"].as_f64().is_some_and(|exp| exp > (NOW - 61) as f64));
        for (_, value) in decision.facts.tags() {
            assert!(value.len() <= 1024 && value.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        }
        assert!(decision.facts.caller.is_some());
    });
}
