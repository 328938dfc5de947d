//! Budgets of model tokens for a fleet: two Envoys, envoyproxy/ratelimit and a Redis, with the configurations
//! `envoy/fleet/budgets.yaml` and `envoy/fleet/budgets-ratelimit.yaml`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use support::example::adapt;
use support::prelude::*;
use support::ratelimit::{self, RealService, Redis};
use support::sample::Sample;
use support::{eventually, skip};
use tokio::io::AsyncWriteExt;

const HASH_KEY: &str = "0123456789abcdef0123456789abcdef";
const FILTERS: &str =
    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
const DAY: u64 = 86_400;

struct Fleet {
    fixture: Fixture,
    redis: Redis,
    service: RealService,
}

impl Fleet {
    /// A caller may use 1,000 tokens a day and 2,500 a month, a team 3,000 a month.
    async fn start() -> Option<Self> {
        // The body of a response is that of its request, so that a test chooses what it costs.
        let answer = |request: &Recorded| {
            let reply = Reply::new(200, request.body.clone());
            let slow = String::from_utf8_lossy(&request.body).contains("slow");
            Reply { delay: Duration::from_secs(if slow { 60 } else { 0 }), ..reply }
                .header("content-type", "application/json")
        };
        let fixture = Fixture::answering("ES256", answer).await?;
        let program: PathBuf = RealService::program()?;
        let redis = ratelimit::redis()?;
        same_day().await;
        let redis = Redis::start(&redis).await;
        let config =
            std::fs::read_to_string(support::root().join("envoy/fleet/budgets-ratelimit.yaml"));
        let config = adapt(
            config.unwrap(),
            &[
                ("{unit: day, requests_per_unit: 1000000}", "{unit: day, requests_per_unit: 1000}"),
                ("requests_per_unit: 10000000}", "requests_per_unit: 2500}"),
                ("requests_per_unit: 100000000}", "requests_per_unit: 3000}"),
            ],
        );
        let service = RealService::start(&program, &config, &redis).await;
        Some(Self { fixture, redis, service })
    }

    async fn proxy(&self, deny: bool) -> Envoy {
        let mut sample =
            Sample::load_file("envoy/fleet/budgets.yaml", self.fixture.upstream.address());
        let service = "/static_resources/clusters/1/load_assignment/endpoints/0/lb_endpoints/0\
                       /endpoint/address/socket_address/port_value";
        *sample.at(service) = json!(self.service.address().port());
        let filter = &mut sample.at(FILTERS)[1]["typed_config"];
        // On a busy machine a decision may take long; one that is given up lets pass.
        filter["timeout"] = json!("20s");
        filter["failure_mode_deny"] = json!(deny);
        let mut config = sample.plugin_config();
        config["limits"][0]["reserve"]["default"] = json!(20);
        let proxy = self.fixture.proxy().environment("TOLLGATE_HASH_KEY", HASH_KEY);
        proxy.start_file(&sample.plugin(&config).text()).await
    }

    fn chat(&self, subject: &str, body: Value) -> Request {
        let team = json!({"team": "red"});
        self.request(subject, team, body)
    }

    fn request(&self, subject: &str, claims: Value, body: Value) -> Request {
        let token = self.fixture.token_with(subject, claims);
        Request::post("/v1/chat/completions", body.to_string())
            .header("content-type", "application/json")
            .bearer(token)
    }

    /// Waits until the sum of a counter is this: Envoy adds after the response, and waits for no answer.
    async fn counted(&self, part: &str, sum: u64) {
        let reached = async || (self.redis.count(part) == sum).then_some(());
        let reached = eventually(reached).await;
        assert!(reached.is_some(), "{part}: {} instead of {sum}", self.redis.keys());
    }
}

fn tokens(count: u64) -> Value {
    json!({"model": "large", "usage": {"total_tokens": count}})
}

