//! Tokens that a real API signs, judged by the filter in a real Envoy: the recipe of docs/cookbook.md as it is
//! written. The API says of each token what it thinks itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use mesh::api::{self, POD, kubectl};
use mesh::{machine, program, until};
use support::prelude::*;
use support::{docs, poll, skip};

const PAGE: &str = "docs/cookbook.md";
const HEADING: &str = "Kubernetes service accounts";

/// A verdict: the identity that passes, or the reason that refuses.
type Verdict = Result<&'static str, &'static str>;

const TRAINER: Verdict = Ok("kubernetes/system:serviceaccount:training:trainer");
const EVALUATOR: Verdict = Ok("kubernetes/system:serviceaccount:training:evaluator");

/// A document of the recipe.
fn document(is_it: impl Fn(&Value) -> bool) -> Value {
    let blocks = docs::blocks(PAGE);
    let blocks = blocks.iter().filter(|block| block.heading == HEADING);
    let mut found = blocks.flat_map(docs::Block::documents).filter(is_it);
    let document = found.next().unwrap();
    assert!(found.next().is_none(), "one such document");
    document
}

/// The cluster of the recipe.
fn cluster() -> Value {
    document(|document| document["transport_socket"].is_object())
}

/// A token as the kubelet requests it for the pod of the recipe.
fn projected(more: &[&str]) -> String {
    let pod = document(|document| document["kind"] == "Pod");
    let source = &pod["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"];
    let audience = source["audience"].as_str().unwrap();
    let duration = format!("{}s", source["expirationSeconds"]);
    let arguments = ["create", "token", "trainer", "--namespace", "training"];
    let options = ["--audience", audience, "--duration", &duration];
    kubectl([&arguments[..], &options, more].concat()).ok().trim().to_owned()
}

/// A token with the API's own key.
fn signed(claims: &Value) -> String {
    let keys: Value =
        serde_json::from_str(&kubectl(["get", "--raw", "/openid/v1/jwks"]).ok()).unwrap();
    let header = json!({"alg": "RS256", "kid": keys["keys"][0]["kid"]});
    let input = [header, claims.clone()].map(|part| mint::b64(part.to_string().as_bytes()));
    let input = input.join(".");
    let signature = machine::folder().join("signature");
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-sign"]).arg(api::key()).arg("-out").arg(&signature);
    program::feed(&mut openssl, &input).ok();
    format!("{input}.{}", mint::b64(&fs::read(signature).unwrap()))
}

/// Whether the API takes a token for this audience.
fn api_accepts(token: &str) -> bool {
    let review = api::ask(&json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
        "spec": {"token": token, "audiences": ["scoring"]},
    }));
    review["status"]["authenticated"] == true
}

/// An Envoy with the recipe, in front of an upstream.
struct Kitchen {
    envoy: Envoy,
    upstream: Upstream,
}

impl Kitchen {
    async fn open(config: Value, cluster: Value) -> Option<Self> {
        let binary = skip::envoy_binary()?;
        let upstream = Upstream::answering(Reply::echo).await;
        let builder = Envoy::builder(binary).upstream(upstream.address()).raw_cluster(cluster);
        let envoy = builder.plugin_config(config).start().await;
        Some(Self { envoy, upstream })
    }

    async fn score(&self, token: &str) -> Response {
        self.envoy.send(&Request::post("/score", "{}").bearer(token)).await
    }

    /// Waits until the filter has keys.
    async fn has_keys(&self) {
        let token = projected(&[]);
        let passes = async || (self.score(&token).await.status == 200).then_some(());
        if poll(Duration::from_secs(90), passes).await.is_none() {
            panic!("no keys: {:#?}", self.envoy.filter_log());
        }
    }

    async fn judge(&self, case: &str, token: &str, verdict: Verdict) {
        let before = self.upstream.count();
        let response = self.score(token).await;
        match verdict {
            Ok(identity) => {
                assert_eq!(response.status, 200, "{case}: {}", response.reason());
                let seen = self.upstream.last().unwrap();
                assert_eq!(seen.header("x-auth-identity"), Some(identity), "{case}");
            }
            Err(reason) => {
                assert_eq!(response.reason(), reason, "{case}");
                assert_eq!(self.upstream.count(), before, "{case}");
            }
        }
    }
}

/// The accounts that callers have.
fn accounts() {
    for (space, name) in
        [("training", "trainer"), ("training", "evaluator"), ("training", "x"), ("x", "trainer")]
    {
        super::namespace(space);
        super::account(space, name);
    }
}

/// The claims of a projected token of `trainer`, with changes.
fn claims(changes: Value) -> Value {
    let account = api::get(&["serviceaccount", "trainer", "--namespace", "training"]).unwrap();
    let now = mint::now();
    let claims = json!({
        "iss": api::ISSUER, "aud": ["scoring"], "iat": now, "nbf": now, "exp": now + 600,
        "sub": "system:serviceaccount:training:trainer",
        "kubernetes.io": {
            "namespace": "training",
            "serviceaccount": {"name": "trainer", "uid": account["metadata"]["uid"]},
        },
    });
    merged(claims, changes)
}

/// The token of a pod that then ended.
fn of_an_ended_pod() -> String {
    api::apply(&document(|document| document["kind"] == "Pod").to_string()).ok();
    let token = projected(&["--bound-object-kind", "Pod", "--bound-object-name", "trainer"]);
    kubectl(["delete", "pod", "trainer", "--namespace", "training"]).ok();
    token
}

