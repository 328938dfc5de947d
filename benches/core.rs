//! Measures the share of a request's cost that the filter causes, without the proxy.

#[path = "../tests/core/policy.rs"]
mod policy;

use std::cell::Cell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use policy::PolicyKeys;
use serde_json::json;
use tollgate::body::json::pointers::Pointers;
use tollgate::body::meter::{Preset, ResponseMeter};
use tollgate::body::{Guard, IncludeUsage};
use tollgate::caller::cache::Known;
use tollgate::caller::principal::{Caller, Principal};
use tollgate::config::{self, NoVariables};
use tollgate::limit::owner::Owner;
use tollgate::limit::table::Table;
use tollgate::limit::{self, Counters, Mode, Request, Which};
use tollgate::policy::Policy;
use tollgate::request::headers::Headers;
use tollgate::store::memory::Memory;
use tollgate::time::Moment;
use tollgate::verify::algorithm::Algorithm;
use tollgate::verify::base64url::encode;
use tollgate::verify::engine::{Budget, Engine, Signed};
use tollgate::verify::keyset::{KeySet, SecretKeys};
use tollgate::verify::{Claims, Verifier};

/// Seconds since the Unix epoch.
const NOW_SECONDS: u64 = 1_800_000_000;
const NOW: Moment = Moment::from_secs(NOW_SECONDS);

/// Accepts every signature, so that only parsing and checks are measured.
struct Yes;

impl Engine for Yes {
    fn supports(&self, _: Algorithm) -> bool {
        true
    }

    fn check(&self, _: &mut Budget, _: Signed<'_>) -> Option<bool> {
        Some(true)
    }
}

const INPUT: &[u8] = b"a signing input";

/// A secret, alone in its set, and the tag of [`INPUT`] under it.
fn hmac() -> Option<(KeySet, Vec<u8>)> {
    let secret = [7; 32];
    let jwk = json!({"keys": [{"kty": "oct", "kid": "h", "alg": "HS256", "k": encode(&secret)}]});
    let (set, _) = KeySet::parse(jwk.to_string().as_bytes(), SecretKeys::Admit).ok()?;
    let tag = hmac_sha256::HMAC::mac(INPUT, secret).to_vec();
    Some((set, tag))
}

fn policy() -> Option<Policy> {
    let document = json!({
        "providers": [{
            "name": "p",
            "issuers": ["https://issuer.test"],
            "audiences": ["api://scoring"],
            "keys": {"inline": {"keys": [{
                "kty": "OKP", "crv": "Ed25519", "kid": "k",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", // RFC 8037 appendix A.2
            }]}},
        }],
        "limits": [{"name": "per-caller", "rate": "1000000/s"}],
        "rules": [{"name": "all", "limits": ["per-caller"]}],
    });
    config::compile(document.to_string().as_bytes(), &NoVariables).ok().map(|(policy, _)| policy)
}

/// About 900 bytes, like the tokens of `make bench`.
fn token(subject: &str) -> Vec<u8> {
    let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": "k"});
    let claims = json!({
        "iss": "https://issuer.test", "aud": "api://scoring", "sub": subject,
        "exp": NOW_SECONDS + 600, "iat": NOW_SECONDS, "jti": "x".repeat(36),
        "name": "Someone With A Name", "email": "someone@example.com", "scp": "score.invoke read",
        "roles": ["Model.Score", "Model.Read", "Batch"], "groups": ["a".repeat(36), "b".repeat(36)],
        "tid": "t".repeat(36), "oid": "o".repeat(36), "azp": "c".repeat(36), "ver": "2.0",
    });
    let [header, claims] = [header, claims].map(|part| encode(part.to_string().as_bytes()));
    // The signature is not checked, but the cache finds a token by the end of its signature.
    let signature = hmac_sha256::HMAC::mac(subject, b"signature").repeat(2);
    format!("{header}.{claims}.{}", encode(&signature)).into_bytes()
}

fn verify(policy: &Policy, token: &[u8]) -> Option<Claims> {
    let keys = PolicyKeys(policy);
    let verifier =
        Verifier { providers: &policy.providers, keys: &keys, engine: &Yes, max_bytes: 16_384 };
    verifier.verify(token, None, NOW).ok()
}

