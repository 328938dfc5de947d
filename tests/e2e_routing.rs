//! Virtual hosts, routes and two clusters in a real Envoy: a request that Envoy routes to an
//! upstream has met the rule for that upstream, for any request line and any options of the
//! connection manager.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "core/router.rs"]
mod router;

use http_body_util::Full;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use router::{Credential, HostOption, World};
use support::prelude::*;

/// Requests of one world under one option.
const PROBES: usize = 180;

/// Two clusters, `upstream` and `second`, and tokens of a caller and of an administrator.
struct Scene {
    fixture: Fixture,
    second: Upstream,
}

impl Scene {
    async fn new() -> Option<Self> {
        Self::answering(Reply::echo).await
    }

    /// The cluster `upstream` answers by this function.
    async fn answering(
        answer: impl Fn(&Recorded) -> Reply + Send + Sync + 'static,
    ) -> Option<Self> {
        let fixture = Fixture::answering("ES256", answer).await?;
        Some(Self { fixture, second: Upstream::start().await })
    }

    fn token(&self, credential: Credential) -> Option<String> {
        match credential {
            Credential::None => None,
            Credential::Plain => Some(self.fixture.token("alice")),
            Credential::Admin => Some(self.fixture.token_with("root", json!({"roles": ["Admin"]}))),
        }
    }

    fn builder(&self, rules: Value) -> Builder {
        self.builder_with(json!({"rules": rules}))
    }

    fn builder_with(&self, sections: Value) -> Builder {
        self.fixture.envoy(sections).cluster("second", self.second.address())
    }

    fn clear(&self) {
        self.fixture.upstream.clear();
        self.second.clear();
    }

    /// How many requests reached each cluster.
    fn counts(&self) -> (usize, usize) {
        (self.fixture.upstream.count(), self.second.count())
    }
}

/// Virtual hosts, each all for one cluster.
fn virtual_hosts(hosts: &[(&str, &str)]) -> Value {
    let host = |(domain, cluster): &(&str, &str)| {
        json!({
            "name": domain, "domains": [domain],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster}}],
        })
    };
    json!({"virtual_hosts": hosts.iter().map(host).collect::<Vec<_>>()})
}

#[tokio::test(flavor = "multi_thread")]
async fn no_upstream_is_reached_without_what_its_rule_asks_in_a_real_envoy() {
    let Some(scene) = Scene::new().await else { return };
    let config = Config { failure_persistence: None, ..Config::default() };
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, seed);
    let (mut sent, mut passed) = (0, 0);
    for round in 0..2 {
        for option in HostOption::ALL {
            let world = router::world().new_tree(&mut runner).unwrap().current();
            let (plugin, upstreams) =
                world.plugin(scene.fixture.config(json!({}))["providers"].take());
            let mut builder = scene
                .builder_with(plugin)
                .hcm(option.manager())
                .hcm(json!({"route_config": world.route_config(option)}));
            for (name, value) in world.keys() {
                builder = builder.variable(&name, value);
            }
            let envoy = builder.start().await;
            let probes = router::probe(&world);
            let mut connection = Connection::open(envoy.address()).await;
            for number in 0..PROBES {
                let probe = probes.new_tree(&mut runner).unwrap().current();
                let port = envoy.address().port();
                let authority = probe.authority.replace("{port}", &port.to_string());
                let mut request = Request::get(&probe.path).host(&authority);
                if let Some(token) = scene.token(probe.credential) {
                    request = request.bearer(token);
                }
                scene.clear();
                sent += 1;
                let what = format!("{round} {option:?} {number}: {authority} {}", probe.path);
                // Envoy itself refuses some, and may hang up then.
                let response = connection.try_send(&request.to_bytes()).await;
                let requests = [scene.fixture.upstream.last(), scene.second.last()];
                let Some(reached) = requests.iter().flatten().next() else {
                    let status = response.map_or(0, |response| response.status);
                    assert_ne!(status, 200, "{what}");
                    continue;
                };
                passed += 1;
                let upstream = upstream_of(reached.header("x-upstream").unwrap());
                let level = world.level(upstream);
                assert!(probe.credential.meets(level), "{what}: reached {upstream:?}, {level:?}");
                let key = reached.header("authorization").and_then(|v| v.strip_prefix("Key k-"));
                if let Some(of) = key {
                    assert_eq!(upstream_of(of), upstream, "{what}: carried another's key");
                }
                agree(&world, option, &authority, port, &probe.path, upstream);
            }
            assert!(!upstreams.is_empty() && envoy.vm_failures().await == 0);
        }
    }
    assert!(sent >= 2_000, "{sent}");
    assert!(passed > sent / 10, "{passed} of {sent} passed");
}

