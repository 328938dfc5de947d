//! The module without a verifier, `dist/tollgate-host.wasm`, in a real Envoy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use support::prelude::*;

const HOST: [&str; 6] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];
const MODULE: [&str; 8] = ["PS256", "PS384", "PS512", "ES256K", "EdDSA", "HS256", "HS384", "HS512"];

/// The end of a refusal.
const ALLOWED: &str =
    "allowed: RS256, RS384, RS512, ES256, ES384, ES512, or the full module, tollgate.wasm";

/// The most bytes that the module may have.
const MOST_BYTES: usize = 768 * 1024;

fn signers(names: &[&str]) -> Vec<Signer> {
    names.iter().map(|name| Signer::new(name, &format!("key-{name}"))).collect()
}

/// A provider with the keys of all signers and no list of algorithms.
fn provider_of(signers: &[&Signer]) -> Value {
    let mut provider = provider(signers, &[]);
    provider.as_object_mut().unwrap().remove("algorithms");
    provider
}

#[test]
fn the_host_module_has_no_more_bytes_than_documented() {
    let Some(module) = support::skip::host_module() else { return };
    let bytes = std::fs::metadata(module).unwrap().len() as usize;
    assert!(bytes <= MOST_BYTES, "{bytes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_module_leaves_signatures_to_the_proxy_and_skips_the_keys_of_others() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let Some(module) = support::skip::host_module() else { return };
    let (host, other) = (signers(&HOST), signers(&MODULE));
    let all: Vec<_> = host.iter().chain(&other).collect();
    let config = json!({"providers": [provider_of(&all)], "token_cache": {"entries": 0}});
    let envoy = fixture.envoy(config).module(module).start().await;
    for signer in &host {
        let token = signer.sign(&mint::claims("alice"));
        assert_eq!(envoy.judge(&token).await, good(), "{}", signer.algorithm());
        let answer = envoy.judge(&mint::tampered(&token)).await;
        assert_eq!(answer, refused("signature_invalid"), "{}", signer.algorithm());
    }
    for signer in &other {
        let answer = envoy.judge(&signer.sign(&mint::claims("alice"))).await;
        assert_eq!(answer, refused("algorithm_not_allowed"), "{}", signer.algorithm());
    }
    for result in ["ok", "failed"] {
        let name = |engine| format!("wasmcustom.tollgate_verify.engine.{engine}.result.{result}");
        assert_eq!(envoy.stat(&name("host")).await, HOST.len() as u64, "{result}");
        assert_eq!(envoy.stat(&name("module")).await, 0, "{result}");
    }
    let log = envoy.log();
    for index in HOST.len()..all.len() {
        assert!(log.contains(&format!("keys[{index}]: the key is skipped: ")), "{index}:\n{log}");
    }
    assert!(
        log.contains(
            r#"the proxy verifies {"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"}"#
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_module_refuses_what_needs_a_verifier_and_names_the_field() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let Some(module) = support::skip::host_module() else { return };
    let ed = Signer::new("EdDSA", "ed");
    let named = |algorithm: &str| {
        let mut provider = provider(&[&fixture.signer], &["ES256"]);
        provider["algorithms"] = json!(["ES256", algorithm]);
        json!({"providers": [provider]})
    };
    let mut cases = vec![
        (
            json!({"crypto": "module"}),
            "crypto: is module, but this module, tollgate-host.wasm, has no verifier; allowed: auto, or the \
             full module, tollgate.wasm"
                .to_owned(),
        ),
        (
            json!({"providers": [provider_of(&[&ed])]}),
            "providers[0].keys.inline: is not a usable key set".to_owned(),
        ),
    ];
    for algorithm in MODULE {
        let problem = format!(
            "providers[0].algorithms[1]: {algorithm} is verified by no proxy, and this module, \
             tollgate-host.wasm, has no verifier; {ALLOWED}"
        );
        cases.push((named(algorithm), problem));
    }
    let mut envoy = fixture.envoy(json!({})).module(module).start().await;
    for (config, problem) in cases {
        assert_eq!(envoy.reload(fixture.config(config.clone())).await, Push::Rejected, "{config}");
        let log = envoy.log();
        assert!(log.contains(&format!("configuration refused: {problem}")), "{problem}\n{log}");
        assert_eq!(
            envoy.judge(&fixture.token("alice")).await,
            good(),
            "the earlier one is in force"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_module_refuses_a_proxy_that_does_not_pass_the_self_test() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let Some(module) = support::skip::host_module() else { return };
    let bytes = std::fs::read(&module).unwrap();
    let allowed = support::abi::names(&bytes);
    let without = allowed.into_iter().filter(|name| name != "proxy_call_foreign_function");
    let without: Vec<_> = without.collect();
    for (config, lacking) in [
        (json!({}), r#"{"ES256"}"#),
        (
            json!({"providers": [provider_of(&[&fixture.signer])]}),
            r#"{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"}"#,
        ),
    ] {
        let builder = fixture.envoy(config).module(&module).capabilities(without.clone());
        let log = builder.start_refused().await.log();
        let problem = format!(
            "configuration refused: providers[0].algorithms: the proxy did not pass the self-test of \
             {lacking}, and this module, tollgate-host.wasm, has no verifier; allowed: those that it passed, \
             {{}}, or the full module, tollgate.wasm"
        );
        assert!(log.contains(&problem), "{problem}\n{log}");
    }
    // The full module verifies by itself there.
    let envoy = fixture.envoy(json!({})).capabilities(without).start().await;
    assert_eq!(envoy.judge(&fixture.token("alice")).await, good());
}

/// docs/performance.md: what a start costs with each module.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn start_and_memory_of_both_modules() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let Some(host) = support::skip::host_module() else { return };
    let modules = [support::module(), host];
    let mut seen = [const { Vec::new() }; 2];
    for _ in 0..5 {
        for (module, seen) in modules.iter().zip(&mut seen) {
            let envoy = fixture.envoy(json!({})).module(module).workers(1).start().await;
            seen.push((envoy.cpu(), envoy.resident()));
        }
    }
    for (module, mut seen) in modules.iter().zip(seen) {
        let bytes = std::fs::metadata(module).unwrap().len();
        seen.sort();
        let cpu: Vec<_> = seen.iter().map(|(cpu, _)| *cpu).collect();
        seen.sort_by_key(|(_, resident)| *resident);
        println!("{}: {bytes} bytes, CPU {cpu:?}, resident {}", module.display(), seen[2].1);
    }
}
