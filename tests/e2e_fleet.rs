//! One quota for several proxies: Envoy's own `ratelimit` filter behind ours, a Rate Limit Service
//! and a Redis. The configuration is the one under `envoy/fleet/`, for both sides.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use support::prelude::*;
use support::ratelimit::{self, Asked, Redis, Service};
use support::sample::Sample;

const HASH_KEY: &str = "0123456789abcdef0123456789abcdef";
const FILTERS: &str =
    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";

/// One fleet: its service, and its proxies' upstream and signer.
struct Fleet {
    fixture: Fixture,
    redis: Redis,
    service: Service,
}

impl Fleet {
    async fn start() -> Option<Self> {
        let fixture = Fixture::new("ES256").await?;
        let programs = ratelimit::programs()?;
        let redis = Redis::start(&programs.redis).await;
        let service = Service::start(&programs, "envoy/fleet/ratelimit.yaml", &redis).await;
        Some(Self { fixture, redis, service })
    }

    fn sample(&self) -> Sample {
        let mut sample =
            Sample::load_file("envoy/fleet/envoy.yaml", self.fixture.upstream.address());
        let service = "/static_resources/clusters/1/load_assignment/endpoints/0/lb_endpoints/0\
                       /endpoint/address/socket_address/port_value";
        *sample.at(service) = json!(self.service.address().port());
        // On a busy machine a decision may take long; one that is given up lets pass.
        sample.at(FILTERS)[1]["typed_config"]["timeout"] = json!("20s");
        sample
    }

    async fn proxy(&self, sample: Sample) -> Envoy {
        let proxy = self.fixture.proxy().environment("TOLLGATE_HASH_KEY", HASH_KEY);
        proxy.start_file(&sample.text()).await
    }

