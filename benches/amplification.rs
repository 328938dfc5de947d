//! Measures the cost of hostile requests: CPU of a real Envoy for each family of attacks, compared with a
//! request without a token (the cheapest one) and a valid one.
//!
//! No attack is cached: its token goes to a filter without a token cache, as if
//! each were sent for the first time. The two references go to a filter with the default cache.
//! All work of Envoy for a request counts, including the reading of its bytes. The run fails if
//! a family of tokens, paths or headers costs more than [`BOUND`] times the cheapest request. The cost of
//! a guarded body grows with its bytes and is shown beside that of a body that is only forwarded.
//!
//! `FAMILIES` selects the families whose name contains its text, such as `4096 bits`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use support::attacks::many_keys::{ManyKeys, many_keys};
use support::attacks::{self, World};
use support::prelude::*;

/// The most that an attack may cost, in requests without a token.
const BOUND: f64 = 100.0;
/// Measured rounds, after one to warm up; the median counts.
const ROUNDS: usize = 5;
/// Requests of a family to each filter in a round.
const REQUESTS: usize = 400;
/// Connections in use at once: the worker always has another request waiting.
const CONNECTIONS: usize = 8;
/// Rules that a path runs through before one matches.
const RULES: usize = 20;

#[tokio::main]
async fn main() -> ExitCode {
    let Some(binary) = support::skip::envoy_binary() else { return ExitCode::FAILURE };
    let world = World::new();
    let many = many_keys();
    let mut families = families(&world);
    for ManyKeys { family, tokens, .. } in &many {
        let sent = tokens.iter().map(|token| Request::get("/score").bearer(token).to_bytes());
        families.insert(family.clone(), Arc::new(sent.collect()));
    }
    let wanted = std::env::var("FAMILIES").unwrap_or_default();
    families.retain(|family, _| family.contains(&wanted));
    let upstream = Upstream::answering(|_| Reply::new(200, "")).await;
    upstream.record(false);
    let start = |crypto: &str, entries: usize| {
        let config = configuration(&world, &many, crypto, entries);
        let builder = Envoy::builder(binary.clone()).workers(1).upstream(upstream.address());
        builder.log_level("error").plugin_config(config).start()
    };
    let usual = start("auto", 10_000).await;
    let filters = [("auto", start("auto", 0).await), ("module", start("module", 0).await)];
    let good = Arc::new(vec![Request::get("/score").bearer(&world.controls()[0].1).to_bytes()]);
    let cheap = Arc::new(vec![Request::get("/score").to_bytes()]);

    let mut costs: BTreeMap<(&str, &str), Vec<[f64; 3]>> = BTreeMap::new();
    for round in 0..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}{}", if round == 0 { ": warm-up" } else { "" });
        let base = [cost(&usual, &cheap).await, cost(&usual, &good).await];
        for (family, requests) in &families {
            for (engine, envoy) in &filters {
                let own = cost(envoy, requests).await;
                if round > 0 {
                    let row = [own, own / base[0], own / base[1]];
                    costs.entry((family, engine)).or_default().push(row);
                }
            }
        }
    }
    let mut failed = usual.vm_failures().await;
    for (_, envoy) in &filters {
        failed += envoy.vm_failures().await;
    }
    report(&costs, failed)
}

/// Every family of tokens, and the other hostile requests.
fn families(world: &World) -> BTreeMap<String, Arc<Vec<Vec<u8>>>> {
    let mut families: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut add = |family: &str, request: Request| {
        families.entry(family.to_owned()).or_default().push(request.to_bytes());
    };
    for attack in attacks::corpus(world).iter().filter(|attack| attack.fits_a_header()) {
        add(attack.family, Request::get("/score").bearer(&attack.token));
    }
    for (name, token) in world.controls() {
        add(&format!("authentic, unseen: {name}"), Request::get("/score").bearer(token));
    }
    for identity in 0..REQUESTS {
        let token = world.p256.sign(&mint::claims(&format!("fresh-{identity}")));
        add("authentic, a new identity each", Request::get("/score").bearer(token));
    }
    let genuine = &world.controls()[0].1;
    for (name, path) in [
        ("path: 8 KiB of %61", format!("/{}", "%61".repeat(2700))),
        ("path: 48 KiB of a beside patterns", format!("/models/{}", "a".repeat(48 << 10))),
        ("path: 48 KiB of %61;x beside patterns", format!("/models/{};x", "%61".repeat(16 << 10))),
        ("path: 8 KiB of a/", format!("/{}", "a/".repeat(4096))),
        ("path: 8 KiB of ;a", format!("/{}", ";a".repeat(4096))),
        ("path: 8 KiB of %61;a%2F", format!("/{}x", "%61;a%2F".repeat(1024))),
        ("path: 8 KiB of ../", format!("/{}", "../".repeat(2700))),
        ("path: 40 KiB of query", format!("/score?{}", "token=a&".repeat(5000))),
    ] {
        add(name, Request::get(path).bearer(genuine));
    }
    let twice = Request::get("/score").bearer(genuine);
    add("header: 90 tokens", (1..90).fold(twice, |request, _| request.bearer("e30.e30.e30")));
    let told = Request::get("/score").header("x-auth-subject", "admin");
    let told = (1..90).fold(told, |request, _| request.header("x-auth-subject", "admin"));
    add("header: 90 spoofed subjects", told);
    for (name, body) in [
        ("body: 1 MiB of [", "[".repeat(1 << 20)),
        ("body: 1 MiB of numbers", array("1,")),
        ("body: 1 MiB of floats", array("0.1234,-1.5e-7,")),
        ("body: 1 MiB of brackets", array(&format!("{}{},", "[".repeat(30), "]".repeat(30)))),
        ("body: 1 MiB of all kinds", array(&mixture())),
        ("body: 1 MiB of rows", format!("{{\"data\":{}}}", array("[1,2],[3,4],"))),
        ("body: 1 MiB of escapes", format!("{{\"data\":\"{}\"}}", filled("\\u0041"))),
        ("body: 1 MiB of characters", format!("{{\"data\":\"{}\"}}", filled("€"))),
        ("body: 1 MiB of members", format!("{{{}\"data\":1}}", members(60_000))),
        ("body: 1 MiB of near misses", object("\"dat_\":1,")),
        ("body: 1 MiB of members, each an array", object("\"a\":[],")),
        ("body: 16 KiB of members", format!("{{{}\"data\":1}}", members(940))),
    ] {
        let request = Request::post("/guarded", body).header("content-type", "application/json");
        add(name, request);
    }
    add("body: 1 MiB that no guard reads", Request::post("/open", "a".repeat(1 << 20)));
    families.into_iter().map(|(family, requests)| (family, Arc::new(requests))).collect()
}

