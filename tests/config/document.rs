//! The least document that loads, changes to it, and assertions about the result.

use std::sync::LazyLock;

use serde_json::{Value, json};
use tollgate::config::{Environment, Problem, compile};
use tollgate::policy::Policy;

/// A secret that no output may contain.
pub const SECRET: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC1zZWNyZXQ";

/// A complete document, with most members that an operator needs.
pub const CONTRACT: &str = include_str!("../data/contract.json");

/// The x and y of the example key of RFC 7517 appendix A.1.
pub fn key_set() -> Value {
    json!({"keys": [{
        "kty": "EC", "crv": "P-256", "kid": "1", "alg": "ES256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    }]})
}

pub fn secret_set() -> Value {
    json!({"keys": [{"kty": "oct", "kid": "s", "alg": "HS256", "k": SECRET}]})
}

pub struct Variables;

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "JWKS" | "TOLLGATE_JWKS" => Some(key_set().to_string()),
            "SECRETS" => Some(secret_set().to_string()),
            "GARBAGE" => Some(format!("{{\"keys\": \"{SECRET}\"}}")),
            "ENDPOINT_KEY" | "AML_ENDPOINT_KEY" => Some(SECRET.into()),
            "HASH_KEY" | "TOLLGATE_HASH_KEY" => Some(SECRET.into()),
            "SHORT_KEY" => Some(SECRET[..31].into()),
            "EMPTY" => Some(String::new()),
            "TWO_LINES" => Some(format!("{SECRET}\n")),
            _ => None,
        }
    }
}

/// The least document that loads, with a limit so that rules have something to name.
pub fn least() -> Value {
    json!({
        "providers": [{
            "name": "idp",
            "issuers": ["https://idp.example"],
            "audiences": ["scoring"],
            "keys": {"inline": key_set()},
        }],
        "rules": [{"name": "all", "limits": ["calls"]}],
        "limits": [{"name": "calls", "rate": "10/s"}],
    })
}

/// The least document with the value at a JSON Pointer replaced or added.
pub fn with(pointer: &str, value: Value) -> Value {
    let mut document = least();
    set(&mut document, pointer, value);
    document
}

pub fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Object(object) => {
            object.insert(member.into(), value);
        }
        Value::Array(list) => match member {
            "-" => list.push(value),
            index => list[index.parse::<usize>().unwrap()] = value,
        },
        _ => panic!("{pointer} has no parent"),
    }
}

pub fn remove(document: &mut Value, pointer: &str) {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(member);
}

pub fn without(pointer: &str) -> Value {
    let mut document = least();
    remove(&mut document, pointer);
    document
}

/// The published schema.
pub fn schema() -> &'static jsonschema::Validator {
    static SCHEMA: LazyLock<jsonschema::Validator> =
        LazyLock::new(|| jsonschema::validator_for(&schema_text()).unwrap());
    &SCHEMA
}

pub fn schema_text() -> Value {
    serde_json::from_str(include_str!("../../docs/tollgate.schema.json")).unwrap()
}

/// The policy of a document, which must be valid by the published schema as well.
pub fn load(document: &Value) -> Policy {
    let errors: Vec<_> = schema().iter_errors(document).map(|e| e.to_string()).collect();
    assert_eq!(errors, [""; 0], "{document}");
    compile(document.to_string().as_bytes(), &Variables).unwrap().0
}

pub fn warnings(document: &Value) -> Vec<String> {
    load(document);
    let loaded = compile(document.to_string().as_bytes(), &Variables).unwrap();
    loaded.1.iter().map(ToString::to_string).collect()
}

/// Asserts that a document loads with one warning, which begins so, or with none.
pub fn warned(document: &Value, start: Option<&str>) {
    let lines = warnings(document);
    assert_eq!(lines.len(), usize::from(start.is_some()), "{start:?}: {lines:?}");
    assert!(lines.iter().all(|line| line.starts_with(start.unwrap())), "{start:?}: {lines:?}");
}

pub fn problems(document: &str) -> Vec<String> {
    let problems = compile(document.as_bytes(), &Variables).unwrap_err();
    problems.iter().map(Problem::to_string).collect()
}

/// Asserts that a text is refused with exactly one line, `PATH: MESSAGE`. `…` before the message
/// stands for any text.
pub fn refused_text(document: &str, line: &str) {
    let lines = problems(document);
    assert_eq!(lines.len(), 1, "{line}: {lines:#?}");
    let (path, message) = line.split_once(": ").unwrap();
    let found = lines[0].strip_prefix(&format!("{path}: "));
    let found = found.unwrap_or_else(|| panic!("{line}: {lines:?}"));
    match message.strip_prefix('…') {
        Some(part) => assert!(found.contains(part), "{line}: {lines:?}"),
        None => assert!(found.starts_with(message), "{line}: {lines:?}"),
    }
    assert!(!lines[0].contains(SECRET), "{lines:?}");
}

/// [`refused_text`] for each value at one pointer. A row holds the value and the line without the
/// path of the pointer: `": is empty"` or `"[0].name: is required"`.
pub fn refused<const N: usize>(pointer: &str, table: [(Value, &str); N]) {
    for (value, rest) in table {
        refused_text(&with(pointer, value).to_string(), &format!("{}{rest}", path(pointer)));
    }
}

/// A JSON Pointer as problems write it: `/rules/0/match` is `rules[0].match`.
fn path(pointer: &str) -> String {
    let mut path = String::new();
    for token in pointer.split('/').skip(1) {
        match token.parse::<usize>() {
            Ok(index) => path.push_str(&format!("[{index}]")),
            Err(_) if path.is_empty() => path.push_str(token),
            Err(_) => path.push_str(&format!(".{token}")),
        }
    }
    path
}