fn core(criterion: &mut Criterion) {
    let Some(policy) = policy() else { return };
    let tokens: Vec<Vec<u8>> = (0..2000).map(|n| token(&format!("user-{n}"))).collect();
    let keys = PolicyKeys(&policy);
    let next = Cell::new(0);
    let pick = || {
        next.set((next.get() + 1) % tokens.len());
        tokens.get(next.get()).map_or(&[][..], Vec::as_slice)
    };

    criterion.bench_function("parse and judge a token, its signature apart", |bench| {
        bench.iter(|| verify(&policy, black_box(pick())));
    });

    // Both times must be equal within the noise. A difference would reveal how much of a tag was correct.
    for (place, byte) in [("first", 0), ("last", 31)] {
        criterion.bench_function(
            &format!("refuse an HMAC tag whose {place} byte is wrong"),
            |bench| {
                let Some((set, mut tag)) = hmac() else { return };
                let Some(key) = set.iter().next() else { return };
                tag.iter_mut().skip(byte).take(1).for_each(|byte| *byte ^= 1);
                bench.iter(|| {
                    let good = key.verify(Algorithm::Hs256, INPUT, black_box(&tag));
                    assert!(!good);
                });
            },
        );
    }

    criterion.bench_function("read a claim as text", |bench| {
        let claims = tokens.first().and_then(|token| verify(&policy, token));
        let claim = tollgate::template::ClaimRef::Name("roles".to_owned());
        bench.iter(|| claims.as_ref().and_then(|claims| claims.part(black_box(&claim))));
    });

    criterion.bench_function("find a remembered token among 2,000", |bench| {
        let cache = policy.empty_cache(42);
        for token in &tokens {
            let (Some(claims), Some(provider)) = (verify(&policy, token), policy.providers.first())
            else {
                return;
            };
            let Ok(principal) = Principal::of(claims, provider) else { return };
            let caller = Caller::new(principal, Vec::new()).into();
            let Known::Nothing(place) = cache.look(token, 0, &policy.providers, &keys, NOW) else {
                return;
            };
            cache.verified(place, (&caller, &[]), provider, &keys, NOW);
        }
        bench.iter(|| {
            let known = cache.look(black_box(pick()), 0, &policy.providers, &keys, NOW);
            assert!(matches!(known, Known::Verified(_)));
        });
    });

    criterion.bench_function("take from a bucket", |bench| {
        let store = Memory::default();
        let (Ok(table), Some(limit)) =
            (Table::open(&store, "bench", 4096, [7; 16]), policy.limits.first())
        else {
            return;
        };
        let now = Cell::new(NOW);
        let clock = || {
            now.set(now.get() + Duration::from_micros(1));
            now.get()
        };
        bench.iter(|| {
            let owner = Owner::Identity(black_box("https://issuer.test/user-1"));
            let takes = [Request {
                bucket: Which::Of(&limit.name, owner),
                quota: &limit.quota,
                cost: 1,
                mode: Mode::Take,
                dry_run: false,
            }];
            limit::take_all(&table, &store, &clock, &takes, &mut Counters::default())
        });
    });
}

/// Bodies of 1 MiB: the time per byte of each kind.
fn body(criterion: &mut Criterion) {
    let name = ["data".to_owned()];
    let guard = Guard {
        reads: true,
        needs_body: Vec::new(),
        content_types: None,
        max_bytes: 2 << 20,
        max_depth: 128,
        max_rows: None,
        pointers: Pointers::new([&name[..]]),
        required: 1..1,
        include_usage: IncludeUsage::Off,
    };
    for (name, part) in [
        ("numbers", "1,"),
        ("floats", "0.1234,-1.5e-7,"),
        ("plain strings", "\"a string of some length, as in a chat\","),
        ("escapes", "\"\\u0041\\n\","),
        ("characters", "\"é€😀\","),
        ("brackets", "[],{},[[]],"),
    ] {
        let body = format!("[{}1]", part.repeat((1 << 20) / part.len()));
        criterion.bench_function(&format!("judge a MiB of {name}"), |bench| {
            bench.iter(|| {
                let mut check = guard.check(&Headers::default());
                check.feed(&guard, black_box(body.as_bytes())).and_then(|()| check.finish(&guard))
            });
        });
    }
}

/// Responses of a MB, in pieces of 16 KiB as a proxy passes them: the time per byte of each kind.
fn meter(criterion: &mut Criterion) {
    let usage = r#""usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29}"#;
    let fill = |part: &str| part.repeat(1_000_000 / part.len());
    let object = |inside: String| format!(r#"{{"id":"1","choices":[{inside}],{usage}}}"#);
    let text =
        fill(r#"The quick brown fox, said \"hello\", jumps.\n And then more plain text follows. "#);
    let token = r#"{"token":" the","logprob":-0.317,"bytes":[32,116,104,101],"top_logprobs":[]},"#;
    let chunk = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1721075651,"model":"m","choices":[{"index":0,"delta":{"content":" hello"},"logprobs":null,"finish_reason":null}],"usage":null}"#;
    let events = fill(&format!("{chunk}\n\n"));
    let counted = r#"data: {"candidates":[{"content":{"parts":[{"text":"The quick brown fox jumps"}]}}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":2,"totalTokenCount":10}}"#;
    let line = r#"{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":" The"},"done":false}"#;
    for (name, preset, content_type, reply) in [
        ("text", Preset::OpenAi, "application/json", object(format!("{{\"content\":\"{text}\"}}"))),
        (
            "embeddings",
            Preset::OpenAi,
            "application/json",
            object(fill("-0.0069292834,0.0053364206,") + "1"),
        ),
        ("log probabilities", Preset::OpenAi, "application/json", object(fill(token) + "{}")),
        ("events", Preset::OpenAi, "text/event-stream", format!("{events}data: {{{usage}}}\n\n")),
        (
            "events, any preset",
            Preset::Any,
            "text/event-stream",
            format!("{events}data: {{{usage}}}\n\n"),
        ),
        (
            "events with a number each",
            Preset::Gemini,
            "text/event-stream",
            fill(&format!("{counted}\r\n\r\n")),
        ),
        (
            "lines",
            Preset::Ollama,
            "application/x-ndjson",
            fill(&format!("{line}\n")) + r#"{"eval_count":2}"#,
        ),
    ] {
        let Some(measure) = preset.measure() else { return };
        criterion.bench_function(&format!("meter a MB of {name}"), |bench| {
            bench.iter(|| {
                let mut meter = ResponseMeter::new(&measure, content_type.as_bytes());
                for piece in black_box(reply.as_bytes()).chunks(16 << 10) {
                    meter.feed(&measure, piece);
                }
                assert!(meter.finish(&measure).is_some());
            });
        });
    }
}

criterion_group!(benches, core, body, meter);
criterion_main!(benches);