/// Waits for the next day, if this one ends soon: both windows follow the clock.
async fn same_day() {
    let left = DAY - mint::now() % DAY;
    if left < 120 {
        tokio::time::sleep(Duration::from_secs(left + 1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_proxies_spend_one_budget_per_day_and_month_and_a_team_spends_together() {
    let Some(fleet) = Fleet::start().await else { return };
    let proxies = [fleet.proxy(false).await, fleet.proxy(false).await];
    // 300 + 300 + 300 are within the day's 1,000; the fourth is admitted by the rest, and exceeds it.
    for number in 0..4 {
        let response = proxies[number % 2].send(&fleet.chat("alice", tokens(300))).await;
        assert_eq!(response.status, 200, "{number}");
        fleet.counted("budget_day_caller", 300 * (number as u64 + 1)).await;
        fleet.counted("budget_month_caller", 300 * (number as u64 + 1)).await;
        fleet.counted("budget_month_team", 300 * (number as u64 + 1)).await;
    }
    for (proxy, sum) in proxies.iter().zip([1201, 1202]) {
        let refused = proxy.send(&fleet.chat("alice", tokens(1))).await;
        assert_eq!(refused.status, 429);
        assert!(refused.header("x-envoy-ratelimited").is_some());
        assert_eq!(refused.header("x-should-retry"), Some("false"));
        fleet.counted("budget_month_team", sum).await;
    }
    assert_eq!(fleet.fixture.upstream.count(), 4);

    // Redis forgets each counter after its window.
    let keys = fleet.redis.keys();
    for (part, window) in [("budget_day_caller", DAY), ("budget_month_team", 30 * DAY)] {
        let key = keys.lines().find(|key| key.contains(part)).unwrap();
        let lifetime = fleet.redis.lifetime(key);
        assert!((window - 60..=window + 300).contains(&lifetime), "{key}: {lifetime}");
        let start: u64 = key.rsplit('_').next().unwrap().parse().unwrap();
        assert_eq!(start % window, 0, "windows of 1 and of 30 days, counted from 1970");
    }
    // Pseudonyms alone.
    for name in ["alice", "red", "issuer.test"] {
        assert!(!keys.contains(name), "{keys}");
    }

    // The team has 1,798 left. Bob is of the same team, Carol of none, and has only her own budgets.
    let bob = fleet.chat("bob", tokens(900));
    for (status, sum) in [(200, 2102), (200, 3002), (429, 3003)] {
        assert_eq!(proxies[0].send(&bob).await.status, status, "{sum}");
        fleet.counted("budget_month_team", sum).await;
    }
    let carol = fleet.request("carol", json!({}), tokens(900));
    assert_eq!(proxies[1].send(&carol).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_number_costs_its_reservation_and_what_is_refused_costs_nothing() {
    let Some(fleet) = Fleet::start().await else { return };
    let proxy = fleet.proxy(false).await;
    let day = "budget_day_caller";
    // No number in the response.
    assert_eq!(proxy.send(&fleet.chat("alice", json!({}))).await.status, 200);
    fleet.counted(day, 20).await;
    // A refusal of tollgate does not reach the filter, and a rule without the limit has no number.
    let forged = Request::post("/v1/chat/completions", "{}").bearer("x.y.z");
    assert_eq!(proxy.send(&forged).await.status, 401);
    assert_eq!(proxy.send(&Request::get("/health")).await.status, 200);
    // Zero is a number.
    assert_eq!(proxy.send(&fleet.chat("alice", tokens(0))).await.status, 200);
    assert_eq!(proxy.send(&fleet.chat("alice", tokens(7))).await.status, 200);
    fleet.counted(day, 27).await;
    // A caller that leaves before the response pays, too.
    let mut stream = tokio::net::TcpStream::connect(proxy.address()).await.unwrap();
    let served = fleet.fixture.upstream.count();
    let slow = fleet.chat("alice", json!({"prompt": "slow"}));
    stream.write_all(&slow.to_bytes()).await.unwrap();
    let arrived = async || (fleet.fixture.upstream.count() > served).then_some(());
    assert!(eventually(arrived).await.is_some());
    drop(stream);
    fleet.counted(day, 47).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_service_a_proxy_does_what_failure_mode_deny_says_and_keeps_serving() {
    let Some(mut fleet) = Fleet::start().await else { return };
    let version = Command::new(&fleet.fixture.binary).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    if ["/1.36.4/", "/1.37.0/"].iter().any(|faulty| version.contains(faulty)) {
        return skip::absent("a version of Envoy without the fault of CVE-2026-26330 is absent");
    }
    let (open, shut) = (fleet.proxy(false).await, fleet.proxy(true).await);
    let chat = fleet.chat("alice", tokens(1));
    for proxy in [&open, &shut] {
        assert_eq!(proxy.send(&chat).await.status, 200);
    }
    fleet.counted("budget_day_caller", 2).await;
    // A service without its counters is as good as none.
    fleet.redis.kill();
    for (away, requests) in [("Redis", 1), ("the service", 5)] {
        for _ in 0..requests {
            let (open, shut) = tokio::join!(open.send(&chat), shut.send(&chat));
            assert_eq!((open.status, shut.status), (200, 503), "{away}");
        }
        fleet.service.kill();
    }
}
