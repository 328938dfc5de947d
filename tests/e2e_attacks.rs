//! The attack corpus in a real Envoy: each token on the wire, as it would come.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;

use support::attacks::{self, Attack, Expect, World};
use support::prelude::*;

/// The maximum length of a header value that the filter writes (docs/telemetry.md).
const LONGEST_VALUE: usize = 1024;

/// Status and reason.
type Answer = (u16, String);

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_is_refused_for_its_reason_by_either_engine_and_none_reaches_the_upstream() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let world = World::new();
    let corpus = attacks::corpus(&world);
    let providers = || json!({"providers": world.providers()});
    let start = |crypto| fixture.envoy(merged(providers(), json!({"crypto": crypto}))).start();
    let expected = |attack: &Attack, reason: &str| match attack.expect {
        Expect::Refused(reasons) => reasons.contains(&reason),
        _ => !reason.is_empty(),
    };
    let controls = world.controls();
    let envoy = start("auto").await;
    let host = run_against_envoy(&fixture, envoy, "host", &controls, &corpus, expected).await;
    let envoy = start("module").await;
    let module = run_against_envoy(&fixture, envoy, "module", &controls, &corpus, expected).await;
    for ((host, module), attack) in host.iter().zip(&module).zip(corpus.iter().filter(sent)) {
        // Of two keys that may have signed a token the proxy tries both, and the module one.
        let (both, one) = ("signature_invalid", "key_unknown");
        let may = matches!(attack.expect, Expect::Refused(reasons)
            if reasons.contains(&both) && reasons.contains(&one));
        let fewer = may && host.1 == both && module.1 == one;
        assert!(host == module || fewer, "{}: {}: {module:?}", attack.family, attack.name);
    }
    attacks_on_the_host_module(&fixture, &world, &corpus, &host).await;
    let Some(explained) = explain(&world, &corpus) else { return };
    let mut wrong = Vec::new();
    for ((envoy, desk), attack) in host.iter().zip(&explained).zip(corpus.iter().filter(sent)) {
        if envoy != desk {
            wrong.push(format!("{}: {}: {envoy:?}, not {desk:?}", attack.family, attack.name));
        }
    }
    assert_eq!(explained.len(), host.len());
    assert!(wrong.is_empty(), "explain says otherwise:\n{}", wrong.join("\n"));
}

/// The reasons for which the module without a verifier refuses what another algorithm than those of the
/// proxy signed: no provider has the algorithm, the key, or its issuer.
const LACKS: [&str; 3] = ["algorithm_not_allowed", "key_unknown", "issuer_not_allowed"];

/// The module without a verifier has the verdict of the full one on every token, or refuses it because it
/// lacks the algorithm.
async fn attacks_on_the_host_module(
    fixture: &Fixture,
    world: &World,
    corpus: &[Attack],
    full: &[Answer],
) {
    let Some(module) = support::skip::host_module() else { return };
    let providers: Vec<_> = world.providers().as_array().unwrap().to_vec();
    let verified = |provider: &Value| provider["algorithms"] != json!(["HS256"]);
    let providers: Vec<_> = providers.into_iter().filter(verified).collect();
    let envoy = fixture.envoy(json!({"providers": providers})).module(module).start().await;
    let (can, cannot): (Vec<_>, Vec<_>) =
        world.controls().into_iter().partition(|(_, token)| of_proxy(world, token.as_bytes()));
    for (name, token) in &cannot {
        let (status, reason) = envoy.judge(token).await;
        assert!(status == 401 && LACKS.contains(&reason.as_str()), "{name}: {status} {reason}");
    }
    assert!(cannot.len() >= 4, "PS256, ES256K, EdDSA and HS256");
    let expected = |attack: &Attack, reason: &str| match attack.expect {
        Expect::Refused(reasons) => reasons.contains(&reason) || LACKS.contains(&reason),
        _ => !reason.is_empty(),
    };
    let answers = run_against_envoy(fixture, envoy, "host", &can, corpus, expected).await;
    for ((lean, full), attack) in answers.iter().zip(full).zip(corpus.iter().filter(sent)) {
        let lacks = full.0 == 401 && lean.0 == 401 && LACKS.contains(&lean.1.as_str());
        let same = lean == full || lacks && !of_proxy(world, &attack.token);
        assert!(same, "{}: {}: {lean:?}, not {full:?}", attack.family, attack.name);
    }
}

/// Whether the header names an algorithm of the proxy and no key of another, and no provider of HS256 issued
/// the token.
fn of_proxy(world: &World, token: &[u8]) -> bool {
    let mut parts = token.split(|byte| *byte == b'.').map(|part| {
        let bytes = tollgate::verify::base64url::decode(part).unwrap_or_default();
        serde_json::from_slice::<Value>(&bytes).unwrap_or_default()
    });
    let [header, claims] = [(); 2].map(|()| parts.next().unwrap_or_default());
    let algorithm = header["alg"].as_str().unwrap_or_default();
    let named = tollgate::verify::host::OFFERED.iter().any(|offered| offered.name() == algorithm);
    let skipped = [&world.pss, &world.k256, &world.ed].map(Signer::kid);
    let skipped = skipped.iter().any(|kid| header["kid"] == *kid);
    named && !skipped && claims["iss"] != attacks::world::MACHINE
}

