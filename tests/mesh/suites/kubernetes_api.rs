//! Our manifests against a real Kubernetes API.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use mesh::{api, machine};

#[test]
fn the_api_issues_tokens_of_service_accounts() {
    if !machine::ready() {
        return;
    }
    let api = api::Api::start();
    api.define();
    api::kubectl(["create", "namespace", "models"]).ok();
    api::kubectl(["create", "serviceaccount", "scorer", "--namespace", "models"]).ok();
    let token = api::token("models", "scorer", "api://scoring");
    assert_eq!(token.split('.').count(), 3);
}
