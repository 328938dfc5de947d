//! The recipes of the identity providers: good tokens pass with the identity that the page names, and each
//! mistake has the reason that the page names.

use support::docs;
use support::entra::{self, OBJECT, TENANT};
use support::example::Folder;
use support::idp::{Behaviour, ENTRA_JWKS, Idp};
use support::prelude::*;

use crate::claims::{self, changed};
use crate::{PAGE, cluster};

/// A recipe, and where its provider has its keys.
struct Recipe {
    heading: &'static str,
    /// The host of the keys, in `uri`.
    host: &'static str,
    /// The name in the certificate of that host.
    certificate: &'static str,
    /// The path of the keys, in `uri`.
    path: &'static str,
    /// The heading of its cluster.
    cluster: &'static str,
    /// The members of a token header besides `alg` and `kid`.
    header: Value,
}

const COMMON: &str = "The cluster that fetches the keys";

/// A token: its name, its claims, and the identity that passes or the reason that refuses.
type Case = (&'static str, Value, Result<&'static str, &'static str>);

/// A running recipe.
struct Kitchen {
    config: Value,
    fixture: Fixture,
    envoy: Envoy,
    idp: Idp,
    header: Value,
}

impl Kitchen {
    /// `None` after [`support::skip::absent`].
    async fn open(recipe: Recipe) -> Option<Self> {
        let fixture = Fixture::new("RS256").await?;
        let mut keys = match recipe.path {
            ENTRA_JWKS => entra::keys(&fixture.signer),
            _ => mint::jwks(&[&fixture.signer]),
        };
        // Key sets also have keys that are not for signatures (Keycloak), which must not be used.
        let encryption = json!({"use": "enc", "alg": "RSA-OAEP", "kid": "encryption"});
        let other = merged(fixture.signer.with_kid("encryption").jwk(), encryption);
        keys["keys"].as_array_mut().unwrap().push(other);

        let idp = Idp::named(&[recipe.certificate], recipe.path, keys);
        let config = docs::configuration(PAGE, recipe.heading);
        let remote = &config["providers"][0]["keys"]["remote"];
        if recipe.path != ENTRA_JWKS {
            let uri = format!("https://{}{}", recipe.host, recipe.path);
            assert_eq!(remote["uri"], uri, "{}", recipe.heading);
        }
        let name = remote["cluster"].as_str().unwrap();
        let folder = Folder::new();
        let cluster = cluster(recipe.cluster, name, recipe.host, &idp, &folder);
        let envoy = fixture.envoy(config.clone()).raw_cluster(cluster).start().await;
        let header = merged(json!({"alg": "RS256", "kid": fixture.signer.kid()}), recipe.header);
        Some(Self { config, fixture, envoy, idp, header })
    }

    fn token(&self, claims: &Value) -> String {
        self.fixture.signer.sign_with(self.header.clone(), claims)
    }

    async fn score(&self, token: &str) -> Response {
        self.envoy.send(&Request::post("/score", "{}").bearer(token)).await
    }

    /// The reason of a token once a member of the recipe is changed: what the page calls a mistake.
    async fn mistaken(&mut self, pointer: &str, value: Value, claims: &Value) -> String {
        let mut config = self.config.clone();
        *config.pointer_mut(pointer).unwrap() = value;
        assert_eq!(self.envoy.reload(config).await, Push::Accepted);
        self.score(&self.token(claims)).await.reason()
    }

    async fn judge(&self, cases: Vec<Case>) {
        for (case, claims, verdict) in cases {
            let before = self.fixture.upstream.count();
            let response = self.score(&self.token(&claims)).await;
            match verdict {
                Ok(identity) => {
                    let (log, reason) = (self.envoy.filter_log(), response.reason());
                    assert_eq!(response.status, 200, "{case}: {reason} {log:#?}");
                    let seen = self.fixture.upstream.last().unwrap();
                    assert_eq!(seen.header("x-auth-identity"), Some(identity), "{case}");
                }
                Err(reason) => {
                    assert_eq!(response.reason(), reason, "{case}");
                    assert_eq!(self.fixture.upstream.count(), before, "{case}");
                }
            }
        }
        assert_eq!(self.idp.fetches(), 1, "one fetch for all workers");
        assert_eq!(self.envoy.send(&Request::get("/")).await.status, 200, "the health probe");
        let bare = self.envoy.send(&Request::post("/score", "{}")).await;
        assert_eq!(bare.reason(), "token_missing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entra_id() {
    let kitchen = Kitchen::open(Recipe {
        heading: "Entra ID",
        host: "login.microsoftonline.com",
        certificate: "login.microsoftonline.com",
        path: ENTRA_JWKS,
        cluster: COMMON,
        header: json!({"typ": "JWT"}),
    });
    let Some(mut kitchen) = kitchen.await else { return };
    let identity: &'static str = format!("{TENANT}/{OBJECT}").leak();
    let user = claims::entra;
    let v1 = json!({
        "iss": format!("https://sts.windows.net/{TENANT}/"), "ver": "1.0", "azp": null,
        "appid": "bbbbbbbb-2222-3333-4444-555555555555",
        "aud": "api://aaaaaaaa-2222-3333-4444-555555555555",
    });
    let application = json!({"scp": null, "roles": ["Model.Score"], "idtyp": "app", "name": null});
    let graph = json!({"aud": "00000003-0000-0000-c000-000000000000", "scp": "User.Read"});
    kitchen
        .judge(vec![
            ("a user", user(), Ok(identity)),
            ("v1.0", changed(user(), v1), Ok(identity)),
            ("an application", changed(user(), application), Ok(identity)),
            ("a token for Graph", changed(user(), graph), Err("audience_mismatch")),
            ("an ID token", changed(user(), json!({"scp": null})), Err("token_use_mismatch")),
            ("another scope", changed(user(), json!({"scp": "x"})), Err("role_insufficient")),
        ])
        .await;
    let overage = json!({"_claim_names": {"groups": "src1"}, "groups": null});
    let by_group = json!([{"groups_any": ["data-science"]}]);
    let reason = kitchen.mistaken("/rules/1/allow", by_group, &changed(user(), overage)).await;
    assert_eq!(reason, "groups_overage");
}

#[tokio::test(flavor = "multi_thread")]
async fn keycloak() {
    let kitchen = Kitchen::open(Recipe {
        heading: "Keycloak",
        host: "sso.example.com",
        certificate: "sso.example.com",
        path: "/realms/ml/protocol/openid-connect/certs",
        cluster: COMMON,
        header: json!({"typ": "JWT"}),
    });
    let Some(mut kitchen) = kitchen.await else { return };
    let identity = "https://sso.example.com/realms/ml/f3a1e4b2-6f0c-4a2e-9d57-0b6f2f9d3c11";
    let user = claims::keycloak;
    let of_client = json!({
        "realm_access": {"roles": []}, "resource_access": {"scoring": {"roles": ["scorer"]}},
    });
    let internal = json!({"iss": "http://keycloak.sso.svc:8080/realms/ml"});
    kitchen
        .judge(vec![
            ("a realm role", user(), Ok(identity)),
            ("a client role", changed(user(), of_client), Ok(identity)),
            ("no mapper", changed(user(), json!({"aud": "account"})), Err("audience_mismatch")),
            ("no audience", changed(user(), json!({"aud": null})), Err("claim_missing")),
            ("another host", changed(user(), internal), Err("issuer_not_allowed")),
            ("no scope basic", changed(user(), json!({"sub": null})), Err("claim_missing")),
            ("no role", changed(user(), json!({"realm_access": null})), Err("claim_insufficient")),
        ])
        .await;
    let by_role = json!([{"roles_any": ["scorer"]}]);
    let reason = kitchen.mistaken("/rules/1/allow", by_role, &user()).await;
    assert_eq!(reason, "role_insufficient");
}

#[tokio::test(flavor = "multi_thread")]
async fn auth0() {
    let kitchen = Kitchen::open(Recipe {
        heading: "Auth0",
        host: "example.eu.auth0.com",
        certificate: "*.eu.auth0.com",
        path: "/.well-known/jwks.json",
        cluster: COMMON,
        header: json!({"typ": "at+jwt"}),
    });
    let Some(mut kitchen) = kitchen.await else { return };
    let (user, machine) = (claims::auth0, claims::auth0_machine);
    let id_token = json!({"aud": "1a2b3c4d5e6f", "azp": null, "scope": null, "permissions": null});
    kitchen
        .judge(vec![
            ("a user", user(), Ok("auth0/auth0|5f7c8ec7c33c6c004bbafe82")),
            ("a machine", machine(), Ok("auth0/1a2b3c4d5e6f@clients")),
            ("an ID token", changed(user(), id_token), Err("audience_mismatch")),
            (
                "no permissions",
                changed(user(), json!({"permissions": null})),
                Err("scope_insufficient"),
            ),
        ])
        .await;
    assert_eq!(kitchen.score("ya29-opaque").await.reason(), "token_malformed");
    let hmac = Signer::hmac("HS256", "key-1", &[7; 32]);
    assert_eq!(kitchen.score(&hmac.sign(&user())).await.reason(), "algorithm_not_allowed");
    let slashless = json!(["https://example.eu.auth0.com"]);
    let reason = kitchen.mistaken("/providers/0/issuers", slashless, &user()).await;
    assert_eq!(reason, "issuer_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn okta() {
    let kitchen = Kitchen::open(Recipe {
        heading: "Okta",
        host: "example.okta.com",
        certificate: "*.okta.com",
        path: "/oauth2/default/v1/keys",
        cluster: COMMON,
        header: json!({}),
    });
    let Some(mut kitchen) = kitchen.await else { return };
    let (user, service) = (claims::okta, claims::okta_service);
    let org = json!({"iss": "https://example.okta.com", "aud": "https://example.okta.com"});
    kitchen
        .judge(vec![
            ("a member of the group", user(), Ok("okta/00u1b2c3d4e5f6g7h8i9")),
            ("a service", service(), Ok("okta/0oa1b2c3d4e5f6g7h8i9")),
            ("the org server", changed(user(), org), Err("issuer_not_allowed")),
            ("no group", changed(user(), json!({"groups": null})), Err("scope_insufficient")),
        ])
        .await;
    let by_client = json!([{"clients": ["0oa1b2c3d4e5f6g7h8i9"]}]);
    let reason = kitchen.mistaken("/rules/1/allow", by_client, &user()).await;
    assert_eq!(reason, "client_not_allowed");
    let by_group = json!([{"groups_any": ["data-science"]}]);
    let reason = kitchen.mistaken("/rules/1/allow", by_group, &service()).await;
    assert_eq!(reason, "claim_insufficient");
}

#[tokio::test(flavor = "multi_thread")]
async fn amazon_cognito() {
    let kitchen = Kitchen::open(Recipe {
        heading: "Amazon Cognito",
        host: "cognito-idp.eu-central-1.amazonaws.com",
        certificate: "cognito-idp.eu-central-1.amazonaws.com",
        path: "/eu-central-1_AbCdEfGhI/.well-known/jwks.json",
        cluster: COMMON,
        header: json!({}),
    });
    let Some(mut kitchen) = kitchen.await else { return };
    let pool = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI";
    let identity = |subject: &str| -> &'static str { format!("{pool}/{subject}").leak() };
    let (user, machine) = (claims::cognito, claims::cognito_machine);
    let native = json!({"scope": "aws.cognito.signin.user.admin"});
    kitchen
        .judge(vec![
            ("a user", user(), Ok(identity("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"))),
            ("a machine", machine(), Ok(identity("1example23456789"))),
            ("an ID token", claims::cognito_id_token(), Err("scope_insufficient")),
            (
                "another client",
                changed(user(), json!({"client_id": "x"})),
                Err("client_not_allowed"),
            ),
            ("the user pools API", changed(user(), native), Err("scope_insufficient")),
        ])
        .await;
    let client = json!(["1example23456789"]);
    let reason = kitchen.mistaken("/providers/0/audiences", client, &user()).await;
    assert_eq!(reason, "claim_missing");
    let by_group = json!([{"groups_any": ["scorers"]}]);
    let reason = kitchen.mistaken("/rules/1/allow", by_group, &user()).await;
    assert_eq!(reason, "claim_insufficient");
    let by_use = json!([{"claims": [{"claim": "token_use", "equals": "access"}]}]);
    let id_token = claims::cognito_id_token();
    let reason = kitchen.mistaken("/rules/1/allow", by_use, &id_token).await;
    assert_eq!(reason, "claim_insufficient");
}

#[tokio::test(flavor = "multi_thread")]
async fn google() {
    let kitchen = Kitchen::open(Recipe {
        heading: "Google",
        host: "www.googleapis.com",
        certificate: "*.googleapis.com",
        path: "/oauth2/v3/certs",
        cluster: COMMON,
        header: json!({"typ": "JWT"}),
    });
    let Some(mut kitchen) = kitchen.await else { return };
    let (account, user) = (claims::google, claims::google_user);
    let stranger = json!({"hd": null, "email": "mallory@gmail.com"});
    kitchen
        .judge(vec![
            (
                "a service account",
                account(),
                Ok("https://accounts.google.com/113774264463038321964"),
            ),
            ("a user", user(), Ok("https://accounts.google.com/110169484474386276334")),
            ("any account", changed(user(), stranger), Err("claim_insufficient")),
            (
                "no e-mail address",
                changed(account(), json!({"email": null, "email_verified": null})),
                Err("claim_insufficient"),
            ),
            (
                "another audience",
                changed(account(), json!({"aud": "https://other.example.com"})),
                Err("audience_mismatch"),
            ),
        ])
        .await;
    assert_eq!(kitchen.score("ya29.a0AfH6SMBx").await.reason(), "token_malformed");
    let mut provider = kitchen.config["providers"][0].clone();
    provider["token_use"] = json!("access");
    let reason = kitchen.mistaken("/providers/0", provider, &user()).await;
    assert_eq!(reason, "token_use_mismatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn github_actions() {
    let kitchen = Kitchen::open(Recipe {
        heading: "GitHub Actions",
        host: "token.actions.githubusercontent.com",
        certificate: "*.actions.githubusercontent.com",
        path: "/.well-known/jwks",
        cluster: COMMON,
        header: json!({"typ": "JWT"}),
    });
    let Some(mut kitchen) = kitchen.await else { return };
    let run = claims::github;
    let identity = "github/123456789";
    let environment = json!({
        "sub": "repo:octo-org/octo-repo:environment:production", "environment": "production",
        "ref": "refs/heads/release",
    });
    let pull_request = json!({
        "sub": "repo:octo-org/octo-repo:pull_request", "ref": "refs/pull/42/merge",
        "event_name": "pull_request", "head_ref": "topic", "base_ref": "main",
    });
    let from_fork = json!({
        "sub": "repo:octo-org/octo-repo:pull_request", "event_name": "pull_request_target",
    });
    kitchen
        .judge(vec![
            ("the main branch", run(), Ok(identity)),
            (
                "a subject without ids",
                changed(run(), json!({"sub": "repo:octo-org/octo-repo:ref:refs/heads/main"})),
                Ok(identity),
            ),
            ("an environment", changed(run(), environment), Ok(identity)),
            ("a pull request", changed(run(), pull_request), Err("claim_insufficient")),
            ("a fork, on the target", changed(run(), from_fork), Err("claim_insufficient")),
            (
                "another repository of that name",
                changed(run(), json!({"repository_id": "987654321"})),
                Err("claim_insufficient"),
            ),
            (
                "the default audience",
                changed(run(), json!({"aud": "https://github.com/octo-org"})),
                Err("audience_mismatch"),
            ),
        ])
        .await;
    let response = kitchen.score(&kitchen.token(&run())).await;
    assert_eq!(response.status, 200);
    let seen = kitchen.fixture.upstream.last().unwrap();
    assert_eq!(seen.header("x-auth-repository"), Some("octo-org/octo-repo"));
    assert_eq!(seen.header("x-auth-run"), Some("9876543210"));
    let number = json!([{"claims": [{"claim": "repository_id", "equals": 123_456_789}]}]);
    let reason = kitchen.mistaken("/rules/1/allow", number, &run()).await;
    assert_eq!(reason, "claim_insufficient");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_service_accounts() {
    let kitchen = Kitchen::open(Recipe {
        heading: "Kubernetes service accounts",
        host: "kubernetes.default.svc",
        certificate: "kubernetes.default.svc",
        path: "/openid/v1/jwks",
        cluster: "Kubernetes service accounts",
        header: json!({}),
    });
    let Some(mut kitchen) = kitchen.await else { return };
    let pod = claims::kubernetes;
    let mut elsewhere = pod();
    elsewhere["kubernetes.io"]["namespace"] = json!("default");
    let api = json!({"aud": ["https://kubernetes.default.svc.cluster.local"]});
    kitchen
        .judge(vec![
            ("a pod", pod(), Ok("kubernetes/system:serviceaccount:training:trainer")),
            ("another namespace", elsewhere, Err("claim_insufficient")),
            ("the token for the API server", changed(pod(), api), Err("audience_mismatch")),
            (
                "another cluster",
                changed(pod(), json!({"iss": "https://oidc.eks.eu-central-1.amazonaws.com/id/A"})),
                Err("issuer_not_allowed"),
            ),
        ])
        .await;
    let dotted = json!([{"claims": [{"claim": "kubernetes.io.namespace", "equals": "training"}]}]);
    let reason = kitchen.mistaken("/rules/1/allow", dotted, &pod()).await;
    assert_eq!(reason, "claim_insufficient");

    // An API server that does not serve its keys to unauthenticated callers.
    kitchen.idp.behave(Behaviour::Status(403));
    let mut provider = kitchen.config["providers"][0].clone();
    provider["name"] = json!("forbidden");
    assert_eq!(kitchen.mistaken("/providers/0", provider, &pod()).await, "keys_unavailable");
    kitchen.envoy.wait_for_log("403").await;
}