/// The verdicts of `tollgate explain` on every attack that was sent; `None` without feature `cli`.
fn explain(world: &World, corpus: &[Attack]) -> Option<Vec<Answer>> {
    let Some(program) = option_env!("CARGO_BIN_EXE_tollgate") else {
        println!("skipped: explain is not compared, feature cli is off");
        return None;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e_attacks");
    std::fs::create_dir_all(&folder).unwrap();
    let (config, tokens) = (folder.join("config.json"), folder.join("tokens"));
    std::fs::write(&config, json!({"providers": world.providers()}).to_string()).unwrap();
    let lines: Vec<&[u8]> = corpus.iter().filter(sent).map(|a| a.token.as_slice()).collect();
    std::fs::write(&tokens, lines.join(&b'\n')).unwrap();
    let mut command = std::process::Command::new(program);
    command.args(["explain", "--json", "--path", "/score", "--config"]).arg(config);
    let output = command.arg("--tokens").arg(tokens).output().unwrap();
    // Some of the tokens are refused.
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let answer = |line: &str| {
        let told: Value = serde_json::from_str(line).unwrap();
        match told["status"].as_u64() {
            Some(status) => {
                (u16::try_from(status).unwrap(), told["reason"].as_str().unwrap().to_owned())
            }
            None => (200, String::new()),
        }
    };
    Some(String::from_utf8(output.stdout).unwrap().lines().map(answer).collect())
}

fn sent(attack: &&Attack) -> bool {
    attack.fits_a_header()
}

/// Sends every attack that a header can carry, each twice: a remembered verdict is the same one.
async fn run_against_envoy(
    fixture: &Fixture,
    envoy: Envoy,
    engine: &str,
    controls: &[(&str, String)],
    corpus: &[Attack],
    expected: impl Fn(&Attack, &str) -> bool,
) -> Vec<Answer> {
    let mut connection = Connection::open(envoy.address()).await;
    for (name, token) in controls {
        let response = connection.send(&Request::get("/score").bearer(token)).await;
        assert_eq!((response.status, response.reason().as_str()), (200, ""), "{name}");
    }
    let by_host = envoy.stat("wasmcustom.tollgate_verify.engine.host.result.ok").await;
    assert_eq!(by_host > 0, engine == "host", "{by_host}");
    fixture.upstream.clear();

    let mut complaints = Vec::new();
    let mut answers = Vec::new();
    // What the caller reads depends on the reason alone, and so on no byte of a token, a claim or a key.
    let mut texts = std::collections::HashMap::new();
    for (at, attack) in corpus.iter().filter(sent).enumerate() {
        let case = format!("attack-{at}");
        let request = Request::get("/score").bearer(&attack.token).case(&case);
        let response = connection.send(&request).await;
        let seen = fixture.upstream.case(&case);
        if let Some(why) = complaint(attack, &response, seen.as_ref(), &expected) {
            complaints.push(format!("{}: {}: {why}", attack.family, attack.name));
        }
        let again = connection.send(&Request::get("/score").bearer(&attack.token)).await;
        let [first, second] = [&response, &again].map(|r| (r.status, r.reason()));
        if first != second {
            complaints.push(format!("{}: {}: then {second:?}", attack.family, attack.name));
        }
        if seen.is_none() {
            let challenge = response.header("www-authenticate").map(str::to_owned);
            let text = (challenge, response.body);
            if *texts.entry(first.1.clone()).or_insert_with(|| text.clone()) != text {
                complaints.push(format!("{}: {}: another answer", attack.family, attack.name));
            }
        }
        answers.push(first);
    }
    let (count, sent) = (complaints.len(), answers.len());
    assert!(count == 0, "{engine}: {count} of {sent}:\n{}", complaints.join("\n"));
    let pass = |attack: &&Attack| attack.expect == Expect::PassesSanitised;
    assert_eq!(fixture.upstream.count(), 2 * corpus.iter().filter(pass).count());
    assert!(sent > 1000, "{sent}");
    let log = envoy.log();
    for attack in corpus {
        let secret = signature(attack);
        assert!(secret.is_empty() || !log.contains(secret), "{}: in the log", attack.name);
    }
    answers
}

/// Why the answer to an attack is wrong; `None` if it is right.
fn complaint(
    attack: &Attack,
    response: &Response,
    seen: Option<&Recorded>,
    expected: impl Fn(&Attack, &str) -> bool,
) -> Option<String> {
    let (status, reason) = (response.status, response.reason());
    let secret = signature(attack);
    let ours = seen.is_none() && !secret.is_empty();
    if ours && String::from_utf8_lossy(&response.body).contains(secret) {
        return Some("the answer holds the signature".to_owned());
    }
    // A comma-separated list of credentials counts as two tokens (RFC 9110 §5.3).
    let listed = attack.token.contains(&b',') && reason == "token_multiple";
    if attack.expect == Expect::PassesSanitised {
        return sanitised(status, seen);
    }
    let expected = listed || expected(attack, &reason);
    let refused = [400, 401].contains(&status) && seen.is_none();
    let expect = attack.expect;
    (!refused || !expected).then(|| format!("{status} {reason:?}, not {expect:?}"))
}

/// Checks the sanitised form in which the upstream sees a hostile subject.
fn sanitised(status: u16, seen: Option<&Recorded>) -> Option<String> {
    let Some(seen) = seen else { return Some(format!("{status}, not passed on")) };
    if !seen.raw_bytes().is_empty() {
        return Some(format!("raw bytes upstream: {:?}", seen.raw_bytes()));
    }
    for name in ["x-auth-subject", "x-auth-identity", "x-auth-issuer"] {
        match seen.all(name)[..] {
            [value] if value.len() <= LONGEST_VALUE => {}
            [value] => return Some(format!("{name} has {} bytes", value.len())),
            ref values => return Some(format!("{name} is there {} times", values.len())),
        }
    }
    (!seen.all("x-auth-roles").is_empty()).then(|| "a header was injected".to_owned())
}

/// The last part of a token, if it is long enough to be known by.
fn signature(attack: &Attack) -> &str {
    let text = std::str::from_utf8(&attack.token).unwrap_or_default();
    text.rsplit('.').next().filter(|part| part.len() >= 40).unwrap_or_default()
}
