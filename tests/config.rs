//! The configuration contract from outside: what loads, and the one clear line for what does not.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use tollgate::body::json::pointers::Pointers;
use tollgate::config::{Environment, Problem, compile};
use tollgate::policy::rule::{Auth, Cost, Matcher};
use tollgate::policy::{
    Cors, Crypto, FailureMode, FilterState, OriginPattern, Origins, Policy, ResponseCost,
};
use tollgate::request::token_source::Place;
use tollgate::template::Template;
use tollgate::verify::algorithm::Algorithm;
use tollgate::verify::provider::{Bind, KeysFrom};

/// The x and y of the example key of RFC 7517 appendix A.1.
fn key_set() -> Value {
    json!({"keys": [{
        "kty": "EC", "crv": "P-256", "kid": "1", "alg": "ES256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    }]})
}

const SECRET: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC1zZWNyZXQ";

fn secret_set() -> Value {
    json!({"keys": [{"kty": "oct", "kid": "s", "alg": "HS256", "k": SECRET}]})
}

struct Variables;

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "JWKS" => Some(key_set().to_string()),
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
fn least() -> Value {
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
fn with(pointer: &str, value: Value) -> Value {
    let mut document = least();
    set(&mut document, pointer, value);
    document
}

fn set(document: &mut Value, pointer: &str, value: Value) {
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

fn without(pointer: &str) -> Value {
    let mut document = least();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(member);
    document
}

/// The published schema.
fn schema() -> &'static jsonschema::Validator {
    static SCHEMA: LazyLock<jsonschema::Validator> =
        LazyLock::new(|| jsonschema::validator_for(&schema_text()).unwrap());
    &SCHEMA
}

fn schema_text() -> Value {
    serde_json::from_str(include_str!("../docs/tollgate.schema.json")).unwrap()
}

/// What loads is valid by the published schema, too.
fn load(document: &Value) -> Policy {
    let errors: Vec<_> = schema().iter_errors(document).map(|e| e.to_string()).collect();
    assert_eq!(errors, [""; 0], "{document}");
    compile(document.to_string().as_bytes(), &Variables).unwrap().0
}

fn warnings(document: &Value) -> Vec<String> {
    load(document);
    let loaded = compile(document.to_string().as_bytes(), &Variables).unwrap();
    loaded.1.iter().map(ToString::to_string).collect()
}

fn problems(document: &str) -> Vec<String> {
    let problems = compile(document.as_bytes(), &Variables).unwrap_err();
    problems.iter().map(Problem::to_string).collect()
}

/// Asserts that a document is refused with exactly one line, which begins and goes on as given.
fn one_problem(document: &str, path: &str, part: &str) {
    let lines = problems(document);
    assert_eq!(lines.len(), 1, "{path} {part}: {lines:#?}");
    assert!(lines[0].starts_with(&format!("{path}: ")), "{path}: {lines:?}");
    assert!(lines[0].contains(part), "{part}: {lines:?}");
    assert!(!lines[0].contains(SECRET), "{lines:?}");
}

/// An entry of `responses.resource_metadata` with these members.
fn metadata(more: Value) -> Value {
    let mut entry = json!({"url": "https://a/.well-known/oauth-protected-resource"});
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    entry
}

#[test]
fn absent_sections_have_the_defaults_of_the_contract() {
    let mut document = least();
    document.as_object_mut().unwrap().retain(|name, _| name == "providers");
    let policy = load(&document);
    let provider = &policy.providers[0];
    assert_eq!((provider.clock_skew, provider.require_exp), (60, true));
    assert_eq!((provider.max_lifetime, &provider.typ, provider.entra), (None, &None, false));
    assert!(provider.algorithms.is_none());
    assert_eq!(provider.identity, [Template::parse("{iss}/{sub}").unwrap()]);
    let token = &policy.token;
    let place =
        |name: &str, prefix: &str| [Place::Header { name: name.into(), prefix: prefix.into() }];
    assert_eq!((&token.from[..], token.forward), (&place("authorization", "Bearer ")[..], true));
    assert_eq!(token.max_bytes, 16 << 10);
    let [rule] = policy.rules.as_slice() else { panic!("one rule") };
    assert_eq!((rule.name.as_str(), rule.auth), ("default", Auth::Required));
    assert_eq!((&rule.cost, rule.concurrency), (&Cost::Fixed(1), None));
    assert_eq!((&rule.providers, rule.limits.len()), (&None, 0));
    assert_eq!(rule.matcher, Matcher::default());
    assert!(policy.limits.is_empty());
    let mut tags = String::new();
    for tag in &policy.tags {
        let header = tag.header.as_deref().unwrap();
        write!(tags, "{} {header} {};", tag.name, tag.filter_state).unwrap();
    }
    assert_eq!(
        tags,
        "identity x-auth-identity true;subject x-auth-subject true;issuer x-auth-issuer true;"
    );
    assert!(policy.responses.problem_body && policy.responses.ratelimit_ietf);
    assert!(!policy.responses.ratelimit_x && policy.responses.realm.is_none());
    assert_eq!((policy.filter_state, policy.metrics), (FilterState::All, true));
    assert_eq!((policy.crypto, policy.failure_mode), (Crypto::Auto, FailureMode::Deny));
    assert_eq!((policy.max_identities, policy.reject_ambiguous_paths), (131_072, true));
    assert!(!policy.hold_head);
    assert_eq!((policy.client_address.ipv4_prefix, policy.client_address.ipv6_prefix), (32, 64));
    assert_eq!(policy.token_cache.entries, 10_000);
    assert_eq!(policy.token_cache.max_age, Duration::from_secs(300));
}

#[test]
fn given_values_are_taken() {
    let mut document = least();
    for (pointer, value) in [
        ("/providers/0/clock_skew", json!("5s")),
        ("/providers/0/max_lifetime", json!("24h")),
        ("/providers/0/typ", json!(["JWT"])),
        ("/providers/0/audiences", json!("any")),
        ("/rules/0/cost", json!(3.0)),
        ("/rules/0/auth", json!("optional")),
        ("/rules/0/providers", json!(["idp"])),
        ("/limits/0/burst", json!(20.0)),
        ("/limits/0/key", json!("{tid}")),
        (
            "/token",
            json!({"max_bytes": "64KiB", "from": [{"header": "Authorization", "prefix": "jwt "}]}),
        ),
        ("/tags", json!([{"name": "a", "value": "{a}", "header": "X-A"}])),
        ("/responses", json!({"realm": "ml", "body": "empty", "ratelimit_headers": "both"})),
        ("/telemetry", json!({"filter_state": "denied", "metrics": false})),
        ("/crypto", json!("module")),
        ("/token_cache", json!({"entries": 0, "max_age": "1s"})),
        ("/store", json!({"max_identities": 8})),
        ("/failure_mode", json!("allow")),
        ("/hold_head", json!(true)),
        ("/client_address", json!({"ipv4_prefix": 24, "ipv6_prefix": 48})),
        ("/ambiguous_paths", json!("allow")),
        ("/dry_run", json!(false)),
        ("/privacy", json!({"hash_key_env": "UNUSED"})),
    ] {
        set(&mut document, pointer, value);
    }
    let policy = load(&document);
    assert_eq!(policy.providers[0].clock_skew, 5);
    assert_eq!(policy.providers[0].max_lifetime, Some(86_400));
    assert_eq!((&policy.rules[0].cost, policy.rules[0].auth), (&Cost::Fixed(3), Auth::Optional));
    assert_eq!(policy.rules[0].providers, Some(vec![0]));
    assert_eq!(policy.rules[0].limits, [0]);
    let place = Place::Header { name: "authorization".into(), prefix: "jwt ".into() };
    assert_eq!((&policy.token.from[..], policy.token.max_bytes), (&[place][..], 65_536));
    assert_eq!(policy.tags[0].header.as_deref(), Some("x-a"));
    assert!(policy.responses.ratelimit_x && !policy.responses.problem_body);
    assert_eq!((policy.filter_state, policy.metrics), (FilterState::Denied, false));
    assert_eq!((policy.crypto, policy.failure_mode), (Crypto::Module, FailureMode::Allow));
    assert_eq!((policy.max_identities, policy.reject_ambiguous_paths), (8, false));
    assert!(policy.hold_head);
    assert_eq!((policy.client_address.ipv4_prefix, policy.client_address.ipv6_prefix), (24, 48));
    assert_eq!(policy.token_cache.entries, 0);
}

#[test]
fn grants_places_and_replies_are_compiled() {
    let mut document = least();
    for (pointer, value) in [
        ("/providers/0/bind", json!("mtls")),
        ("/rules/0/dry_run", json!(true)),
        (
            "/rules/0/allow",
            json!([{
                "roles_any": ["R"], "scopes_all": ["s", "t"], "clients": ["c"],
                "claims": [{"claim": "/a", "contains": "x"}],
            }]),
        ),
        ("/rules/0/upstream_authorization", json!({"env": "ENDPOINT_KEY", "prefix": "Bearer "})),
        (
            "/token",
            json!({"forward": false, "from": [
                {"header": "Authorization", "prefix": "bearer "}, {"header": "X-Token"},
                {"cookie": "c"}, {"query": "access_token"}, {"websocket_protocol": "bearer."},
                {"websocket_protocol_after": "bearer"},
            ]}),
        ),
        (
            "/responses",
            json!({
                "resource_metadata": "https://ml.example/.well-known/oauth-protected-resource/v1",
                "cors": {"allow_origins": ["https://app.example"], "allow_credentials": true},
            }),
        ),
        ("/dry_run", json!(true)),
    ] {
        set(&mut document, pointer, value);
    }
    let policy = load(&document);
    assert_eq!(policy.providers[0].bind, Bind::Mtls);
    let rule = &policy.rules[0];
    assert!(rule.dry_run && policy.dry_run);
    let grant = &rule.allow.as_ref().unwrap()[0];
    assert_eq!(grant.roles.any.as_deref(), Some(&["R".to_owned()][..]));
    assert_eq!(grant.scope.as_deref(), Some("s t"));
    let lent = rule.upstream_authorization.as_ref().unwrap();
    assert_eq!(lent.expose(), format!("Bearer {SECRET}"));
    assert!(!format!("{policy:?}").contains(SECRET));
    let header =
        |name: &str, prefix: &str| Place::Header { name: name.into(), prefix: prefix.into() };
    assert_eq!(
        policy.token.from,
        [
            header("authorization", "bearer "),
            header("x-token", ""),
            Place::Cookie("c".into()),
            Place::Query("access_token".into()),
            Place::WebsocketProtocol("bearer.".into()),
            Place::WebsocketProtocolAfter("bearer".into()),
        ]
    );
    assert!(!policy.token.forward);
    let metadata = &policy.responses.resource_metadata[0];
    assert_eq!(metadata.uri.path, "/.well-known/oauth-protected-resource/v1");
    assert_eq!(
        serde_json::from_str::<Value>(&metadata.document).unwrap(),
        json!({
            "resource": "https://ml.example/v1",
            "authorization_servers": ["https://idp.example"],
            "scopes_supported": ["s", "t"],
            "bearer_methods_supported": ["header", "query"],
        })
    );
    let origins = Origins::Only(vec![OriginPattern::Exact("https://app.example".into())]);
    assert_eq!(policy.responses.cors, Some(Cors { origins, credentials: true }));
}

#[test]
fn a_guard_has_the_pointers_of_the_cost_before_its_own() {
    let pointers = |list: &[&str]| {
        let tokens = list.iter().map(|pointer| pointer.split('/').map(str::to_owned).collect());
        let tokens: Vec<Vec<String>> = tokens.collect();
        Pointers::new(tokens.iter().map(Vec::as_slice))
    };
    let rule = |document: &Value| load(document).rules[0].clone();
    assert_eq!(rule(&least()).payload, None);
    let mut document = with("/rules/0/payload", json!({}));
    let bare = rule(&document).payload.unwrap();
    assert_eq!((bare.max_bytes, bare.max_depth, bare.max_rows), (1 << 20, 128, None));
    assert_eq!((bare.content_types, bare.pointers), (None, pointers(&[])));
    set(&mut document, "/rules/0/cost", json!({"json_rows": ["/a"], "max": 9}));
    let payload = json!({
        "content_types": ["Application/JSON"], "max_bytes": "2MiB", "max_rows": 7, "max_depth": 5,
        "require_any": ["/b", "/c"],
    });
    set(&mut document, "/rules/0/payload", payload);
    let rule = rule(&document);
    let guard = rule.payload.unwrap();
    assert_eq!(rule.cost, Cost::Rows { max: 9 });
    assert_eq!((guard.max_bytes, guard.max_depth, guard.max_rows), (2 << 20, 5, Some(7)));
    // What the cost counts must be rows; the bound counts wherever a pointer leads.
    // The labels that pandas makes rows of are looked for after each.
    let list = pointers(&["a", "a/index", "b", "c", "b/index", "c/index"]);
    let counted = list.counting_rows(1, 6).with_labels([1, 4, 5]);
    assert_eq!((guard.pointers, guard.required), (counted, 2..4));
    set(&mut document, "/rules/0/cost/json_rows", json!(["/data", "/a"]));
    let named = self::load(&document).rules[0].payload.clone().unwrap();
    let list = ["data", "a", "data/index", "index", "a/index", "b", "c", "b/index", "c/index"];
    let counted = pointers(&list).counting_rows(2, 9).with_labels([2, 3, 4, 7, 8]);
    assert_eq!((named.pointers, named.required), (counted, 5..7));
    assert_eq!(guard.content_types.unwrap(), ["application/json"]);
}

#[test]
fn a_document_that_protects_nothing_is_refused() {
    for document in ["", "  ", "{}", r#"{"providers": []}"#] {
        let lines = problems(document);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("protects nothing"), "{lines:?}");
    }
}

#[test]
fn an_error_of_shape_names_its_path_and_what_is_allowed() {
    for (document, path, part) in [
        (with("/providers/0/issuer", json!("x")), "providers[0].issuer", "unknown field `issuer`"),
        (with("/provider", json!([])), "provider", "expected one of `providers`"),
        (with("/rules/0/match", json!({"path": []})), "rules[0].match.path", "unknown field"),
        (with("/rules/0/match", json!("x")), "rules[0].match", "an object with hosts, paths"),
        (with("/rules/0/cost", json!("1")), "rules[0].cost", "a whole number, or an object"),
        (with("/rules/0/cost", json!(1.5)), "rules[0].cost", "a whole number, or an object"),
        (with("/rules/0/cost", json!(-1)), "rules[0].cost", "a whole number, or an object"),
        (with("/rules/0/cost", json!({"x": 1})), "rules[0].cost.x", "unknown field `x`"),
        (with("/rules/0/cost", json!({"max": []})), "rules[0].cost.max", "a whole number"),
        (with("/providers/0/audiences", json!("all")), "providers[0].audiences", "the word `any`"),
        (with("/providers/0/audiences", json!([1])), "providers[0].audiences[0]", "a text"),
        (with("/providers/0/tenants", json!({})), "providers[0].tenants", "the word `any`"),
        (with("/providers/0/clock_skew", json!(60)), "providers[0].clock_skew", "a duration"),
        (with("/providers/0/bind", json!("tls")), "providers[0].bind", "`none` or `mtls`"),
        (with("/providers/0/preset", json!("aad")), "providers[0].preset", "`entra`"),
        (with("/limits/0/rate", json!(10)), "limits[0].rate", "a rate"),
        (with("/limits/0/burst", json!("10")), "limits[0].burst", "a whole number"),
        (with("/token", json!({"max_bytes": true})), "token.max_bytes", "a size"),
        (with("/token", json!({"from": [{"body": "x"}]})), "token.from[0].body", "unknown field"),
        (with("/failure_mode", json!("open")), "failure_mode", "`deny` or `allow`"),
        (with("/dry_run", json!("no")), "dry_run", "a boolean"),
        (with("/rules", json!(null)), "rules", "null is not a value here"),
        (with("/rules/0/match", json!(null)), "rules[0].match", "null is not a value here"),
        (
            with("/providers/0/keys", json!(SECRET)),
            "providers[0].keys",
            "is a text, expected an object",
        ),
        (
            with("/providers/0/keys", json!({"remote": SECRET})),
            "providers[0].keys.remote",
            "a text",
        ),
        (json!([]), "(document)", "the configuration"),
        // Some parsers read a list as the members in order; an empty one would be all defaults.
        (with("/rules/0/match", json!([])), "rules[0].match", "an object with hosts, paths"),
        (with("/rules/0", json!(["x"])), "rules[0]", "an object"),
        (with("/providers/0/keys", json!([SECRET])), "providers[0].keys", "an object"),
        (with("/telemetry", json!([])), "telemetry", "an object"),
    ] {
        one_problem(&document.to_string(), path, part);
        assert!(!schema().is_valid(&document), "{document}");
    }
}

#[test]
fn all_errors_of_shape_are_reported_at_once() {
    let mut document = least();
    set(&mut document, "/provider", json!([]));
    set(&mut document, "/providers/0/issuer", json!("x"));
    set(&mut document, "/providers/0/clock_skew", json!(60));
    set(&mut document, "/rules/0/match", json!({"hosts": [1, "a", {}], "path": "/"}));
    set(&mut document, "/rules/0/cost", json!(-1));
    set(&mut document, "/limits/0/rate", json!(null));
    // An error of meaning waits until the shape is right.
    set(&mut document, "/limits/0/name", json!("Not A Name"));
    let twice = document.to_string().replacen('{', r#"{"crypto":"auto","crypto":"host","#, 1);
    assert_eq!(
        problems(&twice),
        [
            "(document): the member `crypto` is given twice",
            "limits[0].rate: null is not a value here; leave the member out to have its default",
            "provider: unknown field `provider` (is `providers` meant?), expected one of \
             `providers`, `token`, `rules`, `limits`, `tags`, `responses`, `telemetry`, `privacy`, \
             `crypto`, `token_cache`, `store`, `client_address`, `hold_head`, `failure_mode`, `ambiguous_paths`, `dry_run`",
            "providers[0].issuer: unknown field `issuer` (is `issuers` meant?), expected one of \
             `name`, `preset`, `issuers`, `tenants`, `audiences`, `algorithms`, `keys`, \
             `clock_skew`, `require_exp`, `max_lifetime`, `typ`, `token_use`, `bind`, `identity`",
            "providers[0].clock_skew: is 60, expected a duration: a text such as `500ms`, `5s`, \
             `10m` or `1h`",
            "rules[0].match.path: unknown field `path` (is `paths` meant?), expected one of \
             `hosts`, `paths`, `ignore_case`, `trailing_slash`, `encoded_slash`, `methods`, \
             `headers`",
            "rules[0].match.hosts[0]: is 1, expected a text",
            "rules[0].match.hosts[2]: is an object, expected a text",
            "rules[0].cost: is -1, expected a whole number, or an object with header or json_rows",
            "crypto: is \"host\", expected `auto` or `module`",
        ]
    );
}

#[test]
fn a_hundred_problems_are_listed_and_no_more() {
    let lines = problems(&json!({"providers": vec![1; 5_000]}).to_string());
    assert_eq!(lines.len(), 101);
    assert_eq!(lines[100], "(document): has more problems, which are not listed");
}

#[test]
fn an_error_of_syntax_has_its_path_and_its_line() {
    let line = problems("{\"rules\": [{\"match\":\n {\"paths\": [\"/\", }]}}]}").join("\n");
    assert!(line.starts_with("rules[0].match.paths[1]: expected value at line 2"), "{line}");
}

#[test]
fn text_that_is_not_one_json_value_is_refused() {
    for document in ["{", "nonsense", "{} {}", "{\"providers\": [}", "\u{feff}{}", "\"x\"", "1"] {
        assert_eq!(problems(document).len(), 1, "{document:?}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(problems(&deep).len(), 1);
    assert!(problems(&" ".repeat(5 << 20))[0].contains("at most"));
}

#[test]
fn a_member_given_twice_is_refused() {
    one_problem(r#"{"dry_run": true, "dry_run": false}"#, "(document)", "`dry_run` is given twice");
    let twice = least().to_string().replacen(r#""kid":"1""#, r#""kid":"1","kid":"2""#, 1);
    one_problem(&twice, "providers[0].keys.inline.keys[0]", "`kid` is given twice");
    let headers = with("/rules/0/match", json!({"headers": {"X-A": "1"}})).to_string();
    let twice = headers.replacen(r#""X-A":"1""#, r#""X-A":"1","X-A":"2""#, 1);
    one_problem(&twice, "rules[0].match.headers", "`X-A` is given twice");
}

#[test]
fn keys_on_another_host_may_have_a_cluster_of_their_own_and_ed25519_either_name() {
    let remote = json!({"discovery": "https://x/", "cluster": "c", "keys_cluster": "d"});
    let mut document = with("/providers/0/keys", json!({"remote": remote}));
    set(&mut document, "/providers/0/algorithms", json!(["Ed25519"]));
    let policy = load(&document);
    let KeysFrom::Remote(remote) = &policy.providers[0].keys else { panic!("no remote keys") };
    assert_eq!((remote.cluster.as_str(), remote.keys_cluster.as_deref()), ("c", Some("d")));
    let algorithms: Vec<_> = policy.providers[0].algorithms.unwrap().iter().collect();
    assert_eq!(algorithms, [Algorithm::EdDsa]);
}

#[test]
fn an_error_of_meaning_is_one_line_with_its_path() {
    let remote = |member: &str, value: Value| {
        let mut remote = json!({"uri": "https://idp.example/keys", "cluster": "idp"});
        remote[member] = value;
        with("/providers/0/keys", json!({"remote": remote}))
    };
    let name = "providers[0].name";
    let issuers = "providers[0].issuers";
    let audiences = "providers[0].audiences";
    let algorithms = "providers[0].algorithms";
    let identity = "providers[0].identity[0]";
    let tag = |value: Value| with("/tags", json!([value]));
    let header = |header: &str| tag(json!({"name": "a", "value": "{a}", "header": header}));
    let path = |path: &str| with("/rules/0/match", json!({"paths": [path]}));
    let host = |host: &str| with("/rules/0/match", json!({"hosts": [host]}));
    for (document, path, part) in [
        (without("/providers/0/name"), name, "is required; allowed: [a-z0-9_-]{1,32}"),
        (with("/providers/0/name", json!("Idp")), name, "\"Idp\" is not a name"),
        (with("/providers/0/name", json!("")), name, "is not a name"),
        (with("/providers/0/name", json!("a".repeat(33))), name, "is not a name"),
        (with("/rules/-", json!({"name": "all"})), "rules[1].name", "given twice"),
        (with("/limits/-", json!({"name": "calls", "rate": "1/s"})), "limits[1].name", "twice"),
        (without("/providers/0/issuers"), issuers, "is required"),
        (with("/providers/0/issuers", json!([])), issuers, "empty list"),
        (with("/providers/0/issuers", json!([""])), "providers[0].issuers[0]", "is empty"),
        (
            with("/providers/0/issuers", json!(["https://a/{tid}"])),
            "providers[0].issuers[0]",
            "{tenantid}",
        ),
        (
            without("/providers/0/audiences"),
            audiences,
            "is required; allowed: a list of audiences, or the word any",
        ),
        (with("/providers/0/audiences", json!([])), audiences, "empty list"),
        (with("/providers/0/tenants", json!("any")), "providers[0].tenants", "no effect"),
        (with("/providers/0/algorithms", json!([])), algorithms, "empty list"),
        (
            with("/providers/0/algorithms", json!(["none"])),
            "providers[0].algorithms[0]",
            "allowed: RS256",
        ),
        (with("/providers/0/typ", json!([])), "providers[0].typ", "empty list"),
        (
            with("/providers/0/clock_skew", json!("5x")),
            "providers[0].clock_skew",
            "\"5x\" is not a duration; allowed:",
        ),
        (
            with("/providers/0/clock_skew", json!("1h")),
            "providers[0].clock_skew",
            "allowed: 0ms to 10m",
        ),
        (with("/providers/0/clock_skew", json!("1500ms")), "providers[0].clock_skew", "seconds"),
        (
            with("/providers/0/max_lifetime", json!("0s")),
            "providers[0].max_lifetime",
            "out of bounds",
        ),
        (with("/providers/0/identity", json!([])), "providers[0].identity", "empty list"),
        (with("/providers/0/identity", json!(["{sub"])), identity, "`{` without a `}`"),
        (with("/providers/0/identity", json!(["{@identity}"])), identity, "more than the token"),
        (
            with("/providers/0/identity", json!(["{sub}{@header:x}"])),
            identity,
            "more than the token",
        ),
        (with("/providers/0/identity", json!(["all"])), identity, "has no claim"),
        (with("/providers/0/identity", json!(["{tid}{oid}"])), identity, "nothing tells apart"),
        (with("/providers/0/identity", json!(["{tid}1{oid}"])), identity, "nothing tells apart"),
        (with("/providers/0/identity", json!(["{tid}%{oid}"])), identity, "nothing tells apart"),
        (without("/providers/0/keys"), "providers[0].keys", "exactly one of inline, env, remote"),
        (with("/providers/0/keys", json!({})), "providers[0].keys", "exactly one of"),
        (
            with("/providers/0/keys", json!({"env": "JWKS", "inline": {}})),
            "providers[0].keys",
            "more than one",
        ),
        (
            with("/providers/0/keys", json!({"inline": {"keys": []}})),
            "providers[0].keys.inline",
            "key",
        ),
        (
            with("/providers/0/keys", json!({"env": "UNSET"})),
            "providers[0].keys.env",
            "variable UNSET is not set",
        ),
        (
            with("/providers/0/keys", json!({"env": "EMPTY"})),
            "providers[0].keys.env",
            "variable EMPTY is not set",
        ),
        (
            with("/providers/0/keys", json!({"env": format!("{SECRET}=")})),
            "providers[0].keys.env",
            "not the name",
        ),
        (with("/providers/0/keys", json!({"env": "GARBAGE"})), "providers[0].keys.env", ""),
        // Without HS* among the algorithms a shared secret is no usable key.
        (with("/providers/0/keys", json!({"env": "SECRETS"})), "providers[0].keys.env", "key"),
        (
            with("/rules/0/limits", json!(["call"])),
            "rules[0].limits[0]",
            "\"call\" is not a limit; allowed: calls",
        ),
        (with("/rules/0/limits", json!(["calls", "calls"])), "rules[0].limits[1]", "given twice"),
        (
            with("/rules/0/providers", json!(["x"])),
            "rules[0].providers[0]",
            "not a provider; allowed: idp",
        ),
        (with("/rules/0/providers", json!([])), "rules[0].providers", "empty list"),
        (with("/rules", json!([])), "rules", "empty list"),
        (
            with("/rules/0", json!({"name": "x", "auth": "none", "providers": ["idp"]})),
            "rules[0].providers",
            "no effect",
        ),
        (with("/rules/0/cost", json!(0)), "rules[0].cost", "allowed: 1 to"),
        (with("/rules/0/cost", json!({"max": 1})), "rules[0].cost", "has not exactly one source"),
        (with("/rules/0/cost", json!({"json_rows": ["/a"]})), "rules[0].cost.max", "is required"),
        (
            with("/rules/0/cost", json!({"max": 1, "json_rows": ["data"]})),
            "rules[0].cost.json_rows[0]",
            "\"data\" is not a JSON Pointer",
        ),
        (
            with("/rules/0/cost", json!({"max": 1, "json_rows": []})),
            "rules[0].cost.json_rows",
            "is an empty list",
        ),
        (
            with("/rules/0/payload", json!({"require_any": vec!["/a"; 65]})),
            "rules[0].payload",
            "too many pointers; allowed: 64",
        ),
        (with("/rules/0/payload", json!({"max_depth": 0})), "rules[0].payload.max_depth", "0 is"),
        (
            with("/rules/0/payload", json!({"max_bytes": "65MiB"})),
            "rules[0].payload.max_bytes",
            "67108864",
        ),
        (
            with("/rules/0/payload", json!({"content_types": ["json"]})),
            "rules[0].payload.content_types[0]",
            "\"json\" is not type/subtype",
        ),
        (with("/rules/0/match", json!({"paths": []})), "rules[0].match.paths", "matches nothing"),
        (
            with("/rules/0/match", json!({"methods": ["*"]})),
            "rules[0].match.methods[0]",
            "not a method",
        ),
        (
            with("/rules/0/match", json!({"methods": ["G T"]})),
            "rules[0].match.methods[0]",
            "not a method",
        ),
        (
            with("/rules/0/match", json!({"headers": {"a b": "1"}})),
            "rules[0].match.headers.a b",
            "not a header name",
        ),
        (
            with("/rules/0/match", json!({"headers": {"host": "1"}})),
            "rules[0].match.headers.host",
            "use hosts",
        ),
        (
            with("/rules/0/match", json!({"headers": {"x": ""}})),
            "rules[0].match.headers.x",
            "is empty",
        ),
        (
            with("/rules/0/match", json!({"headers": {"x": "a\nb"}})),
            "rules[0].match.headers.x",
            "cannot carry",
        ),
        (
            with("/rules/0/match", json!({"headers": {"x": "1", "X": "1"}})),
            "rules[0].match.headers.x",
            "given twice",
        ),
        (path("score"), "rules[0].match.paths[0]", "must begin with `/`"),
        (path("/a/**/b"), "rules[0].match.paths[0]", "`**` before the end"),
        (path("/a*b*"), "rules[0].match.paths[0]", "more than one `*` in a segment"),
        (path("/a**"), "rules[0].match.paths[0]", "more than one `*` in a segment"),
        (path("/a%2Fb"), "rules[0].match.paths[0]", "never matches"),
        (
            with("/rules/0/match", json!({"paths": ["/a%2F.."], "encoded_slash": "allow"})),
            "rules[0].match.paths[0]",
            "never matches",
        ),
        (
            with("/rules/0/match", json!({"trailing_slash": "yes"})),
            "rules[0].match.trailing_slash",
            "`strict`",
        ),
        (
            with("/rules/0/match", json!({"encoded_slash": "keep"})),
            "rules[0].match.encoded_slash",
            "`reject`",
        ),
        (path("/a?b"), "rules[0].match.paths[0]", "only the path"),
        (path("/a//b"), "rules[0].match.paths[0]", "never matches"),
        (host("a:80"), "rules[0].match.hosts[0]", "without port"),
        (host("a."), "rules[0].match.hosts[0]", "final dot"),
        (host("*"), "rules[0].match.hosts[0]", "not a host"),
        (host("*.[::1]"), "rules[0].match.hosts[0]", "not a host"),
        (host("a.*.b"), "rules[0].match.hosts[0]", "not a host"),
        (without("/limits/0/rate"), "limits[0].rate", "is required; allowed: N/s"),
        (
            with("/limits/0/rate", json!("10/x")),
            "limits[0].rate",
            "\"10/x\" is not a rate; allowed:",
        ),
        (with("/limits/0/burst", json!(0)), "limits[0].burst", "out of bounds"),
        (with("/limits/0/key", json!("{@who}")), "limits[0].key", "allowed: {@identity}"),
        (
            with("/limits/0/response_cost", json!({"json": "/a"})),
            "limits[0].response_cost",
            "charge: response",
        ),
        (with("/token", json!({"max_bytes": "64MiB"})), "token.max_bytes", "256 to 65536"),
        (with("/token", json!({"max_bytes": "1KB"})), "token.max_bytes", "\"1KB\" is not a size"),
        (with("/store", json!({"max_identities": 7})), "store.max_identities", "8 to 16777216"),
        (
            with("/store", json!({"max_identities": 5_000_000_000_u64})),
            "store.max_identities",
            "8 to",
        ),
        (with("/token_cache", json!({"max_age": "0s"})), "token_cache.max_age", "1s to 24h"),
        (
            with("/token_cache", json!({"entries": 9_999_999})),
            "token_cache.entries",
            "0 to 1000000",
        ),
        (with("/privacy", json!({})), "privacy.hash_key_env", "is required"),
        (tag(json!({"name": "a", "value": "x", "hash": true})), "tags[0].hash", "needs a key"),
        (hashed("ABSENT"), "privacy.hash_key_env", "ABSENT is not set"),
        (
            hashed("SHORT_KEY"),
            "privacy.hash_key_env",
            "SHORT_KEY is too short; allowed: at least 32",
        ),
        (with("/responses", json!({"realm": "a\"b"})), "responses.realm", "quote"),
        (tag(json!({"name": "a"})), "tags[0].value", "is required"),
        (
            tag(json!({"name": "reason", "value": "x"})),
            "tags[0].name",
            "written by the filter itself",
        ),
        (tag(json!({"name": "a", "value": ""})), "tags[0].value", "is empty"),
        (tag(json!({"name": "a", "value": "x", "filter_state": false})), "tags[0]", "nowhere"),
        (header(":path"), "tags[0].header", "not a header name"),
        (header("Authorization"), "tags[0].header", "meaning of its own"),
        (header("content_length"), "tags[0].header", "meaning of its own"),
        (header("x-envoy-original-path"), "tags[0].header", "meaning of its own"),
        (
            remote("timeout", json!("5x")),
            "providers[0].keys.remote.timeout",
            "\"5x\" is not a duration; allowed:",
        ),
        (
            remote("timeout", json!("2m")),
            "providers[0].keys.remote.timeout",
            "\"2m\" is out of bounds; allowed: 10ms to 1m",
        ),
        (remote("max_stale", json!("10m")), "providers[0].keys.remote.max_stale", "is shorter"),
        (remote("cluster", json!("")), "providers[0].keys.remote.cluster", "is empty"),
        (
            remote("keys_cluster", json!("other")),
            "providers[0].keys.remote.keys_cluster",
            "is given without discovery",
        ),
        (
            with(
                "/providers/0/keys",
                json!({"remote": {"discovery": "https://x/", "cluster": "c", "keys_cluster": "a b"}}),
            ),
            "providers[0].keys.remote.keys_cluster",
            "is empty or holds spaces",
        ),
        (
            remote("uri", json!("ftp://x")),
            "providers[0].keys.remote.uri",
            "\"ftp://x\" is not a URI",
        ),
        (
            remote("discovery", json!("https://x")),
            "providers[0].keys.remote",
            "has both uri and discovery",
        ),
        (
            with("/providers/0/keys", json!({"remote": {"cluster": "c"}})),
            "providers[0].keys.remote",
            "is required",
        ),
        (
            with("/providers/0/keys", json!({"remote": {"uri": "https://x"}})),
            "providers[0].keys.remote.cluster",
            "is required",
        ),
        (
            with("/providers/0/issuers", json!(["https://a/{tenantid}"])),
            "providers[0].tenants",
            "is required",
        ),
    ] {
        one_problem(&document.to_string(), path, part);
    }
    let aliases = json!([
        {"name": "a", "value": "{a}", "header": "x-a-b"},
        {"name": "b", "value": "{b}", "header": "X_a.b"},
    ]);
    one_problem(&with("/tags", aliases).to_string(), "tags[1].header", "another tag");
    // A feature that is refused as a whole has that refusal beside its problem.
    for (document, problem) in [
        (with("/rules/0/allow", json!([])), "rules[0].allow: is an empty list"),
        (with("/rules/0/allow", json!([{}])), "rules[0].allow[0]: is empty"),
        (
            with("/rules/0/allow", json!([{"scopes_any": ["a b"]}])),
            "rules[0].allow[0].scopes_any[0]: holds a space",
        ),
        (
            with("/rules/0/allow", json!([{"claims": [{"claim": "x"}]}])),
            "rules[0].allow[0].claims[0]: has not exactly one",
        ),
        (
            with("/rules/0/allow", json!([{"claims": [{"claim": "/~x", "exists": true}]}])),
            "rules[0].allow[0].claims[0].claim: \"/~x\" is no JSON Pointer",
        ),
        (with("/rules/0/cost", json!({"header": "x-batch"})), "rules[0].cost.max: is required"),
        (with("/rules/0/concurrency", json!(0)), "rules[0].concurrency: 0 is out of bounds"),
        (
            with("/rules/0/upstream_authorization", json!({"env": "UNSET"})),
            "rules[0].upstream_authorization.env: the environment variable UNSET is not set",
        ),
        (
            with("/rules/0/upstream_authorization", json!({"env": "TWO_LINES"})),
            "rules[0].upstream_authorization.env: the value of TWO_LINES cannot stand",
        ),
        (
            with("/rules/0/allow", json!([{"scopes_all": ["a\"b"]}])),
            "rules[0].allow[0].scopes_all[0]: \"a\\\"b\" is not a scope",
        ),
        (
            with("/responses", json!({"resource_metadata": "https://a/b?c"})),
            "responses.resource_metadata: has a query",
        ),
        (
            with("/responses", json!({"resource_metadata": []})),
            "responses.resource_metadata: is an empty list",
        ),
        (
            with("/responses", json!({"resource_metadata": [{"paths": ["/mcp"]}]})),
            "responses.resource_metadata[0].url: is required",
        ),
        (
            with("/responses", json!({"resource_metadata": [metadata(json!({"hosts": ["a:1"]}))]})),
            "responses.resource_metadata[0].hosts[0]: \"a:1\" is not a host",
        ),
        (
            with("/responses", json!({"resource_metadata": [metadata(json!({"paths": ["mcp"]}))]})),
            "responses.resource_metadata[0].paths[0]: \"mcp\" must begin",
        ),
        (
            with(
                "/responses",
                json!({"resource_metadata": [metadata(json!({"providers": ["x"]}))]}),
            ),
            "responses.resource_metadata[0].providers[0]: \"x\" is not a provider",
        ),
        (
            with(
                "/responses",
                json!({"resource_metadata": [metadata(json!({"scopes": ["a b"]}))]}),
            ),
            "responses.resource_metadata[0].scopes[0]: holds a space",
        ),
        (
            with(
                "/responses",
                json!({"resource_metadata": [metadata(json!({"resource": "mcp"}))]}),
            ),
            "responses.resource_metadata[0].resource: \"mcp\" is not a resource",
        ),
        (
            with(
                "/responses",
                json!({"resource_metadata": [
                    metadata(json!({"paths": ["/a"]})), metadata(json!({"paths": ["/b"]})),
                ]}),
            ),
            "responses.resource_metadata[1].url: \"https://a/.well-known/",
        ),
        (with("/limits/0/tiers", json!([{"rate": "1/s"}])), "limits[0].tiers[0].when: is required"),
        (
            with("/limits/0/rate_claim", json!({"claim": "x"})),
            "limits[0].rate_claim.max: is required",
        ),
        (
            with("/limits/0/rate_claim", json!({"claim": "x", "max": "5000000000/s"})),
            "limits[0].rate_claim.max: does not make a quota with every number up to it",
        ),
        (with("/limits/0/charge", json!("response")), "limits[0].response_cost: is required"),
        (with("/token", json!({"from": []})), "token.from: is an empty list"),
        (with("/token", json!({"from": [{}]})), "token.from[0]: is required"),
        (
            with("/token", json!({"from": [{"header": "x", "cookie": "y"}]})),
            "token.from[0]: has more than one place",
        ),
        (
            with("/token", json!({"from": [{"cookie": "y", "prefix": "z"}]})),
            "token.from[0].prefix: stands only",
        ),
        (
            with("/token", json!({"from": [{"header": "x"}, {"header": "X"}]})),
            "token.from[1]: names a place",
        ),
        (
            with("/rules/0/match", json!({"headers": {"x-a": "1", "x_a": "2"}})),
            "rules[0].match.headers.x_a: is given twice",
        ),
        (
            with("/token", json!({"from": [{"header": "x-a"}, {"header": "x_a"}]})),
            "token.from[1]: names a place",
        ),
        (
            with("/token", json!({"from": [{"websocket_protocol_after": "a b"}]})),
            "token.from[0].websocket_protocol_after: is not a subprotocol name",
        ),
        (
            with("/token", json!({"from": [{"header": "x_auth.subject"}]})),
            "token.from[0].header: names a header that the filter writes",
        ),
        (
            with("/responses", json!({"cors": {"allow_origins": ["https://a/"]}})),
            "responses.cors.allow_origins[0]: \"https://a/\" is not an origin",
        ),
        (
            with(
                "/responses",
                json!({"cors": {"allow_origins": ["*"], "allow_credentials": true}}),
            ),
            "responses.cors.allow_origins[0]: * stands not",
        ),
    ] {
        let lines = problems(&document.to_string());
        let found = lines.iter().any(|line| line.starts_with(problem));
        assert!(found, "{problem}: {lines:#?}");
        assert_eq!(lines.len(), 1, "{lines:#?}");
    }
}

#[test]
fn hmac_keys_come_from_inline_or_env_and_only_where_named() {
    let mut document = with("/providers/0/keys", json!({"env": "SECRETS"}));
    set(&mut document, "/providers/0/algorithms", json!(["HS256"]));
    assert_eq!(load(&document).providers.len(), 1);
    assert_eq!(warnings(&document), [""; 0]);
    set(&mut document, "/providers/0/keys", json!({"inline": secret_set()}));
    assert!(warnings(&document)[0].starts_with("providers[0].keys.inline: HS* keys"));
    let remote = json!({"remote": {"uri": "https://x/", "cluster": "c"}});
    set(&mut document, "/providers/0/keys", remote);
    let lines = problems(&document.to_string());
    assert!(lines[0].starts_with("providers[0].keys: HS* is named"), "{lines:?}");
}

#[test]
fn all_errors_of_meaning_are_reported_at_once() {
    let mut document = least();
    set(&mut document, "/providers/0/clock_skew", json!("5x"));
    set(&mut document, "/providers/0/algorithms", json!(["RS1"]));
    set(&mut document, "/providers/-", json!({}));
    set(&mut document, "/rules/0/limits", json!(["nope", "calls"]));
    set(&mut document, "/limits/0/rate", json!("fast"));
    set(&mut document, "/store", json!({"max_identities": 1}));
    let lines = problems(&document.to_string());
    let paths: Vec<&str> = lines.iter().map(|line| line.split_once(": ").unwrap().0).collect();
    assert_eq!(
        paths,
        [
            "providers[0].algorithms[0]",
            "providers[0].clock_skew",
            "providers[1].name",
            "providers[1].issuers",
            "providers[1].audiences",
            "providers[1].keys",
            "limits[0].rate",
            "rules[0].limits[0]",
            "store.max_identities",
        ]
    );
}

#[test]
fn what_a_limit_says_of_callers_and_responses_is_compiled() {
    let mut document = with("/limits/0/rate_claim", json!({"claim": "/quota/rps", "max": "9/s"}));
    set(&mut document, "/limits/0/dry_run", json!(true));
    let batch = json!([{"when": {"roles_any": ["Batch"]}, "rate": "5/s", "burst": 7}]);
    set(&mut document, "/limits/0/tiers", batch);
    set(&mut document, "/rules/0/cost", json!({"header": "X-Batch", "max": 9}));
    set(&mut document, "/rules/0/concurrency", json!(8));
    let policy = load(&document);
    let limit = &policy.limits[0];
    let claim = limit.rate_claim.as_ref().unwrap();
    assert_eq!((claim.most, claim.period_ns, claim.debt), (9, 1_000_000_000, false));
    assert!(limit.dry_run && limit.response_cost.is_none());
    let [tier] = limit.tiers.as_slice() else { panic!("one tier") };
    assert_eq!((tier.quota.refill_ns(), tier.quota.burst()), (1_400_000_000, 7));
    assert_eq!(tier.when.roles.any, Some(vec!["Batch".to_owned()]));
    let rule = &policy.rules[0];
    assert_eq!(rule.cost, Cost::Header { name: "x-batch".into(), max: 9 });
    assert_eq!(rule.concurrency, Some(8));
    let mut document = with("/limits/0/charge", json!("response"));
    set(&mut document, "/limits/0/response_cost", json!({"json": "/usage/total"}));
    let policy = load(&document);
    let pointers = |list: &[&[&str]]| {
        let list: Vec<Vec<String>> =
            list.iter().map(|tokens| tokens.iter().map(|t| (*t).to_owned()).collect()).collect();
        Pointers::new(list.iter().map(Vec::as_slice))
    };
    let cost = |pointers, missing| Some(ResponseCost { pointers, missing });
    assert_eq!(policy.limits[0].response_cost, cost(pointers(&[&["usage", "total"]]), None));
    for missing in [0, 1_000_000_000] {
        let several = json!({"json": ["/usage/total", "/n"], "missing": missing});
        set(&mut document, "/limits/0/response_cost", several);
        let want = cost(pointers(&[&["usage", "total"], &["n"]]), Some(missing));
        assert_eq!(load(&document).limits[0].response_cost, want);
    }
    // Only a bucket that is charged afterwards may owe.
    let plain = load(&with("/limits/0/charge", json!("request")));
    assert_eq!(policy.limits[0].quota, plain.limits[0].quota.with_debt());
}

#[test]
fn what_a_response_costs_is_read_from_one_pointer_or_several_and_bounded() {
    let of = |cost: Value| {
        let mut document = with("/limits/0/charge", json!("response"));
        set(&mut document, "/limits/0/response_cost", cost);
        document
    };
    let many: Vec<_> = (0..65).map(|n| format!("/{n}")).collect();
    for (cost, problem) in [
        (json!({}), "limits[0].response_cost.json: is required"),
        (json!({"missing": 1}), "limits[0].response_cost.json: is required"),
        (json!({"json": "usage"}), "limits[0].response_cost.json: \"usage\" is not a JSON Pointer"),
        (json!({"json": []}), "limits[0].response_cost.json: is an empty list"),
        (
            json!({"json": ["/a", "b"]}),
            "limits[0].response_cost.json[1]: \"b\" is not a JSON Pointer",
        ),
        (json!({"json": many}), "limits[0].response_cost.json: has too many; allowed: 64"),
        (json!({"json": {"a": 1}}), "limits[0].response_cost.json: "),
        (json!({"json": "/a", "missing": -1}), "limits[0].response_cost.missing: "),
        (
            json!({"json": "/a", "missing": 1_000_000_001_u64}),
            "limits[0].response_cost.missing: 1000000001 is out of bounds; allowed: 0 to 1000000000",
        ),
        // Members of the contract that this version does not know.
        (json!({"json": "/a", "sum": []}), "limits[0].response_cost.sum: "),
        (json!({"preset": "any"}), "limits[0].response_cost.preset: "),
    ] {
        let found = problems(&of(cost.clone()).to_string());
        assert!(found.iter().any(|found| found.starts_with(problem)), "{cost}: {found:?}");
    }
}

#[test]
fn what_looks_like_a_mistake_is_a_warning() {
    let two = |first: Value, second: Value| {
        with(
            "/rules",
            json!([
                {"name": "a", "match": first, "limits": ["calls"]}, {"name": "b", "match": second},
            ]),
        )
    };
    for (document, want) in [
        (with("/rules/0/limits", json!([])), Some("limits[0]: no rule uses the limit \"calls\"")),
        (
            two(json!({}), json!({"paths": ["/a"]})),
            Some("rules[1]: the rule \"b\" never matches: \"a\""),
        ),
        (two(json!({"paths": ["/a"]}), json!({})), None),
        (
            with("/rules/0/payload", json!({"max_rows": 7})),
            Some("rules[0].payload.max_rows: admits only"),
        ),
        (with("/rules/0/payload", json!({"max_rows": 7, "require_any": ["/a"]})), None),
        (with("/rules/0/cost", json!(11)), Some("rules[0].cost: is more than the burst")),
        (
            with("/rules/0/match", json!({"methods": ["get"]})),
            Some("rules[0].match.methods[0]: methods are"),
        ),
        (
            with("/token", json!({"from": [{"header": "authorization"}]})),
            Some("token.from[0]: has no prefix"),
        ),
        (
            with("/providers/0/keys/inline/keys/-", json!({"kty": "odd"})),
            Some("providers[0].keys.inline.keys[1]: the key is skipped"),
        ),
        (
            with(
                "/rules/0/allow",
                json!([{"claims": [
                    {"claim": "a", "equals": "x"}, {"claim": "a", "any_of": ["y", "z"]},
                ]}]),
            ),
            Some("rules[0].allow[0].claims[1]: contradicts an earlier test"),
        ),
        (
            with(
                "/rules/0/allow",
                json!([{"roles_any": ["a"], "claims": [
                    {"claim": "/roles", "exists": false},
                ]}]),
            ),
            Some("rules[0].allow[0].claims[0]: asks for the absence of a claim that is needed"),
        ),
        (
            with(
                "/rules/0/allow",
                json!([{"claims": [
                    {"claim": "a", "any_of": ["x"]}, {"claim": "a", "contains": "y"},
                    {"claim": "b", "equals": 1}, {"claim": "b", "any_of": [1.0, 2]},
                    {"claim": "c", "exists": false},
                ]}]),
            ),
            None,
        ),
        (
            with(
                "/rules/0",
                json!({
                    "name": "open", "auth": "none", "limits": ["calls"],
                    "upstream_authorization": {"env": "ENDPOINT_KEY"},
                }),
            ),
            Some("rules[0].upstream_authorization: is lent to callers without a token"),
        ),
        (
            with("/responses", json!({"resource_metadata": "https://a/b"})),
            Some("responses.resource_metadata: its path does not begin with /.well-known/"),
        ),
        (
            with(
                "/responses",
                json!({"resource_metadata": [metadata(json!({"resource": "https://a/mcp"}))]}),
            ),
            Some("responses.resource_metadata[0].resource: is not the resource of its URL"),
        ),
        (
            with(
                "/responses",
                json!({"resource_metadata": [
                    metadata(json!({"paths": ["/a/**"]})),
                    {"url": "https://b/.well-known/oauth-protected-resource", "paths": ["/a/b"]},
                ]}),
            ),
            Some("responses.resource_metadata[1]: no challenge names it"),
        ),
        (least(), None),
    ] {
        let lines = warnings(&document);
        assert_eq!(lines.len(), usize::from(want.is_some()), "{want:?}: {lines:?}");
        assert!(lines.iter().all(|line| line.starts_with(want.unwrap())), "{want:?}: {lines:?}");
    }
}

/// What is removed from every request is not there for a rule, a cost, a key, a tag or a token.
#[test]
fn a_header_that_the_filter_writes_is_asked_for_nowhere() {
    let written = [
        "x-auth-subject",
        "X_Auth_Subject",
        "x.auth~issuer",
        "x-tollgate-internal",
        "X_TOLLGATE_a",
    ];
    for name in written {
        let tag = format!("{{sub}} {{@header:{name}}}");
        let tag = json!([
            {"name": "s", "value": "{sub}", "header": "x-auth-subject"},
            {"name": "i", "value": "{iss}", "header": "x-auth-issuer"},
            {"name": "t", "value": tag},
        ]);
        for (pointer, value, path) in [
            ("/rules/0/match", json!({"headers": {name: "1"}}), "rules[0].match.headers"),
            ("/rules/0/match", json!({"headers": {name: "*"}}), "rules[0].match.headers"),
            ("/rules/0/cost", json!({"header": name, "max": 9}), "rules[0].cost.header"),
            ("/limits/0/key", json!(format!("{{@header:{name}}}")), "limits[0].key"),
            ("/tags", tag, "tags[2].value"),
            ("/token", json!({"from": [{"header": name}]}), "token.from[0].header"),
        ] {
            let lines = problems(&with(pointer, value).to_string());
            assert_eq!(lines.len(), 1, "{path}: {lines:?}");
            assert!(lines[0].starts_with(path), "{path}: {lines:?}");
            assert!(lines[0].contains("names a header that the filter writes"), "{lines:?}");
        }
    }
    for name in ["x-auth", "x-auth-subjects", "x-tollgate", "x-plan"] {
        load(&with("/rules/0/match", json!({"headers": {name: "1"}})));
    }
}

#[test]
fn no_credential_is_drawn_into_a_tag_or_a_key() {
    let document = |part: &str, pointer: &str| {
        let mut document = with(
            "/token",
            json!({"from": [
                {"header": "x-user-token"}, {"websocket_protocol": "bearer."}, {"cookie": "session"},
            ]}),
        );
        let value = match pointer {
            "/tags" => json!([{"name": "t", "value": format!("{{sub}}{{@header:{part}}}")}]),
            _ => json!(format!("{{@header:{part}}}")),
        };
        set(&mut document, pointer, value);
        document
    };
    let secrets = [
        "authorization",
        "Authorization",
        "cookie",
        "proxy-authorization",
        "x-user-token",
        "X_User_Token",
        "x.user-token",
        "sec-websocket-protocol",
        "sec_websocket_protocol",
    ];
    for (pointer, path) in [("/tags", "tags[0].value"), ("/limits/0/key", "limits[0].key")] {
        for part in secrets {
            let document = document(part, pointer).to_string();
            one_problem(&document, path, "holds credentials; allowed: a header that is not");
        }
        load(&document("x-user", pointer));
    }
}

#[test]
fn an_identity_that_callers_of_two_providers_may_have_is_warned_of() {
    let two = |first: &str, second: &str| {
        let mut document = with("/providers/0/identity", json!([first]));
        let mut other = document["providers"][0].clone();
        other["name"] = json!("other");
        other["issuers"] = json!(["https://other.example"]);
        other["identity"] = json!([second]);
        document["providers"].as_array_mut().unwrap().push(other);
        warnings(&document)
    };
    for (first, second, warned) in [
        ("{iss}/{sub}", "{iss}/{sub}", &[][..]),
        ("{/iss}/{sub}", "{@provider}/{sub}", &[]),
        ("{sub}", "{iss}/{sub}", &["providers[0].identity[0]: "]),
        ("{iss}/{sub}", "{tid}/{oid}", &["providers[1].identity[0]: "]),
        ("{sub}", "{sub}", &["providers[0].identity[0]: ", "providers[1].identity[0]: "]),
    ] {
        let lines = two(first, second);
        assert_eq!(lines.len(), warned.len(), "{lines:?}");
        for (line, start) in lines.iter().zip(warned) {
            assert!(line.starts_with(start) && line.contains("another provider's"), "{line}");
        }
    }
    assert_eq!(warnings(&with("/providers/0/identity", json!(["{sub}"]))), [""; 0]);
}

#[test]
fn no_secret_is_in_a_problem_or_a_policy() {
    let mut document = with("/providers/0/keys", json!({"env": "SECRETS"}));
    set(&mut document, "/providers/0/algorithms", json!(["HS256"]));
    assert!(!format!("{:?}", load(&document)).contains(SECRET));
    let inline = |set: Value| with("/providers/0/keys", json!({"inline": set}));
    let upstream = json!({"env": "ENDPOINT_KEY", "prefix": SECRET, "x": SECRET});
    for document in [
        inline(secret_set()),
        inline(json!(SECRET)),
        inline(json!([SECRET])),
        inline(json!({"keys": SECRET})),
        with("/providers/0/keys", json!(SECRET)),
        with("/providers/0/keys", json!([SECRET])),
        with("/providers/0/keys", json!({"env": "GARBAGE"})),
        with("/providers/0/keys", json!({"env": format!("{SECRET}\",expected=")})),
        with("/providers/0/keys", json!({"remote": format!("{SECRET}\", expected {SECRET}")})),
        with("/rules/0/upstream_authorization", json!(SECRET)),
        with("/rules/0/upstream_authorization", upstream),
        with("/privacy", json!(SECRET)),
    ] {
        let lines = problems(&document.to_string());
        assert!(lines.iter().all(|line| !line.contains(SECRET)), "{document}: {lines:?}");
    }
}

#[test]
fn a_problem_is_one_short_line_whatever_the_document_holds() {
    let nasty = "a\r\n\u{1b}[31m\u{2028}\u{0}".repeat(200);
    for document in [
        with(&format!("/{nasty}"), json!(1)),
        with("/providers/0/name", json!(nasty)),
        with("/failure_mode", json!(nasty)),
        with("/rules/0/limits", json!([nasty])),
        with("/rules/0/match", json!({"headers": {nasty.clone(): "1"}})),
    ] {
        for line in problems(&document.to_string()) {
            assert!(!line.chars().any(|c| c.is_control() || c == '\u{2028}'), "{line:?}");
            assert!(line.len() < 20_000, "{}", line.len());
        }
    }
}

const CONTRACT: &str = include_str!("data/contract.json");

#[test]
fn the_sample_of_the_contract_loads() {
    let policy = load(&serde_json::from_str(CONTRACT).unwrap());
    assert_eq!((policy.rules.len(), policy.limits.len()), (2, 2));
}

#[test]
fn no_damaged_document_loads_or_panics() {
    let bytes = CONTRACT.as_bytes();
    for end in 0..bytes.len().saturating_sub(2) {
        assert!(compile(&bytes[..end], &Variables).is_err(), "{end}");
    }
    let least = least().to_string().into_bytes();
    for at in 0..least.len() {
        for byte in *b"\0\"[]{},:09-e \xff" {
            let mut damaged = least.clone();
            damaged[at] = byte;
            // Some still load: a changed letter in a name is another name.
            let _ = compile(&damaged, &Variables);
        }
    }
}

/// A document with one hashed tag, its key in the variable `name`.
fn hashed(name: &str) -> Value {
    let mut document = with("/privacy", json!({"hash_key_env": name}));
    set(&mut document, "/tags", json!([{"name": "a", "value": "{sub}", "hash": true}]));
    document
}

#[test]
fn a_hashed_tag_loads_with_its_key_which_never_prints() {
    let document = hashed("HASH_KEY");
    let policy = load(&document);
    assert!(policy.tags[0].hash.is_some());
    assert!(!format!("{policy:?}").contains(&SECRET[..16]));
    for name in ["SHORT_KEY", "ABSENT"] {
        let lines = problems(&hashed(name).to_string());
        assert!(lines.iter().all(|line| !line.contains(&SECRET[..16])), "{lines:?}");
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}

#[test]
fn a_watched_rule_that_lends_nothing_is_warned_of() {
    let mut document = least();
    set(&mut document, "/rules/0/upstream_authorization", json!({"env": "ENDPOINT_KEY"}));
    let told = |document: &Value| {
        let lines = warnings(document);
        lines.iter().any(|line| line.contains("is not lent while the rule is a dry run"))
    };
    for (payload, whole, rule, hold_head, want) in [
        (true, false, true, false, true),
        (true, true, false, false, true),
        (true, true, true, true, false),
        (true, false, false, false, false),
        (false, true, true, false, false),
    ] {
        let mut document = document.clone();
        if payload {
            set(&mut document, "/rules/0/payload", json!({}));
        }
        set(&mut document, "/dry_run", json!(whole));
        set(&mut document, "/rules/0/dry_run", json!(rule));
        set(&mut document, "/hold_head", json!(hold_head));
        assert_eq!(told(&document), want, "{document}");
    }
}

#[test]
fn a_value_that_is_hashed_in_one_tag_and_shown_in_another_is_warned_of() {
    let mut document = hashed("HASH_KEY");
    document["tags"].as_array_mut().unwrap().push(json!({"name": "b", "value": "{sub}"}));
    let lines = warnings(&document);
    assert!(lines.iter().any(|l| l.starts_with("tags[1].value: shows what")), "{lines:?}");
}

/// A document with every object that has members with defaults or bounds.
fn roomy() -> Value {
    let mut document = least();
    for (pointer, value) in [
        ("/token", json!({"from": [{"header": "x-token"}]})),
        ("/responses", json!({"cors": {"allow_origins": ["https://app.example"]}})),
        ("/tags", json!([{"name": "a", "value": "{a}", "header": "x-a"}])),
        ("/telemetry", json!({})),
        ("/token_cache", json!({})),
        ("/store", json!({})),
        ("/client_address", json!({})),
        ("/rules/0/payload", json!({"require_any": ["/a"]})),
        ("/rules/0/upstream_authorization", json!({"env": "ENDPOINT_KEY"})),
        ("/rules/-", json!({"name": "b", "cost": {"header": "x-b", "max": 2}})),
        ("/limits/0/tiers", json!([{"when": {"roles_any": ["a"]}, "rate": "1/s"}])),
        (
            "/providers/-",
            json!({
                "name": "remote", "issuers": ["https://b"], "audiences": "any",
                "keys": {"remote": {"uri": "https://b/keys", "cluster": "b"}},
            }),
        ),
    ] {
        set(&mut document, pointer, value);
    }
    document
}

/// Calls with the pointer and the schema of each member that an object of the document could have.
fn members(schema: &Value, at: &Value, pointer: &str, each: &mut dyn FnMut(String, &Value)) {
    let text = schema_text();
    let referred = |schema: &Value| match schema["$ref"].as_str() {
        Some(name) => text.pointer(name.trim_start_matches('#')).unwrap().clone(),
        None => schema.clone(),
    };
    let mut choices = vec![referred(schema)];
    choices.extend(schema["oneOf"].as_array().into_iter().flatten().map(referred));
    match at {
        Value::Array(list) => {
            for (index, at) in list.iter().enumerate() {
                members(&schema["items"], at, &format!("{pointer}/{index}"), each);
            }
        }
        Value::Object(object) => {
            for (name, schema) in
                choices.iter().filter_map(|c| c["properties"].as_object()).flatten()
            {
                let pointer = format!("{pointer}/{name}");
                each(pointer.clone(), schema);
                if let Some(at) = object.get(name) {
                    members(schema, at, &pointer, each);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn a_default_of_the_schema_is_what_an_absent_member_means() {
    let document = roomy();
    let wanted = format!("{:?}", load(&document));
    let mut checked = 0;
    members(&schema_text(), &document, "", &mut |pointer, schema| {
        let absent = document.pointer(&pointer).is_none();
        if let (Some(default), true) = (schema.get("default"), absent) {
            let mut given = document.clone();
            set(&mut given, &pointer, default.clone());
            assert_eq!(format!("{:?}", load(&given)), wanted, "{pointer}");
            checked += 1;
        }
    });
    assert!(checked >= 30, "{checked}");
}

#[test]
fn the_bounds_of_the_schema_are_those_of_the_filter() {
    let document = roomy();
    let mut checked = 0;
    members(&schema_text(), &document, "", &mut |pointer, schema| {
        let mut given = document.clone();
        let mut refused = |value: Value, allowed: &str| {
            set(&mut given, &pointer, value);
            let lines = problems(&given.to_string());
            let told = lines.iter().any(|line| line.contains(&format!("allowed: {allowed}")));
            assert!(told, "{pointer}: {allowed}: {lines:?}");
            checked += 1;
        };
        let number = |word: &str| schema[word].as_u64();
        if let (Some(low), Some(high)) = (number("minimum"), number("maximum")) {
            refused(json!(high + 1), &format!("{low} to {high}"));
            if low > 0 {
                refused(json!(low - 1), &format!("{low} to {high}"));
            }
        } else if let Some(low @ 1..) = number("minimum") {
            refused(json!(low - 1), &format!("{low} to"));
        }
        let description = schema["description"].as_str().unwrap();
        if let Some((_, bounds)) = description.split_once(" Allowed: ") {
            let bytes = schema["$ref"] == "#/$defs/size";
            refused(json!(if bytes { "999MiB" } else { "99999h" }), bounds.trim_end_matches('.'));
        }
    });
    assert!(checked >= 15, "{checked}");
}

#[test]
fn what_only_the_schema_can_say_of_shape_is_refused_by_the_filter_too() {
    for (pointer, value) in [
        ("/providers", json!([])),
        ("/providers/0/keys", json!({})),
        ("/providers/0/keys", json!({"env": "JWKS", "inline": key_set()})),
        ("/providers/0/keys", json!({"remote": {"uri": "https://a"}})),
        ("/providers/0/keys", json!({"env": "not a name"})),
        ("/providers/0/name", json!("Idp")),
        ("/providers/0/clock_skew", json!("5 s")),
        ("/providers/0/clock_skew", json!("1.5s")),
        ("/providers/0/audiences", json!([])),
        ("/token", json!({"from": []})),
        ("/token", json!({"from": [{}]})),
        ("/token", json!({"from": [{"header": "x", "cookie": "y"}]})),
        ("/token", json!({"from": [{"cookie": "y", "prefix": "z"}]})),
        ("/token", json!({"max_bytes": "1KB"})),
        ("/rules/0/allow", json!([{}])),
        ("/rules/0/allow", json!([{"claims": [{"claim": "x"}]}])),
        ("/rules/0/allow", json!([{"claims": [{"equals": 1, "exists": true}]}])),
        ("/rules/0/cost", json!(0)),
        ("/rules/0/cost", json!({"max": 1})),
        ("/limits/0/rate", json!("10/x")),
        ("/limits/0/rate", json!("0/s")),
        ("/limits/0/rate", json!("1/0s")),
        ("/limits/0/response_cost", json!({"json": "/a"})),
        ("/privacy", json!({})),
        ("/tags", json!([{"name": "a"}])),
        ("/responses", json!({"cors": {}})),
    ] {
        let document = with(pointer, value);
        assert!(!schema().is_valid(&document), "{document}");
        problems(&document.to_string());
    }
}

#[test]
fn the_samples_are_valid_and_lack_nothing_but_their_environment() {
    let mut samples = Vec::new();
    let readme = include_str!("../README.md");
    samples.extend(
        readme
            .split("```json")
            .skip(1)
            .filter_map(|rest| serde_json::from_str(rest.split("```").next()?).ok()),
    );
    for folder in ["envoy", "istio"] {
        files(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut samples);
    }
    samples.retain(|sample| sample.get("providers").is_some());
    assert!(samples.len() >= 3, "{}", samples.len());
    for sample in samples {
        assert!(schema().is_valid(&sample), "{sample}");
        let lines = compile(sample.to_string().as_bytes(), &Variables).err().unwrap_or_default();
        let missing = |problem: &Problem| problem.message.contains("environment variable");
        assert!(lines.iter().all(missing), "{sample}: {lines:?}");
    }
}

/// Collects what the YAML files below a folder configure the filter with.
fn files(path: &std::path::Path, samples: &mut Vec<Value>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            files(&entry.unwrap().path(), samples);
        }
    } else if path.extension().is_some_and(|extension| extension == "yaml") {
        let text = std::fs::read_to_string(path).unwrap();
        for document in serde_yaml_ng::Deserializer::from_str(&text) {
            // What is no JSON (a tag, a key that is no text) configures nothing.
            if let Ok(document) = <Value as serde::Deserialize>::deserialize(document) {
                configurations(&document, samples);
            }
        }
    }
}

/// Collects `pluginConfig` of Istio and the JSON text in `configuration` of Envoy.
fn configurations(value: &Value, samples: &mut Vec<Value>) {
    samples.extend(value.get("pluginConfig").cloned());
    let text = value.pointer("/configuration/value").and_then(Value::as_str);
    samples.extend(text.and_then(|text| serde_json::from_str(text).ok()));
    match value {
        Value::Array(list) => list.iter().for_each(|value| configurations(value, samples)),
        Value::Object(object) => {
            object.values().for_each(|value| configurations(value, samples));
        }
        _ => {}
    }
}