    /// A batch of so many rows; it costs at least 1.
    fn batch(&self, subject: &str, claims: Value, rows: usize) -> Request {
        let token = self.fixture.token_with(subject, claims);
        let body = json!({"data": vec![json!([1]); rows]}).to_string();
        Request::post("/score", body).header("content-type", "application/json").bearer(token)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_proxies_share_one_quota_for_each_caller_by_tier_and_cost() {
    let Some(fleet) = Fleet::start().await else { return };
    let proxies = [fleet.proxy(fleet.sample()).await, fleet.proxy(fleet.sample()).await];
    // 60 an hour by default, 300 with the role Batch, also beside other roles.
    let mut callers = BTreeSet::new();
    for (subject, claims, rows, tier, passing) in [
        ("alice", json!({}), 1, "standard", 60),
        ("bob", json!({"roles": ["Reader", "Batch"]}), 8, "batch", 37),
        ("carol", json!({"roles": ["Batches"]}), 7, "standard", 8),
        ("dave", json!({"roles": "Batch"}), 11, "batch", 27),
        ("erin", json!({"roles": []}), 100, "standard", 0),
    ] {
        fleet.fixture.upstream.clear();
        let before = fleet.service.asked().len();
        let request = fleet.batch(subject, claims, rows);
        // The proxy's own bucket of 200 would allow more.
        let each = vec![request; (200 / rows).min(50)];
        let responses = tokio::join!(
            client::send_spread(proxies[0].address(), 6, each.clone()),
            client::send_spread(proxies[1].address(), 6, each.clone()),
        );
        let (one, other) = (client::passed(&responses.0), client::passed(&responses.1));
        assert_eq!((fleet.fixture.upstream.count(), one + other), (passing, passing), "{subject}");
        let refused = responses.0.iter().chain(&responses.1).filter(|r| r.status != 200);
        for response in refused {
            assert_eq!(response.status, 429, "{subject}");
            assert!(response.header("x-envoy-ratelimited").is_some(), "{subject}");
        }
        let asked = fleet.service.asked().split_off(before);
        assert_eq!(asked.len(), 2 * each.len(), "{subject}");
        let Asked { entries, .. } = &asked[0];
        let caller = entries[1].1.clone();
        let expected = [("tier", tier), ("caller", caller.as_str())];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert!(asked.iter().all(|a| a.entries == expected && a.hits == rows as u64), "{asked:?}");
        assert_eq!(asked.iter().filter(|a| !a.over).count(), passing, "{subject}");
        callers.insert(caller);
    }
    // Either proxy can spend the rest of carol's quota, to the last row.
    for (rows, proxy, status) in [(5, 0, 429), (3, 1, 200), (1, 0, 200), (1, 1, 429)] {
        let request = fleet.batch("carol", json!({}), rows);
        assert_eq!(proxies[proxy].send(&request).await.status, status, "{rows}");
    }
    // Pseudonyms: five callers, five hashes, and no name anywhere behind the proxies.
    assert_eq!(callers.len(), 5);
    assert!(callers.iter().all(|c| c.len() == 32 && c.bytes().all(|b| b.is_ascii_hexdigit())));
    let keys = fleet.redis.keys();
    assert!(callers.iter().filter(|caller| keys.contains(*caller)).count() >= 4, "{keys}");
    let seen = format!("{keys}{:?}", fleet.service.asked());
    for part in ["alice", "bob", "carol", "dave", "erin", "issuer.test"] {
        assert!(!seen.contains(part), "{part}: {seen}");
    }
    // The service is asked about verified callers only.
    let before = fleet.service.asked().len();
    assert_eq!(proxies[0].send(&Request::get("/")).await.status, 200);
    let forged = Request::post("/score", "{}").bearer("x.y.z");
    assert_eq!(proxies[0].send(&forged).await.status, 401);
    assert_eq!(fleet.service.asked().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guarded_request_is_asked_about_only_where_its_head_is_held_back() {
    let Some(fleet) = Fleet::start().await else { return };
    let mut unheld = fleet.sample();
    let mut config = unheld.plugin_config();
    config["hold_head"] = json!(false);
    let plugin = &mut unheld.at(FILTERS)[0]["typed_config"]["config"];
    plugin["allow_on_headers_stop_iteration"] = json!(false);
    for (sample, asked) in [(unheld.plugin(&config), 0), (fleet.sample(), 1)] {
        let proxy = fleet.proxy(sample).await;
        let response = proxy.send(&fleet.batch("alice", json!({}), 3)).await;
        assert_eq!((response.status, fleet.service.asked().len()), (200, asked));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_service_a_proxy_does_what_failure_mode_deny_says_and_its_own_buckets_hold() {
    let Some(mut fleet) = Fleet::start().await else { return };
    let proxy = async |deny: bool| {
        let mut sample = fleet.sample();
        sample.at(FILTERS)[1]["typed_config"]["failure_mode_deny"] = json!(deny);
        let mut config = sample.plugin_config();
        config["limits"] = json!([{"name": "per-proxy", "rate": "1/h", "burst": 5}]);
        fleet.proxy(sample.plugin(&config)).await
    };
    let (open, shut) = (proxy(false).await, proxy(true).await);
    let statuses = async |fleet: &Fleet, proxy: &Envoy, subject: &str| {
        let request = fleet.batch(subject, json!({}), 1);
        let mut statuses = Vec::new();
        for _ in 0..7 {
            let response = proxy.send(&request).await;
            statuses.push((response.status, response.reason()));
        }
        statuses
    };
    let word = |status: u16, reason: &str| (status, reason.to_owned());
    // The proxy's own bucket has five tokens, and a request takes one even if it fails later.
    let then_limited = |first: u16| {
        let limited = [word(429, "rate_limited"), word(429, "rate_limited")];
        [vec![word(first, ""); 5], limited.to_vec()].concat()
    };
    for (proxy, subject) in [(&open, "alice"), (&shut, "bob")] {
        assert_eq!(statuses(&fleet, proxy, subject).await, then_limited(200), "{subject}");
    }
    let passed = fleet.fixture.upstream.count();
    fleet.redis.kill();
    // A service without its counters is as good as none.
    let carol = fleet.batch("carol", json!({}), 1);
    let answers = tokio::join!(open.send(&carol), shut.send(&carol));
    assert_eq!((answers.0.status, answers.1.status), (200, 503));
    fleet.service.kill();
    for (proxy, subject, first) in [(&open, "dave", 200), (&shut, "erin", 503)] {
        assert_eq!(statuses(&fleet, proxy, subject).await, then_limited(first), "{subject}");
    }
    assert_eq!((passed, fleet.fixture.upstream.count()), (10, 16));
}