/// Almost 1 MiB, so that the text around it still fits.
fn filled(part: &str) -> String {
    part.repeat(((1 << 20) - 32) / part.len())
}

fn array(elements: &str) -> String {
    format!("[{}1]", filled(elements))
}

fn object(members: &str) -> String {
    format!("{{{}\"data\":1}}", filled(members))
}

/// Elements in an order that nothing could foresee.
fn mixture() -> String {
    let kinds =
        ["1", "12", "-1.5", "\"\"", "\"a\"", "null", "[]", "{}", "[1]", "[[]]", "{\"a\":1}"];
    let mut random = 1_u32;
    let mut next = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        kinds[(random >> 16) as usize % kinds.len()].to_owned() + ","
    };
    (0..1 << 14).map(|_| next()).collect()
}

/// So many members of distinct names, about 17 bytes each.
fn members(count: usize) -> String {
    (0..count).map(|number| format!("\"member-{number}\":1,")).collect()
}

/// Every provider of the world and those with many keys, a limit per identity, a guarded path, and rules to run through.
fn configuration(world: &World, many: &[ManyKeys], crypto: &str, entries: usize) -> Value {
    let mut providers = world.providers();
    let more = many.iter().flat_map(|family| family.providers.clone());
    providers.as_array_mut().unwrap().extend(more);
    let payload = json!({
        "content_types": ["application/json"], "max_bytes": "1MiB", "max_depth": 32,
        "require_any": ["/data", "/input_data"],
    });
    let mut rules: Vec<_> = (0..RULES)
        .map(|n| {
            let paths = [format!("/*/r{n}/**"), format!("/models/*:op{n}")];
            json!({"name": format!("r{n}"), "match": {"paths": paths}})
        })
        .collect();
    let open = |name: &str| json!({"name": name, "match": {"paths": [format!("/{name}")]}, "auth": "none"});
    let mut guarded = open("guarded");
    guarded["payload"] = payload;
    rules.extend([guarded, open("open")]);
    rules.push(json!({"name": "all", "match": {"paths": ["/**"]}, "limits": ["each"]}));
    json!({
        "providers": providers,
        "crypto": crypto,
        "token_cache": {"entries": entries},
        "limits": [{"name": "each", "rate": "1000000/s"}],
        "rules": rules,
    })
}

/// Microseconds of Envoy's CPU for one of these requests, sent in turn over kept-open connections.
async fn cost(envoy: &Envoy, requests: &Arc<Vec<Vec<u8>>>) -> f64 {
    // A megabyte takes long enough to be measured few times.
    let count = if requests[0].len() > 1 << 18 { REQUESTS / 10 } else { REQUESTS };
    let before = envoy.cpu();
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|first| tokio::spawn(send(envoy.address(), Arc::clone(requests), first, count)))
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    (envoy.cpu() - before) as f64 / 1_000.0 / count as f64
}

async fn send(address: SocketAddr, requests: Arc<Vec<Vec<u8>>>, first: usize, count: usize) {
    let mut connection = Connection::open(address).await;
    for number in (first..count).step_by(CONNECTIONS) {
        // A refusal may close the connection before the rest of a body was read.
        let _ = connection.try_send(&requests[number % requests.len()]).await;
    }
}

fn report(costs: &BTreeMap<(&str, &str), Vec<[f64; 3]>>, vm_failures: u64) -> ExitCode {
    let mut rows: Vec<_> = costs
        .iter()
        .map(|((family, engine), rounds)| {
            let median = |column: usize| {
                let mut values: Vec<_> = rounds.iter().map(|row| row[column]).collect();
                values.sort_by(f64::total_cmp);
                values[values.len() / 2]
            };
            (*family, *engine, [median(0), median(1), median(2)])
        })
        .collect();
    rows.sort_by(|one, other| other.2[0].total_cmp(&one.2[0]));
    println!("{:<44} {:<7} {:>9} {:>10} {:>8}", "family", "crypto", "us", "x no token", "x good");
    for (family, engine, [own, cheap, good]) in &rows {
        println!("{family:<44} {engine:<7} {own:>9.1} {cheap:>10.1} {good:>8.1}");
    }
    let above =
        |row: &&(&str, &str, [f64; 3])| row.2[1] > BOUND && !row.0.starts_with("body: 1 MiB");
    let too_dear = rows.iter().filter(above).count();
    println!("above {BOUND} x a request without a token: {too_dear}; VM failures: {vm_failures}");
    if too_dear == 0 && vm_failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
