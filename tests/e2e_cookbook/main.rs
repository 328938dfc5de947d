//! Each recipe of docs/cookbook.md in a real Envoy: the configuration and the cluster of the page, keys over
//! TLS from a server with the provider's name, and tokens with the claims of that provider.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod claims;
mod models;
#[path = "../core/policy.rs"]
mod policy;
mod providers;
mod recorded;
mod tenants;

use std::net::SocketAddr;

use serde_json::{Value, json};
use support::docs;
use support::example::Folder;
use support::idp::Idp;

const PAGE: &str = "docs/cookbook.md";

/// The cluster of the page under this heading, changed for a server of this test: its address, its authority
/// and, in place of the page's host, its name.
fn cluster(heading: &str, name: &str, host: &str, idp: &Idp, folder: &Folder) -> Value {
    let blocks = docs::blocks(PAGE);
    let documents = blocks.iter().filter(|block| block.heading == heading);
    let mut clusters = documents
        .flat_map(docs::Block::documents)
        .filter(|part| !part["transport_socket"].is_null());
    let mut cluster = clusters.next().unwrap();
    assert!(clusters.next().is_none(), "{heading}: one cluster");

    let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
    let address = cluster.pointer_mut(endpoint).unwrap();
    let theirs = address["address"].as_str().unwrap().to_owned();
    assert_eq!(address["port_value"], 443);
    *address = socket_address(idp.address());
    let tls = &mut cluster["transport_socket"]["typed_config"];
    let context = &mut tls["common_tls_context"]["validation_context"];
    context["trusted_ca"]["filename"] = json!(folder.file("ca.pem", idp.ca_pem()));
    let exact = &mut context["match_typed_subject_alt_names"][0]["matcher"]["exact"];
    assert_eq!(*exact, json!(theirs), "{heading}");
    *exact = json!(host);
    assert_eq!(tls["sni"], json!(theirs), "{heading}");
    tls["sni"] = json!(host);
    cluster["name"] = json!(name);
    cluster["load_assignment"]["cluster_name"] = json!(name);
    cluster
}

/// A recipe without a test would promise more than was seen.
#[test]
fn every_recipe_of_the_page_has_a_test() {
    let sources =
        [include_str!("providers.rs"), include_str!("models.rs"), include_str!("tenants.rs")]
            .concat();
    let blocks = docs::blocks(PAGE);
    let recipes: Vec<_> =
        blocks.iter().filter(|block| !block.configurations().is_empty()).collect();
    assert_eq!(recipes.len(), 12);
    for recipe in recipes {
        assert!(sources.contains(&format!("{:?}", recipe.heading)), "{}", recipe.heading);
    }
}

fn socket_address(address: SocketAddr) -> Value {
    json!({"address": address.ip().to_string(), "port_value": address.port()})
}
