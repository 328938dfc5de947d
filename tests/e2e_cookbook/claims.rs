//! The claims of tokens as the providers of the cookbook document them, and the allow entries of
//! docs/configuration.md that read them.

use support::entra;
use support::mint::now;
use support::prelude::*;

/// The times of a token that is valid now.
fn dated(claims: Value) -> Value {
    merged(json!({"iat": now(), "exp": now() + 600}), claims)
}

/// Claims with some changed; `null` removes a claim.
pub fn changed(claims: Value, changes: Value) -> Value {
    let mut claims = merged(claims, changes);
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// An access token of a user, v2.0.
pub fn entra() -> Value {
    let application = "aaaaaaaa-2222-3333-4444-555555555555";
    let claims = json!({
        "aud": application, "azp": "bbbbbbbb-2222-3333-4444-555555555555", "azpacr": "1",
        "name": "Alice", "preferred_username": "alice@example.com", "uti": "x", "rh": "y",
    });
    entra::claims(entra::TENANT, claims)
}

pub fn keycloak() -> Value {
    dated(json!({
        "jti": "onrtac:5f3b8a0e", "iss": "https://sso.example.com/realms/ml",
        "aud": ["scoring", "account"], "sub": "f3a1e4b2-6f0c-4a2e-9d57-0b6f2f9d3c11",
        "typ": "Bearer", "azp": "notebook", "sid": "0b5e", "acr": "1",
        "allowed-origins": ["https://notebook.example.com"],
        "realm_access": {"roles": ["default-roles-ml", "offline_access", "scorer"]},
        "resource_access": {
            "scoring": {"roles": ["reader"]},
            "account": {"roles": ["manage-account", "view-profile"]},
        },
        "scope": "openid email profile", "email_verified": true, "name": "Alice Example",
        "preferred_username": "alice", "email": "alice@example.com",
    }))
}

/// A user that signed in at a single-page application.
pub fn auth0() -> Value {
    dated(json!({
        "iss": "https://example.eu.auth0.com/", "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "aud": ["https://scoring.example.com", "https://example.eu.auth0.com/userinfo"],
        "azp": "1a2b3c4d5e6f", "scope": "openid profile", "permissions": ["score:invoke"],
    }))
}

/// A machine, by client credentials.
pub fn auth0_machine() -> Value {
    dated(json!({
        "iss": "https://example.eu.auth0.com/", "sub": "1a2b3c4d5e6f@clients",
        "aud": "https://scoring.example.com", "azp": "1a2b3c4d5e6f", "scope": "score:invoke",
        "gty": "client-credentials",
    }))
}

pub fn okta() -> Value {
    dated(json!({
        "ver": 1, "jti": "AT.MNAoEQ_jbKqoinrQo1D0XKjMX28U5d7Z",
        "iss": "https://example.okta.com/oauth2/default", "aud": "api://default",
        "cid": "0oa1b2c3d4e5f6g7h8i9", "uid": "00u1b2c3d4e5f6g7h8i9",
        "scp": ["openid", "profile"], "auth_time": now(), "sub": "alice@example.com",
        "groups": ["Everyone", "data-science"],
    }))
}

/// A service application, by client credentials: the token names no user.
pub fn okta_service() -> Value {
    let client = "0oa1b2c3d4e5f6g7h8i9";
    changed(
        okta(),
        json!({
            "uid": null, "auth_time": null, "groups": null, "sub": client, "scp": ["score.invoke"],
        }),
    )
}

pub fn cognito() -> Value {
    dated(json!({
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "cognito:groups": ["scorers"],
        "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI",
        "version": 2, "client_id": "1example23456789", "origin_jti": "a", "event_id": "b",
        "token_use": "access", "scope": "openid scoring/invoke", "auth_time": now(), "jti": "c",
        "username": "alice",
    }))
}

/// A machine, by client credentials.
pub fn cognito_machine() -> Value {
    let changes = json!({
        "sub": "1example23456789", "cognito:groups": null, "origin_jti": null, "event_id": null,
        "username": null, "scope": "scoring/invoke",
    });
    changed(cognito(), changes)
}

pub fn cognito_id_token() -> Value {
    let changes = json!({
        "aud": "1example23456789", "client_id": null, "token_use": "id", "scope": null,
        "version": null, "username": null, "cognito:username": "alice", "at_hash": "x",
        "email": "alice@example.com", "email_verified": true,
    });
    changed(cognito(), changes)
}

/// The ID token of a service account.
pub fn google() -> Value {
    dated(json!({
        "iss": "https://accounts.google.com", "aud": "https://ml.example.com",
        "azp": "113774264463038321964", "sub": "113774264463038321964",
        "email": "trainer@my-project.iam.gserviceaccount.com", "email_verified": true,
    }))
}

/// The ID token of a user of a Workspace domain.
pub fn google_user() -> Value {
    let client = "1234567890-abc.apps.googleusercontent.com";
    dated(json!({
        "iss": "https://accounts.google.com", "aud": client, "azp": client,
        "sub": "110169484474386276334", "hd": "example.com", "email": "alice@example.com",
        "email_verified": true, "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
    }))
}

/// A run on the main branch of a repository with immutable subjects.
pub fn github() -> Value {
    dated(json!({
        "jti": "0a1b", "sub": "repo:octo-org@65/octo-repo@123456789:ref:refs/heads/main",
        "aud": "api://scoring", "ref": "refs/heads/main", "sha": "e83c5163",
        "repository": "octo-org/octo-repo", "repository_owner": "octo-org",
        "repository_owner_id": "65", "run_id": "9876543210", "run_number": "10",
        "run_attempt": "2", "repository_visibility": "private", "repository_id": "123456789",
        "actor_id": "12", "actor": "octocat", "workflow": "score", "head_ref": "", "base_ref": "",
        "event_name": "push", "ref_protected": "true", "ref_type": "branch",
        "workflow_ref": "octo-org/octo-repo/.github/workflows/score.yml@refs/heads/main",
        "job_workflow_ref": "octo-org/octo-repo/.github/workflows/score.yml@refs/heads/main",
        "runner_environment": "github-hosted", "nbf": now(),
        "iss": "https://token.actions.githubusercontent.com",
    }))
}

/// A token of a projected volume.
pub fn kubernetes() -> Value {
    dated(json!({
        "aud": ["scoring"], "iss": "https://kubernetes.default.svc.cluster.local", "jti": "d",
        "kubernetes.io": {
            "namespace": "training",
            "node": {"name": "node-1", "uid": "e"},
            "pod": {"name": "trainer", "uid": "f"},
            "serviceaccount": {"name": "trainer", "uid": "g"},
        },
        "nbf": now(), "sub": "system:serviceaccount:training:trainer",
    }))
}

/// Each `allow` entry in the table of docs/configuration.md, with a rule and a path of its own.
#[tokio::test(flavor = "multi_thread")]
async fn the_allow_entries_of_the_reference_read_the_claims_of_each_provider() {
    let Some(fixture) = Fixture::new("RS256").await else { return };
    let page = std::fs::read_to_string(support::root().join("docs/configuration.md")).unwrap();
    let (_, table) = page.split_once("| Token of | Content | `allow` entry |\n").unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let entries: Vec<Value> =
        rows.iter().map(|row| serde_yaml_ng::from_str(row[2].trim_matches('`')).unwrap()).collect();
    let rules: Vec<_> = entries
        .iter()
        .enumerate()
        .map(|(at, entry)| {
            json!({"name": format!("row-{at}"), "match": {"paths": [format!("/{at}")]}, "allow": [entry]})
        })
        .collect();
    let envoy = fixture.envoy(json!({"rules": rules})).start().await;
    let client_roles = json!({"resource_access": {"scoring": {"roles": ["scorer"]}}});
    let mut seen = 0;
    for (at, row) in rows.iter().enumerate() {
        let claims = match (row[0], row[1]) {
            ("Keycloak", "realm roles") => keycloak(),
            ("Keycloak", _) => changed(keycloak(), client_roles.clone()),
            ("Auth0", _) => auth0(),
            ("Okta", _) => okta(),
            ("Amazon Cognito", _) => cognito(),
            ("Google", _) => google_user(),
            ("GitHub Actions", _) => github(),
            ("Kubernetes", _) => kubernetes(),
            other => panic!("{other:?}"),
        };
        // Only the grant matters here: the issuer and the audience are those of the test.
        let ours = json!({"iss": mint::ISSUER, "aud": mint::AUDIENCE});
        let token = fixture.signer.sign(&merged(claims, ours.clone()));
        let path = format!("/{at}");
        let response = envoy.send(&Request::get(&path).bearer(&token)).await;
        assert_eq!(response.status, 200, "{row:?}: {}", response.reason());
        let other = fixture.signer.sign(&merged(entra(), ours));
        let response = envoy.send(&Request::get(&path).bearer(&other)).await;
        assert_eq!(response.reason(), "claim_insufficient", "{row:?}");
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}
