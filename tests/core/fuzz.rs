//! What the fuzz targets do with their bytes: one function for each, with the laws that hold for any
//! input. `fuzz/` runs them under libFuzzer (`make fuzz`), `fuzz_smoke` runs them in `make test`.

#![allow(dead_code, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "host_option.rs"]
mod host_option;
#[path = "policy.rs"]
mod policy;
#[path = "store.rs"]
mod store;

use std::sync::OnceLock;

use serde_json::{Value, json};
use tollgate::body::json::pointers::Pointers;
use tollgate::body::meter::ResponseMeter;
use tollgate::body::{Guard, Refusal, looked_for};
use tollgate::caller::tags::sanitise;
use tollgate::config;
use tollgate::gate::verdict::Verdict;
use tollgate::gate::{Gate, Request};
use tollgate::keys::answer;
use tollgate::keys::record::Record;
use tollgate::limit::quota::Quota;
use tollgate::limit::slot::Slot;
use tollgate::limit::table::{Region, Table};
use tollgate::limit::{self, Counters, Mode};
use tollgate::policy::Policy;
use tollgate::policy::owned::OwnedHeaders;
use tollgate::reason::Reason;
use tollgate::request::headers::Headers;
use tollgate::request::host::Authority;
use tollgate::request::path;
use tollgate::request::token_source::{self, Found};
use tollgate::template::{ClaimRef, Filled, Part, PartValue, Scope, Template};
use tollgate::verify::algorithm::Algorithm;
use tollgate::verify::engine::{Engine, ModuleEngine};
use tollgate::verify::header::Header;
use tollgate::verify::keyset::{KeySet, SecretKeys};
use tollgate::verify::token::Token;
use tollgate::verify::{base64url, json as strict_json};

use host_option::HostOption;
use policy::{NoVariables, PolicyKeys};
use store::Memory;

/// A target: its name and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: &[Target] = &[
    ("answer", answer),
    ("authority", authority),
    ("base64url", base64),
    ("body", body),
    ("bucket", bucket),
    ("claims", claims),
    ("config", configuration),
    ("header_map", header_map),
    ("identity", identity),
    ("json", json_object),
    ("jwks", jwks),
    ("path", paths),
    ("template", template),
    ("token", token),
    ("usage", usage),
    ("verdict", verdict),
];

const NOW: u64 = 1_800_000_000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// Whatever is not three canonical parts is no token, and what is has exactly one spelling.
pub fn token(data: &[u8]) {
    let Ok(token) = Token::split(data, 4096) else { return };
    assert!(data.len() <= 4096);
    assert_eq!(data.iter().filter(|byte| **byte == b'.').count(), 2);
    if let Some(header) = base64url::decode(token.header()) {
        assert_eq!(base64url::encode(&header).as_bytes(), token.header());
        let _ = Header::parse(&header);
    }
    let policy = policy();
    let verifier = tollgate::verify::Verifier {
        providers: &policy.providers,
        keys: &PolicyKeys(policy),
        engine: &ModuleEngine,
        max_bytes: 4096,
    };
    assert!(verifier.verify(data, None, NOW * 1_000_000_000).is_err(), "nobody signed it");
    let _ = Header::parse(data);
}

/// Decoding and encoding are each other's inverse: no bytes have two spellings.
pub fn base64(data: &[u8]) {
    if let Some(decoded) = base64url::decode(data) {
        assert_eq!(base64url::encode(&decoded).as_bytes(), data);
    }
    assert_eq!(base64url::decode(base64url::encode(data).as_bytes()).as_deref(), Some(data));
}

/// What is taken is what the usual parser reads, too, and taken apart it has the same parts. What is
/// only taken apart has parts that are JSON in form.
pub fn json_object(data: &[u8]) {
    let members = strict_json::parts::members(data);
    if let Some(object) = strict_json::parse_object(data) {
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
    }
    for (_, text) in members.into_iter().flatten() {
        assert!(serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok());
    }
}