#[tokio::test(flavor = "multi_thread")]
async fn once_everyone_may_read_the_keys_the_recipe_judges_real_tokens_as_the_page_says() {
    if super::started().is_none() {
        return;
    }
    accounts();
    let config = docs::configuration(PAGE, HEADING);
    let Some(kitchen) = Kitchen::open(config, cluster()).await else { return };
    kitchen.judge("no binding", &projected(&[]), Err("keys_unavailable")).await;
    kitchen.envoy.wait_for_log("status 403").await;
    let binding = document(|document| document["kind"] == "ClusterRoleBinding");
    api::apply(&binding.to_string()).ok();
    kitchen.has_keys().await;

    let now = mint::now();
    let past = json!({"iat": now - 3600, "nbf": now - 3600, "exp": now - 3000});
    let server = "https://kubernetes.default.svc.cluster.local";
    // The last column: whether the API takes the token for the audience, which knows nothing of the rules.
    for (case, token, verdict, real) in [
        ("the pod", projected(&[]), TRAINER, true),
        (
            "another account of the rule",
            api::token("training", "evaluator", "scoring"),
            EVALUATOR,
            true,
        ),
        (
            "an account without a rule",
            api::token("training", "x", "scoring"),
            Err("claim_insufficient"),
            true,
        ),
        (
            "the same name elsewhere",
            api::token("x", "trainer", "scoring"),
            Err("claim_insufficient"),
            true,
        ),
        (
            "another audience",
            api::token("training", "trainer", "billing"),
            Err("audience_mismatch"),
            false,
        ),
        (
            "for the API itself",
            api::token("training", "trainer", server),
            Err("audience_mismatch"),
            false,
        ),
        ("the key of the API", signed(&claims(json!({}))), TRAINER, true),
        ("expired", signed(&claims(past)), Err("expired"), false),
        (
            "another issuer",
            signed(&claims(json!({"iss": "https://x"}))),
            Err("issuer_not_allowed"),
            false,
        ),
        ("tampered", mint::tampered(&projected(&[])), Err("signature_invalid"), false),
        // The filter does not ask the API.
        ("a pod that ended", of_an_ended_pod(), TRAINER, false),
    ] {
        kitchen.judge(case, &token, verdict).await;
        until(60, case, || (api_accepts(&token) == real).then_some(()));
    }
}

/// Writes the token of a pod as the kubelet does: into a new folder, to which a link then leads.
fn renew(token: &str, version: u32) {
    let folder = PathBuf::from(POD);
    let fresh = folder.join(format!("..{version}"));
    fs::create_dir(&fresh).unwrap();
    fs::write(fresh.join("token"), token.trim()).unwrap();
    symlink(fresh, folder.join("..new")).unwrap();
    fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
    if version == 1 {
        symlink("..data/token", folder.join("token")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_token_of_its_own_pod_envoy_may_read_the_keys_also_by_discovery() {
    if super::started().is_none() {
        return;
    }
    accounts();
    renew("not-a-token", 1);
    let secret = document(|document| document["resources"].is_array());
    let path = machine::folder().join("api-server.yaml");
    fs::write(&path, secret.to_string()).unwrap();
    let options = document(|document| document["typed_extension_protocol_options"].is_object());
    let shipped = "/etc/tollgate/config/api-server.yaml";
    assert_eq!(options.to_string().matches(shipped).count(), 1);
    let options = options.to_string().replace(shipped, path.to_str().unwrap());
    let cluster = merged(cluster(), serde_json::from_str(&options).unwrap());
    let config = docs::configuration(PAGE, HEADING);
    let Some(mut kitchen) = Kitchen::open(config.clone(), cluster).await else { return };
    kitchen.envoy.wait_for_log("status 401").await;

    super::account("x", "envoy");
    renew(&kubectl(["create", "token", "envoy", "--namespace", "x"]).ok(), 2);
    kitchen.has_keys().await;
    kitchen.judge("the pod", &projected(&[]), TRAINER).await;

    let discovery = "https://kubernetes.default.svc/.well-known/openid-configuration";
    let mut discovering = config;
    discovering["providers"][0]["name"] = json!("discovering");
    discovering["providers"][0]["keys"] =
        json!({"remote": {"discovery": discovery, "cluster": "kubernetes"}});
    assert_eq!(kitchen.envoy.reload(discovering).await, Push::Accepted);
    kitchen.has_keys().await;
    let identity = "discovering/system:serviceaccount:training:trainer";
    kitchen.judge("by discovery", &projected(&[]), Ok(identity)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_an_administrator_read_verify_without_a_fetch() {
    if super::started().is_none() {
        return;
    }
    accounts();
    let Some(binary) = skip::envoy_binary() else { return };
    let keys = kubectl(["get", "--raw", "/openid/v1/jwks"]).ok();
    let mut config = docs::configuration(PAGE, HEADING);
    config["providers"][0]["keys"] = json!({"env": "TOLLGATE_JWKS"});
    let upstream = Upstream::answering(Reply::echo).await;
    let envoy = Envoy::builder(binary).upstream(upstream.address()).variable("TOLLGATE_JWKS", keys);
    let kitchen = Kitchen { envoy: envoy.plugin_config(config).start().await, upstream };
    kitchen.judge("the pod", &projected(&[]), TRAINER).await;
}