fn upstream_of(text: &str) -> router::Upstream {
    let (host, route) = text.split_once('-').unwrap();
    (host.parse().unwrap(), route.parse().unwrap())
}

/// The model finds the same upstream as Envoy for a request that passed.
fn agree(
    world: &World,
    option: HostOption,
    authority: &str,
    port: u16,
    path: &str,
    upstream: router::Upstream,
) {
    let seen = option.seen(authority, port);
    let found = world.find(&option.compared(&seen), path);
    assert_eq!(found, Some(upstream), "{option:?} {authority} {path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_or_a_final_dot_leads_no_request_past_the_rule_of_its_upstream() {
    let Some(scene) = Scene::new().await else { return };
    let rules = json!([
        {"name": "public", "match": {"hosts": ["public.example.com"]}, "auth": "none"},
        {"name": "api"},
    ]);
    let hosts = virtual_hosts(&[("public.example.com", "upstream"), ("*", "second")]);
    for option in HostOption::ALL {
        let mut routes = hosts.clone();
        routes["ignore_port_in_host_matching"] = json!(option == HostOption::IgnorePort);
        let envoy = scene
            .builder(rules.clone())
            .hcm(option.manager())
            .hcm(json!({"route_config": routes}))
            .start()
            .await;
        let own = format!("public.example.com:{}", envoy.address().port());
        let mut open = 0;
        for host in [
            "public.example.com",
            "PUBLIC.example.com",
            "public.example.com:1",
            "public.example.com.",
            "public.example.com.:1",
            "public.example.com:443",
            own.as_str(),
        ] {
            scene.clear();
            let response = envoy.send(&Request::get("/").host(host)).await;
            let what = format!("{option:?}: {host}");
            match response.status {
                200 => {
                    open += 1;
                    assert_eq!(scene.counts(), (1, 0), "{what}");
                }
                status => {
                    assert_eq!(
                        (status, response.reason().as_str()),
                        (400, "host_ambiguous"),
                        "{what}"
                    );
                    assert_eq!(scene.counts(), (0, 0), "{what}");
                }
            }
        }
        // As the examples set it, each of them is the open host.
        let want = match option {
            HostOption::None | HostOption::IgnorePort => 2,
            HostOption::StripMatchingPort | HostOption::StripTrailingDot => 3,
            HostOption::StripAnyPort => 5,
            HostOption::StripBoth => 7,
        };
        assert_eq!(open, want, "{option:?}");
        let other = envoy.send(&Request::get("/").host("other:1")).await;
        assert_eq!((other.status, other.reason().as_str()), (401, "token_missing"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_no_host_is_refused_before_any_rule_and_a_suffix_takes_any_name() {
    let Some(scene) = Scene::new().await else { return };
    let admins = json!([{"roles_any": ["Admin"]}]);
    let rules = json!([
        {"name": "internal", "match": {"hosts": ["*.internal.example.com"]}, "allow": admins},
        {"name": "secret", "match": {"hosts": ["secret.example.com"]}, "allow": admins},
        {"name": "rest", "auth": "optional"},
    ]);
    let hosts = virtual_hosts(&[
        ("*.internal.example.com", "second"),
        ("secret.example.com", "second"),
        ("secret.example.com:x", "second"),
        ("*", "upstream"),
    ]);
    let envoy = scene.builder(rules).hcm(json!({"route_config": hosts})).start().await;
    let token = scene.token(Credential::Plain).unwrap();
    for (host, status, reason) in [
        ("a.internal.example.com", 403, "role_insufficient"),
        ("a~b.internal.example.com", 403, "role_insufficient"),
        ("!$&'()*+;=.internal.example.com", 403, "role_insufficient"),
        // Whether the rule for the rest opens depends on the port.
        ("a_b.internal.example.com:", 400, "host_ambiguous"),
        ("secret.example.com", 403, "role_insufficient"),
        ("secret.example.com:x", 400, "host_ambiguous"),
        ("secret.example.com:80:x", 400, "host_ambiguous"),
        ("user@secret.example.com", 400, "host_ambiguous"),
        ("..internal.example.com", 400, "host_ambiguous"),
        ("secret.example.com..", 400, "host_ambiguous"),
        ("secret.example.com,x", 400, "host_ambiguous"),
        ("secret%2eexample.com", 400, "host_ambiguous"),
        ("other.example.com:8080", 200, ""),
    ] {
        scene.clear();
        let request = Request::get("/").host(host).bearer(&token);
        let response = envoy.send(&request).await;
        // Envoy refuses some of them itself, without a reason.
        let own = response.status == 400 && response.reason().is_empty();
        let got = (response.status, response.reason());
        assert!(own || got == (status, reason.to_owned()), "{host}: {got:?}");
        assert_eq!(scene.counts(), (usize::from(status == 200), 0), "{host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_host_fields_never_lead_past_a_rule() {
    let Some(scene) = Scene::new().await else { return };
    let rules = json!([
        {"name": "public", "match": {"hosts": ["public.example.com"]}, "auth": "none"},
        {"name": "api"},
    ]);
    let hosts = virtual_hosts(&[("public.example.com", "upstream"), ("*", "second")]);
    let envoy = scene.builder(rules).hcm(json!({"route_config": hosts})).start().await;
    let mut connection = Connection::open(envoy.address()).await;
    for (one, two) in [
        ("public.example.com", "secret.example.com"),
        ("secret.example.com", "public.example.com"),
        ("public.example.com", "public.example.com"),
    ] {
        let request = Request::get("/").host(one).header("host", two);
        if let Ok(response) = connection.try_send(&request.to_bytes()).await {
            assert_ne!(response.status, 200, "{one} {two}");
        }
    }
    assert_eq!(scene.counts(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lent_key_is_never_sent_back_by_trace_or_track() {
    let Some(scene) = Scene::new().await else { return };
    let lends = json!({"env": "ENDPOINT_KEY", "prefix": "Bearer "});
    let rules = json!([
        {"name": "echo", "match": {"paths": ["/echo"], "methods": ["TRACE", "GET"]}},
        {"name": "named", "match": {"paths": ["/named"], "methods": ["TRACE", "TRACK", "GET"]},
         "upstream_authorization": lends},
        {"name": "open", "match": {"paths": ["/open"]}, "auth": "none"},
        {"name": "all", "upstream_authorization": lends},
    ]);
    let envoy = scene.builder(rules).variable("ENDPOINT_KEY", "endpoint-key").start().await;
    let token = scene.token(Credential::Plain).unwrap();
    for (method, path, status) in [
        ("TRACE", "/", 405),
        ("TRACK", "/", 405),
        ("TRACE", "/named", 405),
        ("TRACK", "/named", 405),
        ("TRACE", "/open", 405),
        ("TRACK", "/open", 405),
        ("TRACK", "/echo", 405),
        ("TRACE", "/echo", 200),
        ("GET", "/", 200),
        ("GET", "/named", 200),
    ] {
        scene.clear();
        let request = Request::new(method, path).bearer(&token);
        let Ok(response) = client::try_send(envoy.address(), &request).await else {
            // Envoy hangs up on a method that its parser does not know.
            assert_eq!((method, scene.counts()), ("TRACK", (0, 0)));
            continue;
        };
        let own = response.status == 400 && method == "TRACK" && response.reason().is_empty();
        assert!(own || response.status == status, "{method} {path}: {}", response.status);
        if response.status == 405 {
            assert_eq!(response.reason(), "method_not_allowed");
            assert!(response.header("allow").is_some_and(|allow| allow.contains("GET")));
        }
        assert_eq!(scene.counts(), (usize::from(status == 200), 0), "{method} {path}");
        if method != "GET"
            && let Some(request) = scene.fixture.upstream.last()
        {
            assert!(!request.head_contains(b"endpoint-key"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_lower_case_in_http2_nor_a_header_makes_a_method_choose_a_weaker_rule() {
    let Some(scene) = Scene::new().await else { return };
    let rules = json!([
        {"name": "delete", "match": {"methods": ["DELETE"]}, "allow": [{"roles_any": ["Admin"]}]},
        {"name": "rest", "auth": "optional"},
    ]);
    let envoy = scene.builder(rules).start().await;
    let token = scene.token(Credential::Plain).unwrap();
    for (method, header, status, reason) in [
        ("DELETE", None, 403, "role_insufficient"),
        ("delete", None, 403, "role_insufficient"),
        ("dElEtE", None, 403, "role_insufficient"),
        ("POST", Some("x-http-method-override"), 403, "role_insufficient"),
        ("GET", Some("x-http-method"), 403, "role_insufficient"),
        ("POST", Some("x-method-override"), 403, "role_insufficient"),
        ("POST", Some("x_http_method_override"), 403, "role_insufficient"),
        ("trace", None, 405, "method_not_allowed"),
        ("POST", None, 200, ""),
        ("GET", None, 200, ""),
    ] {
        scene.clear();
        let mut request = hyper::Request::builder()
            .method(hyper::Method::from_bytes(method.as_bytes()).unwrap())
            .uri("http://ml.example.com/")
            .header("authorization", format!("Bearer {token}"));
        if let Some(header) = header {
            request = request.header(header, "delete");
        }
        let request = request.body(Full::default()).unwrap();
        let response = client::send_h2(envoy.address(), request).await;
        let got = (response.status, response.reason());
        assert_eq!(got, (status, reason.to_owned()), "{method} {header:?}");
        assert_eq!(scene.counts(), (usize::from(status == 200), 0), "{method} {header:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_read_paths_as_lenient_servers_do_where_they_say_so() {
    let Some(scene) = Scene::new().await else { return };
    let rules = json!([
        {"name": "secret", "match": {
            "paths": ["/secret"], "ignore_case": true, "trailing_slash": "ignore",
        }},
        {"name": "strict", "match": {"paths": ["/strict"]}},
        {"name": "predict", "match": {
            "paths": ["/v1/models/*:predict"], "encoded_slash": "allow",
        }},
        {"name": "v1", "match": {"paths": ["/v1/**"]}, "allow": [{"roles_any": ["Admin"]}]},
        {"name": "rest", "auth": "none"},
    ]);
    let envoy = scene.builder(rules).start().await;
    for (path, status) in [
        ("/secret", 401),
        ("/secret/", 401),
        ("/SECRET", 401),
        ("/Secret/?x", 401),
        ("/secret/x", 200),
        ("/strict", 401),
        // Documented: a rule takes a path as it is written unless it says otherwise.
        ("/strict/", 200),
        ("/STRICT", 200),
        ("/v1/models/m:predict", 401),
        ("/v1/models/org%2Fm:predict", 400),
        ("/v1/models/..%2F..%2Fsecret:predict", 400),
        ("/v1/models/m:train", 401),
        ("/other%2Fx", 400),
    ] {
        let response = envoy.send(&Request::get(path)).await;
        assert_eq!(response.status, status, "{path}: {}", response.reason());
    }
    drop(envoy);
    // With no other rule that names the path, the name of the model may hold a slash.
    let rules = json!([
        {"name": "predict", "match": {
            "paths": ["/v1/models/*:predict"], "encoded_slash": "allow",
        }},
        {"name": "rest", "auth": "none"},
    ]);
    let envoy = scene.builder(rules).start().await;
    let token = scene.token(Credential::Plain).unwrap();
    for (path, bare, good) in [
        ("/v1/models/m:predict", 401, 200),
        ("/v1/models/org%2Fm:predict", 401, 200),
        ("/v1/models/org%2Fm%3Apredict", 401, 200),
        ("/v1/models/..%2Fm:predict", 400, 400),
        ("/v1/models/%2Fm:predict", 400, 400),
        ("/v1/models/a%5Cb:predict", 400, 400),
        // Read with a slash it is a call of a model, so it needs a token.
        ("/v1/models%2Fm:predict", 401, 200),
    ] {
        let request = Request::post(path, "{}");
        let response = envoy.send(&request).await;
        assert_eq!(response.status, bare, "{path}: {}", response.reason());
        scene.clear();
        let response = envoy.send(&request.bearer(&token)).await;
        assert_eq!(response.status, good, "{path}: {}", response.reason());
        if good == 200 {
            assert_eq!(scene.fixture.upstream.last().unwrap().path, path);
        }
    }
}

/// An upstream that sends callers on to another host, and the second cluster behind that host.
async fn redirecting(policy: Option<Value>) -> Option<(Scene, Envoy)> {
    let answer = |request: &Recorded| {
        let target = format!("http://other.example.com{}", request.path);
        Reply::new(302, "").header("location", &target)
    };
    let scene = Scene::answering(answer).await?;
    let lends = json!({"env": "ENDPOINT_KEY", "prefix": "Bearer "});
    let rules = json!([
        {"name": "lends", "match": {"hosts": ["ml.example.com"]}, "upstream_authorization": lends},
        {"name": "open", "match": {"paths": ["/open"]}, "auth": "none"},
        {"name": "maybe", "match": {"paths": ["/maybe"]}, "auth": "optional"},
        {"name": "other"},
    ]);
    let mut hosts = virtual_hosts(&[("ml.example.com", "upstream"), ("*", "second")]);
    if let Some(policy) = policy {
        hosts["virtual_hosts"][0]["routes"][0]["route"]["internal_redirect_policy"] = policy;
    }
    let envoy = scene
        .builder(rules)
        .variable("ENDPOINT_KEY", "endpoint-key")
        .hcm(json!({"route_config": hosts}))
        .start()
        .await;
    Some((scene, envoy))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_goes_to_the_caller_and_carries_no_lent_key_where_routes_have_no_policy() {
    let Some((scene, envoy)) = redirecting(None).await else { return };
    let token = scene.token(Credential::Plain).unwrap();
    let response = envoy.send(&Request::get("/open").bearer(&token)).await;
    assert_eq!(response.status, 302);
    assert_eq!(response.header("location"), Some("http://other.example.com/open"));
    assert_eq!(scene.counts(), (1, 0));
    assert!(scene.fixture.upstream.last().unwrap().head_contains(b"endpoint-key"));
    let replied = response.headers.iter().any(|(_, value)| value.ends_with(b"endpoint-key"));
    assert!(!replied);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_internal_redirect_carries_no_lent_key_to_another_cluster() {
    let policy = json!({"max_internal_redirects": 2, "redirect_response_codes": [302]});
    let Some((scene, envoy)) = redirecting(Some(policy)).await else { return };
    let token = scene.token(Credential::Plain).unwrap();
    for (path, status, seen) in [("/open", 200, 1), ("/maybe", 200, 1), ("/other", 401, 0)] {
        scene.clear();
        let response = envoy.send(&Request::get(path).bearer(&token)).await;
        assert_eq!((response.status, scene.counts()), (status, (1, seen)), "{path}");
        assert!(scene.fixture.upstream.last().unwrap().head_contains(b"endpoint-key"));
        if let Some(request) = scene.second.last() {
            assert!(!request.head_contains(b"endpoint-key"), "{path}");
            assert_eq!(request.all("authorization").len(), 0, "{path}");
        }
    }
    // A caller that knows the key gains nothing by it: it is no token.
    let request = Request::get("/other").host("other.example.com").bearer("endpoint-key");
    let response = envoy.send(&request).await;
    assert_eq!((response.status, response.reason().as_str()), (401, "token_missing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirrored_request_carries_the_lent_key_and_the_tags_as_the_pages_say() {
    let Some(scene) = Scene::new().await else { return };
    let lends = json!({"env": "ENDPOINT_KEY", "prefix": "Bearer "});
    let envoy = scene
        .builder(json!([{"name": "all", "upstream_authorization": lends}]))
        .variable("ENDPOINT_KEY", "endpoint-key")
        .routes(json!([{
            "match": {"prefix": "/"},
            "route": {
                "cluster": "upstream", "request_mirror_policies": [{"cluster": "second"}],
            },
        }]))
        .start()
        .await;
    let token = scene.token(Credential::Plain).unwrap();
    let response = envoy.send(&Request::get("/").bearer(&token)).await;
    assert_eq!(response.status, 200);
    let mirrored = support::poll(std::time::Duration::from_secs(10), async || scene.second.last());
    let mirrored = mirrored.await.unwrap();
    assert_eq!(mirrored.header("authorization"), Some("Bearer endpoint-key"));
    assert_eq!(mirrored.header("x-auth-subject"), Some("alice"));
    assert!(!mirrored.head_contains(token.as_bytes()));
}
