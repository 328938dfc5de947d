//! Each secret is replaced under load: no request is lost, and the new one is in use. The times are printed.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use support::poll;
use support::prelude::*;
use support::tls::Authority;

use super::endpoint::Endpoint;
use super::world::{CONNECTIONS, DEADLINE, NAME, World, key_file, more, none_lost, pem};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_endpoint_key_is_in_use_at_once_and_no_request_is_lost() {
    let Some(mut world) = World::new().await else { return };
    let envoy = world.start().await;
    let load = world.load(&envoy).await;
    // By one rename of a link for all files, and by the rename of one file.
    for (way, old, new) in [("links", "old-key", "second"), ("rename", "second", "third")] {
        world.keys.accept(&[old, new]);
        let (start, file) = (Instant::now(), key_file(&world.fixture, new));
        match way {
            "links" => world.secrets.replace(&[("endpoint-key", &file)]),
            _ => world.secrets.rename("endpoint-key", &file),
        }
        // 50 in a row, and time for a worker that the machine holds up.
        let old = format!("Bearer {old}");
        let only_new = async || {
            let seen = world.keys.seen();
            let last = seen.iter().rposition(|(_, key)| *key == old).unwrap();
            let at = seen[last].0;
            (seen.len() > last + 50 && at.elapsed() > Duration::from_secs(2)).then_some(at)
        };
        let last = poll(DEADLINE, only_new).await.unwrap_or_else(|| panic!("{}", envoy.log()));
        let after = last.saturating_duration_since(start);
        println!("endpoint key ({way}): the old one was last used {after:?} after the change");
        world.keys.accept(&[new]);
        more(&load).await;
    }
    println!("endpoint key: {} requests, none lost", none_lost(load).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_serving_certificate_is_in_use_at_once_and_old_connections_go_on() {
    let Some(mut world) = World::new().await else { return };
    let envoy = world.start().await;
    let load = world.load(&envoy).await;
    for way in ["links", "rename"] {
        let renewed = Authority::new();
        let here = Ipv4Addr::LOCALHOST.into();
        assert!(renewed.connect(here, envoy.address(), None).await.is_err(), "another authority");
        let (start, file) = (Instant::now(), pem(renewed.server_pem()));
        match way {
            "links" => world.secrets.replace(&[("serving.pem", &file)]),
            _ => world.secrets.rename("serving.pem", &file),
        }
        let used = async || renewed.connect(here, envoy.address(), None).await.ok();
        assert!(poll(DEADLINE, used).await.is_some(), "{}", envoy.log());
        println!("serving certificate ({way}): in use after {:?}", start.elapsed());
        for _ in 0..20 {
            assert_eq!(renewed.send(envoy.address(), None, &world.score()).await.status, 200);
        }
        more(&load).await;
    }
    println!("serving certificate: {} requests, none lost", none_lost(load).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_client_certificate_is_in_use_at_once_and_the_old_connections_end_in_time() {
    let Some(mut world) = World::new().await else { return };
    // The example says ten minutes.
    let mut bootstrap = world.bootstrap();
    let cluster = &mut bootstrap["static_resources"]["clusters"][0];
    let http = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let options = &mut cluster["typed_extension_protocol_options"][http];
    let duration = &mut options["common_http_protocol_options"]["max_connection_duration"];
    assert_eq!(*duration, "600s");
    *duration = json!("1s");
    let envoy = world.start_on(&bootstrap).await;
    let load = world.load(&envoy).await;
    for (way, name) in [("links", "gateway-2"), ("rename", "gateway-3")] {
        let renewed = Authority::new();
        world.endpoint.renew(world.back.acceptor(NAME, &[&world.clients, &renewed]));
        more(&load).await;
        let (start, file) = (Instant::now(), pem(renewed.workload_pem(name)));
        match way {
            "links" => world.secrets.replace(&[("client.pem", &file)]),
            _ => world.secrets.rename("client.pem", &file),
        }
        let used = async || (world.endpoint.clients(name) > 0).then_some(());
        assert!(poll(DEADLINE, used).await.is_some(), "{}", envoy.log());
        println!("client certificate ({way}): a connection with it after {:?}", start.elapsed());
        more_connections(&world, name).await;
        // From here on the endpoint refuses the old one.
        world.endpoint.renew(world.back.acceptor(NAME, &[&renewed]));
        more_connections(&world, name).await;
        world.clients = renewed;
    }
    println!("client certificate: {} requests, none lost", none_lost(load).await);
}

/// Waits until the endpoint has seen as many more connections of this client as the load keeps.
async fn more_connections(world: &World, name: &str) {
    let until = world.endpoint.clients(name) + CONNECTIONS;
    let enough = async || (world.endpoint.clients(name) >= until).then_some(());
    assert!(poll(DEADLINE, enough).await.is_some(), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_ca_bundle_is_in_use_at_once_and_no_request_is_lost() {
    let Some(mut world) = World::new().await else { return };
    let renewed = Authority::new();
    // The same cluster once more, to an endpoint that has the certificate of the new authority already.
    let next = renewed.acceptor(NAME, &[&world.clients]);
    let next = Endpoint::start(next, world.fixture.upstream.address()).await;
    let mut bootstrap = world.bootstrap();
    let clusters = bootstrap["static_resources"]["clusters"].as_array_mut().unwrap();
    let mut cluster = clusters[0].clone();
    cluster["name"] = json!("next");
    cluster["load_assignment"]["cluster_name"] = json!("next");
    let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
    cluster.pointer_mut(endpoint).unwrap()["port_value"] = json!(next.address.port());
    clusters.push(cluster);
    let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    let routes = format!("{manager}/route_config/virtual_hosts/0/routes");
    bootstrap.pointer_mut(&routes).unwrap().as_array_mut().unwrap().insert(
        0,
        json!({
            "match": {"prefix": "/", "headers": [{"name": "x-next", "present_match": true}]},
            "route": {"cluster": "next"},
        }),
    );
    let envoy = world.start_on(&bootstrap).await;
    let load = world.load(&envoy).await;
    let probe = world.score().header("x-next", "1");
    let front = world.front.clone();
    let probe = async || front.send(envoy.address(), None, &probe).await.status;
    assert_eq!(probe().await, 503, "an authority that the bundle does not have");

    let start = Instant::now();
    world.secrets.replace(&[("ca.pem", &(world.back.pem().to_owned() + renewed.pem()))]);
    let used = async || (probe().await == 200).then_some(());
    assert!(poll(DEADLINE, used).await.is_some(), "{}", envoy.log());
    println!("CA bundle (links): in use after {:?}", start.elapsed());
    // The endpoint changes its certificate, then the old authority goes.
    world.endpoint.renew(renewed.acceptor(NAME, &[&world.clients]));
    more(&load).await;
    world.secrets.rename("ca.pem", renewed.pem());
    more(&load).await;
    println!("CA bundle: {} requests, none lost", none_lost(load).await);
}
