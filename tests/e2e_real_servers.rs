//! Hostile requests to real servers behind the filter, judged by the requests that the servers'
//! programs read: nginx, Apache, lighttpd, Go, Flask, uvicorn, Express, Node, Azure ML, MLflow and more.
//!
//! No program reads a spoofed value or a token that must not go on, none serves without a token
//! a protected path, none reads more rows than were charged, and none is called for a refused
//! request.
//!
//! `make test` runs the paths and hosts with a sample of Envoy's options; `make servers` sets
//! `TOLLGATE_SERVERS=all` for the product of all.
//!
//! - `world`: the servers, and the Envoy in front of them; `options` and `rules`: its configuration.
//! - `row`: one request of a table, and how it is sent.
//! - `judge`: the values that no program may read.
//! - `paths`, `hosts`, `headers`, `bodies`, `frames`: the tables.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "real_servers/bodies.rs"]
mod bodies;
#[path = "real_servers/frames.rs"]
mod frames;
#[path = "real_servers/headers.rs"]
mod headers;
#[path = "real_servers/hosts.rs"]
mod hosts;
#[path = "real_servers/judge.rs"]
mod judge;
#[path = "real_servers/options.rs"]
mod options;
#[path = "real_servers/paths.rs"]
mod paths;
#[path = "real_servers/row.rs"]
mod row;
#[path = "real_servers/rules.rs"]
mod rules;
#[path = "real_servers/world.rs"]
mod world;

use options::Options;
use support::servers::Kind;
use world::{Guard, World};

/// Sends a table to each installed server and judges the outcomes; each server must serve at least
/// so many of its rows.
async fn run(world: &World, least: usize, table: impl Fn(Kind) -> Vec<row::Row>) {
    let outcomes = world.send(table).await;
    let faults: Vec<_> = outcomes.iter().flat_map(judge::faults).collect();
    let mut shown = Vec::new();
    for server in world.servers.iter() {
        let own = faults.iter().filter(|fault| fault.starts_with(&format!("{}: ", server.name())));
        shown.extend(own.take(5).cloned());
    }
    let (count, shown) = (faults.len(), shown.join("\n"));
    assert!(faults.is_empty(), "{count} faults with {}, among them:\n{shown}", world.options);
    // A table that nothing passes shows nothing.
    for server in world.servers.iter() {
        let own = outcomes.iter().filter(|outcome| outcome.kind == server.kind());
        let served = own.filter(|outcome| !outcome.calls.is_empty()).count();
        assert!(served >= least, "{}: only {served} were served", server.name());
    }
}

/// The attacks are real, and the judge sees them.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_filter_every_program_reads_the_spoofs() {
    let Some(world) = World::start(Options::default(), Guard::NoFilter).await else { return };
    let spoofed = world.send(headers::spoofs).await;
    let served = world.send(paths::rows).await;
    for server in world.servers.iter() {
        // The model of MLflow is shown no header.
        let outcomes = if server.kind() == Kind::Mlflow { &served } else { &spoofed };
        let own = outcomes.iter().filter(|outcome| outcome.kind == server.kind());
        assert!(own.flat_map(judge::faults).count() > 0, "{}", server.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_no_program_serves_what_is_protected() {
    // One start of the servers for all that follows.
    let Some(_servers) = world::servers().await else { return };
    let whole = std::env::var("TOLLGATE_SERVERS").as_deref() == Ok("all");
    for options in if whole { Options::product() } else { Options::sample() } {
        let Some(world) = World::start(options, Guard::Buffer).await else { return };
        run(&world, 1, |kind| [paths::rows(kind), hosts::rows(kind)].concat()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_program_reads_a_spoofed_header_or_trailer_in_any_spelling() {
    let Some(world) = World::start(Options::default(), Guard::Buffer).await else { return };
    run(&world, 10, headers::spoofs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_program_reads_a_token_that_must_not_go_on() {
    let Some(world) = World::start(Options::default(), Guard::Buffer).await else { return };
    run(&world, 0, headers::tokens).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_program_reads_a_larger_number_than_was_charged() {
    let Some(world) = World::start(Options::default(), Guard::Buffer).await else { return };
    run(&world, 0, headers::batches).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_server_answers_any_method_with_the_lent_key() {
    let Some(world) = World::start(Options::default(), Guard::Buffer).await else { return };
    run(&world, 0, headers::methods).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_program_reads_more_rows_than_were_charged() {
    let Some(world) = World::start(Options::default(), Guard::Buffer).await else { return };
    run(&world, 4, bodies::rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_hides_in_another_one() {
    let Some(world) = World::start(Options::default(), Guard::Buffer).await else { return };
    run(&world, 2, frames::rows).await;
    for server in world.servers.iter() {
        let hidden = server.case(&format!("{}-{}", judge::HIDDEN, server.name()));
        assert!(hidden.is_empty(), "{}: {hidden:?}", server.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_called_for_none_of_the_requests_that_are_refused() {
    // One start of the servers for all that follows.
    let Some(_servers) = world::servers().await else { return };
    for guard in [Guard::Buffer, Guard::Hold, Guard::Neither] {
        let Some(world) = World::start(Options::default(), guard).await else { return };
        // A refusal by the body comes before the call only where something holds the head.
        let bodies = guard != Guard::Neither;
        run(&world, 3, |kind| frames::refused(kind, bodies)).await;
        for mode in ["limited", "limited-batch"] {
            let outcomes = world.send(|kind| frames::limited(kind, mode)).await;
            for server in world.servers.iter() {
                let own = outcomes.iter().filter(|outcome| outcome.kind == server.kind());
                let (mut called, mut refused) = (0, 0);
                for outcome in own {
                    called += outcome.calls.len();
                    refused += usize::from(outcome.status() == Some(429));
                }
                assert_eq!((called, refused), (3, 20), "{} {mode} {guard:?}", server.name());
            }
        }
    }
}
