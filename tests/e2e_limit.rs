//! Buckets in a real Envoy with two workers: counted where it matters, at the upstream.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use support::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_of_one_identity_never_exceed_the_burst() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let envoy = fixture
        .envoy(json!({
            "rules": [{"name": "all", "limits": ["per-caller"]}],
            "limits": [{"name": "per-caller", "rate": "1/m", "burst": 10}],
        }))
        .start()
        .await;
    for subject in ["alice", "bob", "carol", "dave", "erin"] {
        fixture.upstream.clear();
        let requests = vec![fixture.get("/score", subject); 100];
        let responses = client::send_at_once(envoy.address(), requests).await;
        assert_eq!(fixture.upstream.count(), 10, "{subject}");
        let passed = client::passed(&responses);
        assert_eq!(passed, 10, "{subject}");
        for response in responses.iter().filter(|response| response.status != 200) {
            assert_eq!((response.status, response.reason().as_str()), (429, "rate_limited"));
            let wait: u64 = response.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=75).contains(&wait), "{wait}");
            let policy = response.header("ratelimit-policy").unwrap();
            assert!(policy.contains("\"per-caller\"") && policy.contains("q=10"), "{policy}");
            let state = response.header("ratelimit").unwrap();
            assert!(state.contains("\"per-caller\"") && state.contains("r=0"), "{state}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_caller_out_of_tokens_does_not_harm_another() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let envoy = fixture
        .envoy(json!({
            "rules": [{"name": "all", "limits": ["first", "second"]}],
            "limits": [
                {"name": "first", "rate": "1/h", "burst": 3},
                {"name": "second", "rate": "1/h", "burst": 2},
            ],
        }))
        .start()
        .await;
    let status = async |subject: &str| envoy.send(&fixture.get("/score", subject)).await.status;
    let greedy = [status("alice").await, status("alice").await, status("alice").await];
    assert_eq!(greedy, [200, 200, 429]);
    assert_eq!(status("bob").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn fresh_identities_all_pass_and_memory_stays_inside_the_table() {
    let Some(fixture) = Fixture::answering("HS256", |_| Reply::new(200, "")).await else { return };
    fixture.upstream.record(false);
    // 30,000 in `make test`; `make soak` sends a million. The table is far smaller, so that memory
    // that grows with the number of identities shows.
    let identities: usize =
        std::env::var("TOLLGATE_LIVE_IDENTITIES").map_or(30_000, |n| n.parse().unwrap());
    let slots = if identities > 100_000 { 131_072 } else { 2_048 };
    let envoy = fixture
        .envoy(json!({
            "rules": [{"name": "all", "limits": ["per-caller"]}],
            "limits": [{"name": "per-caller", "rate": "1/h", "burst": 1}],
            "store": {"max_identities": slots},
        }))
        .start()
        .await;
    const ROUND: usize = 10_000;
    let began = std::time::Instant::now();
    let mut memory = vec![(envoy.allocated().await, envoy.resident())];
    let mut longest = std::time::Duration::ZERO;
    for round in 0..identities / ROUND {
        fixture.upstream.clear();
        let signer = fixture.signer.clone();
        let requests = tokio::task::spawn_blocking(move || {
            let token = |n| signer.sign(&mint::claims(&format!("user-{round}-{n}")));
            (0..ROUND).map(|n| Request::get("/score").bearer(token(n))).collect::<Vec<_>>()
        });
        let requests = requests.await.unwrap();
        let tasks: Vec<_> = requests
            .chunks(ROUND.div_ceil(32))
            .map(|chunk| {
                let (chunk, address) = (chunk.to_vec(), envoy.address());
                tokio::spawn(async move {
                    let mut connection = Connection::open(address).await;
                    let (mut passed, mut longest) = (0, std::time::Duration::ZERO);
                    for request in &chunk {
                        let sent = std::time::Instant::now();
                        passed += usize::from(connection.send(request).await.status == 200);
                        longest = longest.max(sent.elapsed());
                    }
                    (passed, longest)
                })
            })
            .collect();
        let mut passed = 0;
        for task in tasks {
            let (of_task, slowest) = task.await.unwrap();
            passed += of_task;
            longest = longest.max(slowest);
        }
        assert_eq!((passed, fixture.upstream.count()), (ROUND, ROUND), "round {round}");
        memory.push((envoy.allocated().await, envoy.resident()));
    }
    let evictions = envoy.stat("wasmcustom.tollgate_store_evictions").await;
    // The first rounds fill the caches and the pools, the table was made at the start. 10,000 keys
    // in shared data would take 1.5 MB and more.
    let filled = (memory.len() / 5).max(2);
    let (filled, end) = (memory[filled], memory[memory.len() - 1]);
    println!(
        "{identities} identities in {:.0?}: {evictions} live evictions, longest request {longest:.1?}, \
         allocated and resident bytes at the start {:?}, once filled {filled:?}, at the end {end:?}",
        began.elapsed(),
        memory[0],
    );
    assert!(end.0 < filled.0 + 1_000_000, "allocated: {memory:?}");
    assert!(end.1 < filled.1 + 8_000_000, "resident: {memory:?}");
    // All are in debt for an hour: once the table is full, nearly each made another one forgotten,
    // and was counted.
    let identities = identities as u64;
    let least = identities.saturating_sub(slots).saturating_sub(identities / 20);
    assert!((least..identities).contains(&evictions), "{evictions}");
}

/// One rule for everything, and these limits.
fn limited(rule: Value, limits: Value) -> Value {
    json!({
        "rules": [merged(json!({"name": "all"}), rule)], "limits": limits,
        "responses": {"ratelimit_headers": "both"},
    })
}

/// How many of twelve requests pass, and the policy that their responses name.
async fn passes(envoy: &Envoy, request: &Request) -> (usize, String) {
    let responses = client::send_at_once(envoy.address(), vec![request.clone(); 12]).await;
    let policy = responses[0].header("ratelimit-policy").unwrap_or_default().to_owned();
    (client::passed(&responses), policy)
}

#[tokio::test(flavor = "multi_thread")]
async fn tiers_and_rates_of_the_token_decide_how_much_a_caller_has() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let envoy = fixture
        .envoy(limited(
            json!({"limits": ["calls"]}),
            json!([{
                "name": "calls", "rate": "2/h",
                "tiers": [
                    {"when": {"roles_any": ["Batch"]}, "rate": "1/h", "burst": 5},
                    {"when": {"roles_any": ["Batch", "Night"], "clients": ["n"]}, "rate": "7/h"},
                    {"when": {"roles_any": ["Night"]}, "rate": "6/h"},
                ],
                "rate_claim": {"claim": "/quota/rph", "max": "8/h"},
            }]),
        ))
        .start()
        .await;
    for (claims, burst) in [
        (json!({}), 2),
        (json!({"roles": ["Reader"]}), 2),
        (json!({"roles": ["Reader", "Batch"]}), 5),
        (json!({"roles": ["Night"]}), 6),
        (json!({"roles": ["Night"], "azp": "n"}), 7),
        (json!({"quota": {"rph": 3}}), 3),
        (json!({"quota": {"rph": "4"}}), 4),
        (json!({"quota": {"rph": 3.9}, "roles": ["Batch"]}), 3),
        (json!({"quota": {"rph": 1_000_000}}), 8),
        (json!({"quota": {"rph": 1e300}}), 8),
        (json!({"quota": {"rph": 0}}), 1),
        (json!({"quota": {"rph": -5}}), 1),
        (json!({"quota": {"rph": "unlimited"}}), 2),
        (json!({"quota": {"rph": null}, "roles": ["Batch"]}), 5),
        (json!({"quota": [3]}), 2),
    ] {
        fixture.upstream.clear();
        let subject = claims.to_string();
        let token = fixture.token_with(&subject, claims);
        let request = Request::get("/score").bearer(token);
        let (passed, policy) = passes(&envoy, &request).await;
        assert_eq!((passed, fixture.upstream.count()), (burst, burst), "{subject}");
        assert!(policy.starts_with(&format!("\"calls\";q={burst};w=")), "{subject}: {policy}");
    }
    // One caller in two tiers at a time has a bucket in each.
    let token = |claims| fixture.token_with("both", claims);
    for (claims, burst) in [(json!({}), 2), (json!({"roles": ["Batch"]}), 5), (json!({}), 0)] {
        let request = Request::get("/score").bearer(token(claims));
        assert_eq!(passes(&envoy, &request).await.0, burst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_says_what_a_request_costs_and_too_much_is_refused_for_good() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let envoy = fixture
        .envoy(limited(
            json!({"limits": ["calls"], "cost": {"header": "X-Batch", "max": 20}}),
            json!([{"name": "calls", "rate": "1/h", "burst": 10}]),
        ))
        .start()
        .await;
    let send = async |subject: &str, batch: &[&str]| {
        let request = batch.iter().fold(fixture.get("/score", subject), |request, value| {
            request.header("x-batch", value)
        });
        let response = envoy.send(&request).await;
        let left = response.header("x-ratelimit-remaining").unwrap().parse::<u64>().unwrap();
        // Neither is cured by a wait of a minute.
        let repeats = response.header("retry-after").is_some();
        let told = response.header("x-should-retry") == Some("false");
        assert!(!repeats && told == (response.status == 429));
        (response.status, response.reason(), left)
    };
    let passed = |left: u64| (200, String::new(), left);
    assert_eq!(send("alice", &["4"]).await, passed(6));
    assert_eq!(send("alice", &[]).await, passed(5));
    assert_eq!(send("alice", &["6"]).await, (429, "rate_limited".to_owned(), 5));
    assert_eq!(send("alice", &["5"]).await, passed(0));
    // An invalid value costs 20, which a bucket of 10 never holds.
    let never = |left: u64| (429, "cost_exceeds_burst".to_owned(), left);
    for nonsense in [&["0"][..], &["-1"], &["1e1"], &["21"], &["x"], &["1", "1"], &["11"]] {
        assert_eq!(send("bob", nonsense).await, never(10), "{nonsense:?}");
    }
    assert_eq!(send("bob", &["10"]).await, passed(0));
    assert_eq!(fixture.upstream.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_runs_dry_reports_and_lets_pass() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let envoy = fixture
        .envoy(limited(
            json!({"limits": ["dry", "real"]}),
            json!([
                {"name": "dry", "rate": "1/h", "burst": 2, "dry_run": true},
                {"name": "real", "rate": "1/h", "burst": 5},
            ]),
        ))
        .workers(1)
        .start()
        .await;
    let token = fixture.token("alice");
    let mut seen = Vec::new();
    for number in 0..6 {
        let case = format!("dry-{number}");
        let request = Request::get("/score").bearer(&token).case(&case);
        let response = envoy.send(&request).await;
        // The response does not mention the limit in dry run.
        let policy = response.header("ratelimit-policy").unwrap();
        assert!(policy.contains("\"real\"") && !policy.contains("dry"), "{policy}");
        let entry = envoy.access(&case).await;
        let word = |name: &str| entry[name].as_str().unwrap().to_owned();
        seen.push((response.status, word("decision"), word("reason")));
    }
    let row = |status: u16, decision: &str, reason: &str| {
        (status, decision.to_owned(), reason.to_owned())
    };
    let (allow, would) = (row(200, "allow", "ok"), row(200, "would_deny", "rate_limited"));
    let deny = row(429, "deny", "rate_limited");
    assert_eq!(seen, [allow.clone(), allow, would.clone(), would.clone(), would, deny]);
    let mut results = Vec::new();
    for (limit, result) in [
        ("dry", "allowed"),
        ("dry", "would_deny"),
        ("dry", "denied"),
        ("real", "allowed"),
        ("real", "denied"),
    ] {
        let name = format!("wasmcustom.tollgate_limit.limit.{limit}.result.{result}");
        results.push(envoy.stat(&name).await);
    }
    assert_eq!(results, [2, 4, 0, 5, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_is_shown_in_the_fields_that_are_configured() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    for (configured, ietf, x) in
        [("ietf", true, false), ("x", false, true), ("both", true, true), ("off", false, false)]
    {
        let mut config = limited(
            json!({"limits": ["wide", "narrow"]}),
            json!([
                {"name": "wide", "rate": "10/h", "burst": 30},
                {"name": "narrow", "rate": "2/h"},
            ]),
        );
        config["responses"]["ratelimit_headers"] = json!(configured);
        let envoy = fixture.envoy(config).workers(1).start().await;
        let token = fixture.token("alice");
        for (status, wide, narrow) in [(200, 29, 1), (200, 28, 0), (429, 28, 0), (429, 28, 0)] {
            let request = Request::get("/score").bearer(&token);
            let response = envoy.send(&request).await;
            assert_eq!(response.status, status, "{configured}");
            let field = |name: &str| response.header(name);
            let policy = "\"wide\";q=30;w=10800, \"narrow\";q=2;w=3600";
            assert_eq!(field("ratelimit-policy"), ietf.then_some(policy), "{configured}");
            let left = [format!("\"wide\";r={wide};t="), format!("\"narrow\";r={narrow};t=")];
            assert_eq!(field("ratelimit").is_some(), ietf, "{configured}");
            if let Some(text) = field("ratelimit") {
                assert!(left.iter().all(|part| text.contains(part)), "{text}");
            }
            assert_eq!(field("x-ratelimit-limit"), x.then_some("2"), "{configured}");
            let narrow = narrow.to_string();
            assert_eq!(field("x-ratelimit-remaining"), x.then_some(narrow.as_str()));
            assert_eq!(field("x-ratelimit-reset").is_some(), x, "{configured}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_the_first_second_at_which_the_same_request_passes_or_one_later() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let envoy = fixture
        .envoy(limited(
            json!({"limits": ["fast", "slow"]}),
            json!([
                {"name": "fast", "rate": "1/s", "burst": 1},
                {"name": "slow", "rate": "1/3s", "burst": 1},
            ]),
        ))
        .start()
        .await;
    let request = fixture.get("/score", "alice");
    let send = async || {
        let response = envoy.send(&request).await;
        (response.status, response.header("retry-after").map(str::to_owned))
    };
    assert_eq!(send().await.0, 200);
    let second = std::time::Duration::from_secs(1);
    for left in [3, 2, 1] {
        let (status, wait) = send().await;
        let wait: u64 = wait.unwrap().parse().unwrap();
        assert!(status == 429 && (left..=left + 1).contains(&wait), "{left}: {wait}");
        tokio::time::sleep(second).await;
    }
    assert_eq!(send().await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_callers_are_limited_by_the_address_that_the_proxy_trusts() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    // Forwarded addresses in the order of the requests, and how many have a bucket of their own.
    let forwarded = [
        "203.0.113.1",
        "203.0.113.2",
        "198.51.100.7, 203.0.113.1",
        "203.0.113.9, 203.0.113.2",
        "203.0.113.3, 192.0.2.1",
        "2001:db8::1",
        // One network is one caller.
        "2001:db8::2",
        "2001:db8:0:1::2",
    ];
    for (hcm, callers) in [
        // The proxy is the edge: it ignores the header of a client.
        (json!({"use_remote_address": true}), 1),
        // One trusted proxy in front: the address that it appended counts, not those before it.
        (json!({"use_remote_address": true, "xff_num_trusted_hops": 1}), 5),
        // A sidecar behind an edge that appended the address.
        (json!({"use_remote_address": false}), 5),
    ] {
        let mut config = limited(
            json!({"auth": "none", "limits": ["calls"]}),
            json!([{"name": "calls", "rate": "1/h", "burst": 1}]),
        );
        config["limits"][0]["key"] = json!("{@identity}");
        let envoy = fixture.envoy(config).hcm(hcm.clone()).start().await;
        let mut passed = 0;
        for address in forwarded {
            let request = Request::get("/").header("x-forwarded-for", address);
            let response = envoy.send(&request).await;
            passed += usize::from(response.status == 200);
        }
        assert_eq!(passed, callers, "{hcm}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_under_load_lose_no_request_and_neither_refill_nor_lose_a_bucket() {
    let Some(fixture) = Fixture::answering("HS256", |_| Reply::new(200, "")).await else { return };
    let pushes: u64 = std::env::var("TOLLGATE_PUSHES").map_or(50, |n| n.parse().unwrap());
    let config = |push: u64| {
        let mut config = limited(
            json!({"limits": ["calls", "day", "changing"]}),
            json!([
                {"name": "calls", "rate": "1/h", "burst": 20},
                {"name": "day", "rate": "1/d", "burst": 30},
                {"name": "changing", "rate": "1000/s", "burst": 1_000_000 + push},
            ]),
        );
        config["responses"]["realm"] = json!(format!("push {push}"));
        if push % 10 == 9 {
            config["limits"][0]["rate"] = json!("many");
        }
        config
    };
    let mut envoy = fixture.envoy(config(0)).start().await;
    let address = envoy.address();
    let token = |subject: &str| fixture.get("/", subject);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (greedy, stop) = (token("greedy"), std::sync::Arc::clone(&stop));
            tokio::spawn(async move {
                let mut seen = std::collections::BTreeMap::<String, u64>::new();
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let word = match client::try_send(address, &greedy).await {
                        Ok(response) => format!("{} {}", response.status, response.reason()),
                        Err(error) => format!("lost: {error}"),
                    };
                    *seen.entry(word).or_default() += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                }
                seen
            })
        })
        .collect();
    let thrifty = token("thrifty");
    let mut spent = 0;
    for push in 1..=pushes {
        let expected = if push % 10 == 9 { Push::Rejected } else { Push::Accepted };
        assert_eq!(envoy.reload(fixture.config(config(push))).await, expected, "push {push}");
        let response = client::send(address, &thrifty).await;
        assert_eq!(response.status == 200, push <= 20, "push {push}");
        spent += u64::from(response.status == 200);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut seen = std::collections::BTreeMap::<String, u64>::new();
    for task in load {
        for (word, count) in task.await.unwrap() {
            *seen.entry(word).or_default() += count;
        }
    }
    println!("{pushes} pushes: {seen:?}");
    assert_eq!(seen.keys().map(String::as_str).collect::<Vec<_>>(), ["200 ", "429 rate_limited"]);
    // Twenty tokens; an hourly rate has added none since.
    assert_eq!((seen["200 "], spent), (20, pushes.min(20)), "{seen:?}");
}

/// A quota of other numbers has other buckets: nothing of the old one is in them.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_changes_a_quota_begins_with_full_buckets_once() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let config = |rate: &str, burst: u64| {
        let limits = json!([{"name": "calls", "rate": rate, "burst": burst}]);
        limited(json!({"limits": ["calls"]}), limits)
    };
    let mut envoy = fixture.envoy(config("1/h", 3)).start().await;
    let request = fixture.get("/", "ann");
    let passes = async |envoy: &Envoy| {
        let mut passed = 0;
        for _ in 0..8 {
            passed += u64::from(envoy.send(&request).await.status == 200);
        }
        passed
    };
    assert_eq!(passes(&envoy).await, 3);
    for (rate, burst, want) in [("1/h", 3, 0), ("2/h", 3, 3), ("1/h", 5, 5), ("1/h", 3, 0)] {
        envoy.reload(fixture.config(config(rate, burst))).await;
        assert_eq!(passes(&envoy).await, want, "{rate} {burst}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_response_says_it_cost_is_charged_when_it_ends_and_delays_the_next_request() {
    let padding = "x".repeat(1 << 20);
    let long = format!(r#"{{"text":"{padding}","usage":{{"total_tokens":100}}}}"#);
    let event = |usage: &str| format!("data: {{\"delta\":\"{padding}\"{usage}}}\n\n");
    let events = [event(""), event(",\"usage\":{\"total_tokens\":60}"), "data: [DONE]\n\n".into()];
    let bodies = [long, events.concat(), r#"{"usage":{}}"#.to_owned()];
    let served = bodies.clone();
    let answer = move |request: &Recorded| {
        let json = |body: &str| Reply::new(200, body).header("content-type", "application/json");
        match request.path.as_str() {
            "/json" => json(&served[0]),
            "/events" => Reply::new(200, served[1].clone())
                .header("content-type", "text/event-stream; charset=utf-8"),
            "/reset" => Reply { hang_up: true, ..Reply::new(200, "") },
            _ => json(&served[2]),
        }
    };
    let Some(fixture) = Fixture::answering("HS256", answer).await else { return };
    let envoy = fixture
        .envoy(limited(
            json!({"limits": ["chat"], "cost": 7}),
            json!([{
                "name": "chat", "rate": "60/m", "burst": 50,
                "charge": "response", "response_cost": {"json": "/usage/total_tokens"},
            }]),
        ))
        .start()
        .await;
    let send = async |subject: &str, path: &str| envoy.send(&fixture.get(path, subject)).await;
    // The end of a stream comes a moment after its last byte.
    let settled = async || tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    for (path, body, cost) in
        [("/json", &bodies[0], 100), ("/events", &bodies[1], 60), ("/none", &bodies[2], 7)]
    {
        let response = send(path, path).await;
        assert_eq!(response.status, 200, "{path}");
        assert!(response.body == body.as_bytes(), "{path}: the body was changed");
        assert_eq!(response.header("x-ratelimit-remaining"), Some("50"), "{path}");
        settled().await;
        let next = send(path, path).await;
        if cost > 50 {
            // One token a second: the debt, and one to begin with.
            assert_eq!((next.status, next.reason().as_str()), (429, "rate_limited"), "{path}");
            let wait: i64 = next.header("retry-after").unwrap().parse().unwrap();
            // Spread upward by a quarter.
            assert!((cost - 50 - 2..=(cost - 50) * 5 / 4 + 2).contains(&wait), "{path}: {wait}");
        } else {
            let left: i64 = next.header("x-ratelimit-remaining").unwrap().parse().unwrap();
            assert!((50 - cost..=50 - cost + 1).contains(&left), "{path}: {left}");
        }
    }
    // A response that breaks off names no number, and costs the rule's `cost`.
    assert_eq!(send("reset", "/reset").await.status, 503);
    settled().await;
    let next = send("reset", "/none").await;
    let left: i64 = next.header("x-ratelimit-remaining").unwrap().parse().unwrap();
    assert!((43..=44).contains(&left), "{left}");
}