/// No key set of whatever bytes verifies nonsense, and none from the network holds a secret.
pub fn jwks(data: &[u8]) {
    let Ok((keys, skipped)) = KeySet::parse(data, SecretKeys::Refuse) else { return };
    for skipped in &skipped {
        assert!(skipped.why.to_string().bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    }
    assert!(!keys.is_empty());
    for key in keys.iter().take(4) {
        for algorithm in Algorithm::ALL {
            let length = data.len() % 300;
            assert!(!ModuleEngine.verify(key, algorithm, b"message", &data[..length]));
        }
        assert!(!ModuleEngine.verify(key, Algorithm::Hs256, b"message", SECRET));
    }
}

/// What a provider may answer; the words of the proxy are the only ones that are repeated.
pub fn answer(data: &[u8]) {
    // What is logged of an answer is printable, and short however long the answer is.
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

/// A payload that the issuer signed, whatever is in it: what passes has the issuer, an audience and
/// a time that are right, and what it is tagged with is safe.
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
    judge(&headers, |judgement| {
        if !matches!(judgement.verdict, Verdict::Allow(_)) {
            return;
        }
        let claims: Value = serde_json::from_slice(data).expect("claims are JSON");
        assert_eq!(claims["iss"], "https://issuer.test");
        let aud = &claims["aud"];
        let ours = |value: &Value| value == "api://scoring";
        assert!(ours(aud) || aud.as_array().is_some_and(|list| list.iter().any(ours)));
        assert!(claims["exp"].as_f64().is_some_and(|exp| exp > (NOW - 61) as f64));
        for (_, value) in judgement.tags() {
            assert!(value.len() <= 1024 && value.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        }
        assert!(judgement.caller.is_some());
    });
}

/// Any document is a policy or a list of problems, each of them one line.
pub fn configuration(data: &[u8]) {
    match config::compile(data, &NoVariables) {
        Ok((policy, _)) => assert!(!policy.providers.is_empty() || !policy.rules.is_empty()),
        Err(problems) => {
            assert!(!problems.is_empty() && problems.len() <= 101);
            for problem in problems {
                let line = problem.to_string();
                assert!(!line.contains(['\n', '\r', '\0']), "{line:?}");
            }
        }
    }
}

/// A path with one reading reaches the open rule only if that reading is an open path.
pub fn paths(data: &[u8]) {
    let bare = path::without_query(data);
    assert!(!bare.contains(&b'?') && !bare.contains(&b'#'));
    let _ = path::without_parameters(data);
    let headers = Headers::from_pairs(&[
        (&b":method"[..], &b"GET"[..]),
        (b":authority", b"ml"),
        (b":path", data),
    ]);
    judge(&headers, |judgement| opened(bare, judgement));
}

/// Whatever stands in the authority: what passes without a token does so in each way in which Envoy
/// compares it, and what some way takes for a closed host is refused.
pub fn authority(data: &[u8]) {
    // The first byte is the port that the listener has, the rest the authority.
    let (listener, given) = data.split_first().map_or((0, data), |(first, rest)| (*first, rest));
    let listener = u16::from(listener);
    let read = Authority::parse(given);
    if let Some(read) = read {
        assert_eq!(read.whole(), given);
        assert!(given.starts_with(read.host()) && !read.host().is_empty());
        assert_eq!(Authority::parse(read.host()).map(|again| again.host()), Some(read.host()));
    }
    let Ok(text) = std::str::from_utf8(given) else {
        assert!(read.is_none(), "{}", given.escape_ascii());
        return;
    };
    for option in HostOption::ALL {
        let seen = option.seen(text, listener);
        let host = option.compared(&seen);
        let headers = Headers::from_pairs(&[
            (":method", "GET"),
            (":authority", seen.as_str()),
            (":path", "/by-host"),
        ]);
        judge(&headers, |judgement| {
            let below = |suffix: &str| host.len() > suffix.len() && host.ends_with(suffix);
            let reason = judgement.verdict.reason();
            let rule = judgement.rule.map(|index| policy().rules[index].name.as_str());
            if matches!(judgement.verdict, Verdict::Allow(_)) {
                let open = host == "public.example.com" || below(".public.example.com");
                assert!(open, "{option:?}: {text} opened as {host}");
            }
            if host == "secret.example.com" || below(".internal.example.com") {
                let closed = rule == Some("secret") || reason == Reason::HostAmbiguous;
                assert!(closed, "{option:?}: {text} is {host}, {reason:?} by {rule:?}");
            }
            let flawed = !seen.is_empty() && Authority::parse(seen.as_bytes()).is_none();
            assert!(!flawed || reason == Reason::HostAmbiguous, "{seen}");
        });
    }
}

/// A broken buffer is read up to the break; every spelling of an owned header is stripped.
pub fn header_map(data: &[u8]) {
    let broken = Headers::from_buffer(data.to_vec());
    let pairs: Vec<_> = broken.iter().collect();
    let whole = Headers::from_pairs(&pairs);
    assert!(whole.iter().eq(pairs.iter().copied()));
    let owned = OwnedHeaders::of(policy());
    let lines = lines(data);
    let headers = Headers::from_pairs(&lines);
    let stripped: Vec<&[u8]> = owned.to_strip(&headers).collect();
    let left = headers.without(|name| owned.owns(name));
    assert_eq!(left.iter().count() + stripped.len(), lines.len());
    assert_eq!(owned.to_strip(&left).count(), 0);
    let folded = |name: &[u8]| -> Vec<u8> {
        let fold = |byte: &u8| match byte.is_ascii_alphanumeric() {
            true => byte.to_ascii_lowercase(),
            false => b'-',
        };
        name.iter().map(fold).collect()
    };
    for (name, value) in &lines {
        let name_folded = folded(name);
        if name_folded == b"x-auth-subject" || name_folded.starts_with(b"x-tollgate-") {
            assert!(stripped.contains(&&name[..]), "{}", name.escape_ascii());
        }
        let safe = sanitise(&String::from_utf8_lossy(value));
        assert!(safe.len() <= 1024 && safe.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    }
}

/// Whatever bytes lie in the shared data, a take ends, gives no more than the burst at once and
/// locks nobody out for longer than a refill.
pub fn bucket(data: &[u8]) {
    const SECOND: u64 = 1_000_000_000;
    let slot = Slot::decode(data);
    assert_eq!(Slot::decode(&slot.encode()).encode(), slot.encode());
    let store = Memory::default();
    let table = Table::open(&store, "p", 8, [7; 16]).expect("this store answers");
    let keys: Vec<String> = store.map.lock().unwrap().keys().cloned().collect();
    for key in keys.iter().filter(|key| key.contains("/b2/")) {
        store.put(key, data);
    }
    let quota = Quota::new(1, SECOND, 3).unwrap();
    let take = |now: u64| {
        let request = limit::Request {
            limit: "l",
            identity: "someone",
            quota: &quota,
            cost: 1,
            mode: Mode::Take,
            region: Region::Verified,
            dry_run: false,
        };
        let mut counters = Counters::default();
        let answer = limit::take_all(&table, &store, &|| now, &[request], &mut counters);
        matches!(answer, Ok(limit::Answer::Allowed(_)))
    };
    let now = NOW * SECOND;
    assert!((0..8).filter(|_| take(now)).count() <= 3);
    assert!(take(now + 4 * SECOND), "nobody is locked out for longer than a refill");
}

/// A body is judged alike however it is cut, what passes is JSON, and no reading of it has more rows.
pub fn body(data: &[u8]) {
    let name = |text: &str| text.to_owned();
    let rows = [vec![name("data")], vec![name("inputs")], vec![name("input_data"), name("data")]];
    let (pointers, required) = looked_for(&rows, &[vec![name("input_data")]], true).unwrap();
    let guard = Guard {
        content_types: None,
        max_bytes: 4096,
        max_depth: 32,
        max_rows: Some(100),
        pointers,
        required,
    };
    let judge = |headers: &Headers, size: usize| -> Result<u64, Refusal> {
        let mut check = guard.check(headers);
        data.chunks(size).try_for_each(|piece| check.feed(&guard, piece))?;
        check.finish(&guard)
    };
    let csv = Headers::from_pairs(&[("content-type", "text/csv")]);
    for headers in [&Headers::default(), &csv] {
        let whole = judge(headers, usize::MAX);
        assert_eq!(judge(headers, 1), whole);
        assert_eq!(judge(headers, 7), whole);
        assert!(whole.is_err() || data.len() <= 4096);
    }
    if let Ok(rows) = judge(&Headers::default(), usize::MAX) {
        serde_json::from_slice::<serde::de::IgnoredAny>(data).expect("what passes is JSON");
        // Numbers out of range and lone surrogates are not for this parser to judge.
        if let Ok(document) = serde_json::from_slice::<Value>(data) {
            for pointer in ["/data", "/inputs", "/input_data/data"] {
                let value = document.pointer(pointer).unwrap_or(&Value::Null);
                assert!(value.is_null() || fewest_rows(value) <= rows, "{rows}: {document}");
            }
        }
    }
    // Without quotation marks, each line is a record in every reading.
    if let Ok(Refusal::Rows(rows)) | Err(Refusal::Rows(rows)) =
        judge(&csv, usize::MAX).map(Refusal::Rows)
        && !data.contains(&b'"')
    {
        let lines = data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        assert!(rows + 1 >= lines as u64);
    }
}

/// The rows that each program finds in a value that passes: an array that is no list of tensors has
/// as many as elements.
fn fewest_rows(value: &Value) -> u64 {
    let length = |value: &Value| match value {
        Value::Array(list) => list.len() as u64,
        Value::Object(members) => members.len() as u64,
        _ => 0,
    };
    let tensor = |value: &Value| value.get("shape").is_some_and(Value::is_array);
    match value {
        Value::Array(list) if list.iter().any(tensor) => {
            list.iter().filter_map(|tensor| tensor["shape"][0].as_u64()).max().unwrap_or(0)
        }
        Value::Array(list) => list.len() as u64,
        Value::Object(columns) => columns.values().map(length).max().unwrap_or(0),
        other => panic!("{other} passes as rows"),
    }
}

/// The number of a response is the same however the response is cut, and that of its last document
/// whatever framing holds it.
pub fn usage(data: &[u8]) {
    let name = |text: &str| text.to_owned();
    let pointers = Pointers::new([
        &[name("usage"), name("total_tokens")][..],
        &[name("n")],
        &[name("m"), name("1")],
    ]);
    let read = |content_type: &str, text: &[u8], size: usize| {
        let mut meter = ResponseMeter::new(&pointers, content_type.as_bytes());
        text.chunks(size.max(1)).for_each(|piece| meter.feed(&pointers, piece));
        meter.finish(&pointers)
    };
    const JSON: &str = "application/json";
    const LINES: &str = "application/x-ndjson";
    const EVENTS: &str = "text/event-stream";
    for content_type in [JSON, LINES, EVENTS, ""] {
        let whole = read(content_type, data, usize::MAX);
        for size in [1, 2, 7] {
            assert_eq!(read(content_type, data, size), whole, "{content_type}");
        }
    }
    let Ok(document @ Value::Object(_)) = serde_json::from_slice::<Value>(data) else { return };
    let plain = |value: &Value, wanted: &[&str]| {
        let names = value.as_object().into_iter().flat_map(|members| members.keys());
        let mut others = names.filter(|name| !wanted.contains(&name.as_str()));
        others.all(|name| name.is_ascii() && !wanted.contains(&&*name.to_ascii_lowercase()))
    };
    // Members that differ by letter case leave a document without a number.
    if !plain(&document, &["usage", "n", "m"]) || !plain(&document["usage"], &["total_tokens"]) {
        return;
    }
    let number = |pointer: &str| document.pointer(pointer).and_then(Value::as_number);
    let want = ["/usage/total_tokens", "/n", "/m/1"].into_iter().find_map(number);
    let want = match want.map(|number| (number.as_u64(), number.as_f64())) {
        None => None,
        Some((Some(whole), _)) => Some(whole),
        // What a double holds exactly.
        Some((None, Some(n))) if n.abs() < 1e15 => Some(n.max(0.0).ceil() as u64),
        Some(_) => return,
    };
    // Written anew on one line, with no member twice.
    let text = document.to_string();
    for (content_type, reply) in [
        (JSON, text.clone()),
        (JSON, format!("\u{feff}[{{}},\n{text}]")),
        (JSON, format!("{{}}{text}")),
        (LINES, format!("{{}}\n{{\"cut\":\n{text}\r\n")),
        (EVENTS, format!("data: {{}}\n\ndata: {text}\r\n\r\ndata: [DONE]\n\n")),
    ] {
        assert_eq!(read(content_type, reply.as_bytes(), 5), want, "{content_type}: {reply}");
    }
}

/// A template that is read has parts, and none that is empty text.
pub fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(template) = Template::parse(text) {
        assert!(!template.parts().is_empty());
    }
}

/// Two fillings of one template: the lines of the input are the template and the values of `{a}`,
/// `{b}` and `{c}`, first of the one, then of the other. What differs in a part differs in the
/// identity, in the key of a bucket, and in what a header shows of it; the same is always the same.
pub fn identity(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n').map(String::from_utf8_lossy);
    let mut next = || lines.next().unwrap_or_default().into_owned();
    let Ok(template) = Template::parse(&next()) else { return };
    let fillings = [[next(), next(), next()], [next(), next(), next()]].map(Filling);
    let asked = |part: &Part| fillings.each_ref().map(|filling| filling.text(part));
    let parts = template.parts().iter().filter(|part| !matches!(part, Part::Text(_)));
    let mut differ = false;
    for part in parts {
        match asked(part) {
            [Some(one), Some(other)] => differ |= one != other,
            _ => return,
        }
    }
    let [identities, keys, shown] = [0, 1, 2].map(|kind| {
        fillings.each_ref().map(|filling| {
            let mut out = String::new();
            match kind {
                1 => assert!(template.render_key(filling, &mut out)),
                _ => assert_ne!(template.identify(filling, &mut out), Filled::Absent),
            }
            if kind == 2 { sanitise(&out) } else { out }
        })
    });
    assert_eq!(keys[0] != keys[1], differ, "{keys:?}");
    if template.is_separable() {
        assert_eq!(identities[0] != identities[1], differ, "{identities:?}");
    }
    assert_eq!(shown[0] != shown[1], identities[0] != identities[1], "{shown:?}");
    let [one, other] = [&fillings[0].0[0], &fillings[1].0[0]];
    assert_eq!(sanitise(one) != sanitise(other), one != other, "{one:?} {other:?}");
    for text in shown {
        assert!(text.len() <= 1024 && text.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        assert_eq!(text.trim(), text);
    }
}

/// The values of the claims `a`, `b` and `c`.
struct Filling([String; 3]);

impl Filling {
    fn text(&self, part: &Part) -> Option<&str> {
        let Part::Claim(ClaimRef::Name(name)) = part else { return None };
        let index = ["a", "b", "c"].iter().position(|known| known == name)?;
        Some(&self.0[index])
    }
}

impl Scope for Filling {
    fn value(&self, part: &Part) -> Option<PartValue<'_>> {
        self.text(part).map(|text| PartValue::Text(text.into()))
    }
}

/// A whole request of any headers: without a signature nothing but an open path passes, and a token
/// that is removed is not found again.
pub fn verdict(data: &[u8]) {
    let mut pairs = lines(data);
    for (name, value) in [(":method", "GET"), (":authority", "ml"), (":path", "/score")] {
        if !pairs.iter().any(|(given, _)| given == name.as_bytes()) {
            pairs.push((name.into(), value.into()));
        }
    }
    let headers = Headers::from_pairs(&pairs);
    let path = headers.value(":path").unwrap_or_default();
    judge(&headers, |judgement| opened(path::without_query(path), judgement));
    for rewrite in token_source::removal(&headers, &policy().token) {
        pairs.retain(|(name, _)| *name != rewrite.name);
        let name = rewrite.name;
        pairs.extend(rewrite.values.into_iter().map(|value| (name.clone(), value)));
    }
    let rest = Headers::from_pairs(&pairs);
    if let Found::One(token) = token_source::find(&rest, &policy().token) {
        assert!(token.is_empty(), "{}", token.escape_ascii());
    }
}

/// Nobody was verified; what passes has an open path of one reading.
fn opened(path: &[u8], judgement: &tollgate::gate::verdict::Judgement) {
    assert!(judgement.caller.is_none());
    if matches!(judgement.verdict, Verdict::Allow(_)) {
        assert!(!path::ambiguous(path), "{}", path.escape_ascii());
        let open = [&b"/open"[..], b"/maybe", b"/by-host"].contains(&path);
        // Parameters and escapes without need open nothing that the plain path would not.
        assert!(open || path.starts_with(b"/public"), "{}", path.escape_ascii());
    }
}

/// `name: value` lines.
fn lines(data: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pair = |line: &[u8]| {
        let colon = line.iter().skip(1).position(|byte| *byte == b':')? + 1;
        Some((line[..colon].to_ascii_lowercase(), line[colon + 1..].trim_ascii().to_vec()))
    };
    data.split(|byte| *byte == b'\n').take(64).filter_map(pair).collect()
}

/// One provider with a secret, an Ed25519 and an EC key, rules of each kind, a limit and tags.
fn policy() -> &'static Policy {
    static POLICY: OnceLock<Policy> = OnceLock::new();
    POLICY.get_or_init(|| {
        let document = json!({
            "providers": [{
                "name": "p",
                "issuers": ["https://issuer.test"],
                "audiences": ["api://scoring"],
                "algorithms": ["HS256", "EdDSA", "ES256"],
                "keys": {"inline": {"keys": [
                    {"kty": "oct", "kid": "h", "k": base64url::encode(SECRET)},
                    // RFC 8037 appendix A.2.
                    {"kty": "OKP", "crv": "Ed25519", "kid": "e",
                     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
                    // RFC 7515 appendix A.3.
                    {"kty": "EC", "crv": "P-256", "kid": "c",
                     "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                     "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
                ]}},
            }],
            "token": {"from": [
                {"header": "authorization", "prefix": "Bearer "},
                {"cookie": "session"},
                {"query": "access_token"},
                {"websocket_protocol": "base64url.bearer.authorization.k8s.io."},
                {"websocket_protocol_after": "bearer"},
                {"header": "x-user-token"},
            ]},
            "rules": [
                {"name": "secret", "match": {
                    "hosts": ["secret.example.com", "*.internal.example.com"], "paths": ["/by-host"],
                }, "allow": [{"roles_any": ["Admin"]}]},
                {"name": "by-host", "match": {
                    "hosts": ["public.example.com", "*.public.example.com"], "paths": ["/by-host"],
                }, "auth": "none"},
                {"name": "open", "match": {"paths": ["/open", "/public/**"]}, "auth": "none"},
                {"name": "maybe", "match": {"paths": ["/maybe"]}, "auth": "optional"},
                {"name": "score", "limits": ["per-caller"]},
            ],
            "limits": [{"name": "per-caller", "rate": "10/s"}],
            "tags": [
                {"name": "subject", "value": "{sub}", "header": "x-auth-subject"},
                {"name": "roles", "value": "{roles}", "header": "x-auth-roles"},
            ],
            "store": {"max_identities": 8},
        });
        match config::compile(document.to_string().as_bytes(), &NoVariables) {
            Ok((policy, _)) => policy,
            Err(problems) => panic!("{problems:?}"),
        }
    })
}

fn judge(headers: &Headers, look: impl FnOnce(&tollgate::gate::verdict::Judgement)) {
    let policy = policy();
    let store = Memory::default();
    let table = Table::open(&store, "p", policy.max_identities, [7; 16]).ok();
    let gate = Gate {
        policy,
        keys: &PolicyKeys(policy),
        engine: &ModuleEngine,
        cache: &policy.empty_cache(42),
        table: table.as_ref(),
        concurrency: None,
        store: &store,
    };
    let judgement = gate.judge(&Request {
        headers,
        bodyless: true,
        client_address: &|| None,
        now: NOW * 1_000_000_000,
        peer_certificate: &|| None,
        clock: &|| NOW * 1_000_000_000,
    });
    look(&judgement);
}
