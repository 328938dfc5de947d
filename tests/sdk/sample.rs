//! Two of the SDKs in `make test`: what their users see of each refusal. `make sdk` has all of them.

use std::path::PathBuf;

use super::*;

/// The Python with the packages of tests/data/sdk/sample.
fn program() -> PathBuf {
    support::root().join("target/sdk/sample/bin/python3")
}

/// Of each case: the class of OpenAI's error and the status of gRPC; `-` where the call passes after a wait.
const SEEN: &[(&str, &str, &str)] = &[
    ("token_missing", "AuthenticationError", "UNAUTHENTICATED"),
    ("expired", "AuthenticationError", "UNAUTHENTICATED"),
    ("scope_insufficient", "PermissionDeniedError", "PERMISSION_DENIED"),
    ("role_insufficient", "PermissionDeniedError", "PERMISSION_DENIED"),
    ("content_type_not_allowed", "APIStatusError", "INVALID_ARGUMENT"),
    ("payload_too_large", "APIStatusError", "INVALID_ARGUMENT"),
    ("cost_exceeds_burst", "RateLimitError", "RESOURCE_EXHAUSTED"),
    ("rate_limited_hour", "RateLimitError", "RESOURCE_EXHAUSTED"),
    ("rate_limited_soon", "-", "-"),
    ("keys_unavailable", "InternalServerError", "UNAVAILABLE"),
];

#[tokio::test(flavor = "multi_thread")]
async fn users_of_openai_and_of_grpc_read_why_a_request_was_refused() {
    if !program().exists() {
        let install =
            "scripts/install/python tests/data/sdk/sample/requirements.txt target/sdk/sample";
        return skip::absent(&format!("openai and grpcio are absent: run {install}"));
    }
    let Some(server) = Server::start().await else { return };
    let sampled = |client: &&Client| ["openai (Python)", "grpcio"].contains(&client.name);
    let clients: Vec<&'static Client> = CLIENTS.iter().filter(sampled).collect();
    let printed: Vec<_> = clients
        .iter()
        .map(|&client| {
            let jobs: Vec<_> = CASES.iter().map(|case| server.job(client, case)).collect();
            tokio::task::spawn_blocking(move || call(client, &program(), &json!(jobs)))
        })
        .collect();
    let mut lines = Vec::new();
    for call in printed {
        lines.push(call.await.unwrap());
    }
    let log = server.log().await;
    let mut cases = Vec::new();
    for (client, lines) in clients.iter().zip(&lines) {
        for seen in run(client, lines, &log).seen {
            let Seen { case, class, text, .. } = &seen;
            let wrong = client.wrong(&seen);
            assert_eq!(wrong, None, "{} {} {class} {text}", client.name, case.name);
            let row = SEEN.iter().find(|row| row.0 == case.name).expect("each case has a row");
            let (found, wanted) = match client.call {
                "openai" => (class.as_str(), row.1),
                // The class is the same for all of them; the text has the status.
                _ => (text.as_str(), row.2),
            };
            let same = if wanted == "-" { class.is_empty() } else { found.contains(wanted) };
            assert!(same, "{} {}: {class} {text}", client.name, case.name);
            cases.push(case.name);
        }
    }
    assert_eq!(cases.len(), 2 * SEEN.len());
}
