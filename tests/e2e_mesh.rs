//! The manifests for Istio and Envoy Gateway as a proxy gets them, in a real Envoy: the cluster of a
//! ServiceEntry and a DestinationRule, the plugin's configuration as a StringValue, and behind it
//! the RBAC filter of an AuthorizationPolicy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use support::entra::{self, OBJECT, TENANT as HOME};
use support::envoy::Builder;
use support::example::{self, Folder};
use support::idp::{ENTRA_JWKS, Idp, Scheme};
use support::manifests::{self, Kustomize, PLUGIN, named, one, read, text};
use support::prelude::*;
use support::scenario::merge;

const PARTNER: &str = "11111111-2222-3333-4444-555555555555";
const STRANGER: &str = "99999999-2222-3333-4444-555555555555";

/// A token that a user of a tenant got, for the audience of the manifests.
fn token(fixture: &Fixture, tenant: &str, changes: Value) -> String {
    fixture.signer.sign(&entra::claims(tenant, changes))
}

/// The cluster `outbound|PORT||HOST` as the mesh makes it of the shipped ServiceEntry and
/// DestinationRule; this test's address and authority are in the place of the real ones.
fn outbound(idp: &Idp, folder: &Folder) -> Value {
    let keys = read("istio/base/keys.yaml");
    let host = text(one(&keys, "ServiceEntry"), "/spec/hosts/0").to_owned();
    let setting = one(&keys, "DestinationRule").pointer("/spec/trafficPolicy/portLevelSettings/0");
    let (port, tls) = (&setting.unwrap()["port"]["number"], &setting.unwrap()["tls"]);
    assert_eq!((&tls["mode"], &tls["caCertificates"]), (&json!("SIMPLE"), &json!("system")));
    let names = tls["subjectAltNames"].as_array().unwrap();
    let names = names.iter().map(|name| json!({"san_type": "DNS", "matcher": {"exact": name}}));
    let mut cluster = support::envoy::cluster(&format!("outbound|{port}||{host}"), idp.address());
    cluster["transport_socket"] = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.\
                      UpstreamTlsContext",
            "sni": tls["sni"],
            "common_tls_context": {"validation_context": {
                "trusted_ca": {"filename": folder.file("ca.crt", idp.ca_pem())},
                "match_typed_subject_alt_names": names.collect::<Vec<_>>(),
            }},
        },
    });
    cluster
}

/// The RBAC filter that Istio makes of an AuthorizationPolicy: within a rule everything must hold, of
/// the values of one thing any; `not…` turns that around. `*` at the end of a value is any rest, alone
/// any value.
fn rbac(policy: &Value) -> Value {
    let header = |name: &str, value: &Value| match value.as_str().unwrap() {
        "*" => json!({"name": name, "present_match": true}),
        text => match text.strip_suffix('*') {
            Some(prefix) => json!({"name": name, "string_match": {"prefix": prefix}}),
            None => json!({"name": name, "string_match": {"exact": text}}),
        },
    };
    let list = |values: &Value| values.as_array().cloned().unwrap_or_default();
    let mut policies = serde_json::Map::new();
    for (number, rule) in list(&policy["spec"]["rules"]).iter().enumerate() {
        let operation = rule["to"][0]["operation"].as_object().unwrap();
        let permissions = operation.iter().map(|(thing, values)| {
            let one = |value: &Value| match thing.trim_start_matches("not") {
                "paths" | "Paths" => json!({"url_path": {"path": {"exact": value}}}),
                "methods" => json!({"header": header(":method", value)}),
                "hosts" => {
                    let mut host = header(":authority", value);
                    host["string_match"]["ignore_case"] = json!(true);
                    json!({"header": host})
                }
                thing => panic!("{thing}"),
            };
            let any =
                json!({"or_rules": {"rules": list(values).iter().map(one).collect::<Vec<_>>()}});
            if thing.starts_with("not") { json!({"not_rule": any}) } else { any }
        });
        let mut principals = vec![json!({"any": true})];
        for condition in list(&rule["when"]) {
            let name = text(&condition, "/key").strip_prefix("request.headers[").unwrap();
            let name = name.strip_suffix(']').unwrap();
            for values in ["values", "notValues"] {
                let any = list(&condition[values]);
                let any: Vec<_> = any.iter().map(|v| json!({"header": header(name, v)})).collect();
                match (any.is_empty(), values) {
                    (true, _) => {}
                    (_, "values") => principals.push(json!({"or_ids": {"ids": any}})),
                    _ => principals.push(json!({"not_id": {"or_ids": {"ids": any}}})),
                }
            }
        }
        policies.insert(
            format!("rule[{number}]"),
            json!({
                "permissions": [{"and_rules": {"rules": permissions.collect::<Vec<_>>()}}],
                "principals": [{"and_ids": {"ids": principals}}],
            }),
        );
    }
    json!({"name": "envoy.filters.http.rbac", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        "rules": {"action": policy["spec"]["action"], "policies": policies},
    }})
}

fn authorization() -> Value {
    rbac(named(&read("istio/base/authorization.yaml"), "AuthorizationPolicy", "scoring"))
}

fn score() -> Request {
    Request::post("/score", "{}")
}

#[tokio::test(flavor = "multi_thread")]
async fn istio_lets_pass_whom_both_admit_and_decides_by_no_header_of_the_caller() {
    let Some(fixture) = Fixture::new("RS256").await else { return };
    let (idp, folder) = (Idp::serving(Scheme::Https, entra::keys(&fixture.signer)), Folder::new());
    let plugin = read(PLUGIN).remove(0);
    let envoy = fixture
        .envoy(plugin["spec"]["pluginConfig"].clone())
        .raw_cluster(outbound(&idp, &folder))
        .filter_after(authorization())
        .start()
        .await;
    let spoofed =
        |request: Request| request.header("x-auth-tenant", HOME).header("x_auth_identity", "root");
    let good = |tenant| score().bearer(token(&fixture, tenant, json!({})));
    let expired = token(&fixture, HOME, json!({"exp": mint::now() - 300}));
    let roles = token(&fixture, HOME, json!({"roles": ["Model.Score", "Reader"]}));
    for (case, request, status, reason) in [
        ("home", good(HOME), 200, ""),
        ("roles", score().bearer(roles), 200, ""),
        ("probe", Request::get("/"), 200, ""),
        ("probe with our headers", spoofed(Request::get("/")), 200, ""),
        // Verified and tagged; that this tenant may not score is Istio's decision alone.
        ("partner", good(PARTNER), 403, ""),
        ("partner as home", spoofed(good(PARTNER)), 403, ""),
        ("nobody as home", spoofed(score()), 401, "token_missing"),
        ("expired", score().bearer(expired), 401, "expired"),
        ("stranger", good(STRANGER), 401, "tenant_not_allowed"),
        ("no rule", Request::get("/admin"), 403, "no_rule"),
    ] {
        let response = envoy.send(&request.case(case)).await;
        assert_eq!(response.status, status, "{case}: {:#?}", envoy.filter_log());
        // A refusal of Istio's is text, not a problem document.
        let ours = status == 200 || !reason.is_empty();
        match ours {
            true if status != 200 => assert_eq!(response.reason(), reason, "{case}"),
            true => {}
            false => assert_eq!(response.body, b"RBAC: access denied", "{case}"),
        }
    }
    let seen = fixture.upstream.case("home").unwrap();
    assert_eq!(seen.header("x-auth-identity"), Some(format!("{HOME}/{OBJECT}").as_str()));
    assert_eq!(seen.header("x-auth-tenant"), Some(HOME));
    assert_eq!(
        fixture.upstream.case("roles").unwrap().header("x-auth-roles"),
        Some("Model.Score,Reader")
    );
    let probe = fixture.upstream.case("probe with our headers").unwrap();
    assert_eq!((probe.header("x-auth-tenant"), probe.header("x_auth_identity")), (None, None));
    assert_eq!(fixture.upstream.count(), 4);
    // The log entry of a request that Istio refused has the caller and the cause.
    let line = envoy.access("partner as home").await;
    assert_eq!(line["identity"], format!("{PARTNER}/{OBJECT}"));
    assert!(line["details"].as_str().unwrap().starts_with("rbac_access_denied"), "{line}");
    assert_eq!(idp.visits()[0].path, ENTRA_JWKS);
}

/// The routes of a gateway with two hosts, as Istio names its virtual hosts and compares hosts.
fn two_hosts(named: Value) -> Value {
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}]);
    let mut guarded = json!({
        "name": "ml.example.com:443", "domains": ["ml.example.com"], "routes": routes,
    });
    merge(&mut guarded, named);
    json!({"route_config": {"ignore_port_in_host_matching": true, "virtual_hosts": [
        guarded, {"name": "others", "domains": ["*"], "routes": routes},
    ]}})
}

/// The objects of an overlay for a gateway, and the issuer of its keys.
struct Overlay {
    fixture: Fixture,
    idp: Idp,
    folder: Folder,
    objects: Vec<Value>,
}

impl Overlay {
    async fn of(name: &str) -> Option<Self> {
        let objects = Kustomize::find()?.build(&format!("istio/overlays/{name}"));
        let fixture = Fixture::new("RS256").await?;
        let idp = Idp::serving(Scheme::Https, entra::keys(&fixture.signer));
        Some(Self { fixture, idp, folder: Folder::new(), objects })
    }

    fn config(&self) -> Value {
        one(&self.objects, "WasmPlugin")["spec"]["pluginConfig"].clone()
    }

    /// An Envoy with a configuration of the plugin, and the overlay's policy behind it.
    fn envoy(&self, config: Value) -> Builder {
        self.fixture
            .envoy(config)
            .raw_cluster(outbound(&self.idp, &self.folder))
            .filter_after(rbac(one(&self.objects, "AuthorizationPolicy")))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_hosts_of_a_shared_gateway_need_no_token_and_lose_the_tag_headers_alone() {
    let Some(overlay) = Overlay::of("gateway").await else { return };
    let envoy = overlay.envoy(overlay.config()).hcm(two_hosts(json!({}))).start().await;
    let fixture = &overlay.fixture;
    let home = token(fixture, HOME, json!({}));
    let on = |host: &str, request: Request| request.host(host);
    let with = |request: Request, token: &str| request.bearer(token);
    let partner = token(fixture, PARTNER, json!({}));
    let expired = token(fixture, HOME, json!({"exp": mint::now() - 300}));
    let spoofed =
        |request: Request| request.header("x-auth-tenant", HOME).header("x_auth_identity", "root");
    const NAMED: &str = "ml.example.com";
    const OTHER: &str = "shop.example.com";
    const ISTIO: &str = "RBAC: access denied";
    for (case, request, status, reason) in [
        ("good", on(NAMED, with(score(), &home)), 200, ""),
        ("probe", on(NAMED, Request::get("/")), 200, ""),
        ("bare", on(NAMED, score()), 401, "token_missing"),
        ("expired", on(NAMED, with(score(), &expired)), 401, "expired"),
        ("letter case", on("ML.Example.COM", score()), 401, "token_missing"),
        ("spoofed", on(NAMED, spoofed(score())), 401, "token_missing"),
        ("partner", on(NAMED, with(score(), &partner)), 403, ISTIO),
        ("other path", on(NAMED, with(Request::get("/admin"), &home)), 403, "client_not_allowed"),
        ("other path, bare", on(NAMED, Request::get("/admin")), 401, "token_missing"),
        ("other method", on(NAMED, with(Request::get("/score"), &home)), 403, "client_not_allowed"),
        // The gateway routes these to the named host; the last rule must not open them.
        ("port", on("ml.example.com:8443", score()), 400, "host_ambiguous"),
        ("port and probe", on("ml.example.com:8443", Request::get("/")), 400, "host_ambiguous"),
        ("dot", on("ml.example.com.", score()), 400, "host_ambiguous"),
        ("no host", on("ml.example.com:x", score()), 400, "host_ambiguous"),
        // Other hosts.
        ("other", on(OTHER, Request::get("/")), 200, ""),
        ("other score", on(OTHER, spoofed(score())), 200, ""),
        ("other port", on("shop.example.com:8443", spoofed(Request::get("/a"))), 200, ""),
        ("other token", on(OTHER, with(score(), "no.jwt.here")), 200, ""),
        ("other slash", on(OTHER, Request::get("/a%2Fb")), 200, ""),
        ("other method there", on(OTHER, Request::new("DELETE", "/admin/x?y=1")), 200, ""),
        ("longer", on("ml.example.com.evil.test", score()), 200, ""),
        ("below", on("a.ml.example.com", Request::get("/")), 200, ""),
        // What is refused on every host.
        ("trace", on(OTHER, Request::new("TRACE", "/")), 405, "method_not_allowed"),
        ("path", on(OTHER, Request::get("/a/..%2fb")), 400, "path_ambiguous"),
    ] {
        let response = envoy.send(&request.case(case)).await;
        let said = match response.body == ISTIO.as_bytes() {
            true => ISTIO.to_owned(),
            false if status == 200 => String::new(),
            false => response.reason(),
        };
        assert_eq!((response.status, said.as_str()), (status, reason), "{case}");
    }
    let upstream = |case| fixture.upstream.case(case).unwrap_or_else(|| panic!("{case}"));
    assert_eq!(upstream("good").header("x-auth-tenant"), Some(HOME));
    for case in ["other score", "other port"] {
        let seen = upstream(case);
        assert!(!seen.head_contains(b"x-auth-") && !seen.head_contains(b"x_auth_"), "{case}");
    }
    assert_eq!(upstream("other token").header("authorization"), Some("Bearer no.jwt.here"));
    assert_eq!(upstream("other slash").path, "/a%2Fb");
    assert_eq!(envoy.access("other").await["rule"], "other-hosts");
}

/// Spellings of an authority that some server takes for `ml.example.com`.
fn spellings() -> Vec<String> {
    let names = [
        "ml.example.com",
        "ML.EXAMPLE.COM",
        "mL.eXample.com",
        "ml.example.com.",
        "ml.example.com..",
        ".ml.example.com",
        "ml..example.com",
        "ml%2Eexample.com",
        "%6Dl.example.com",
        "ml.example.com%00",
        "ml.example.com%20",
        "ml.example.com%2e",
        "ml\u{ff0e}example.com",
        "ml\u{3002}example.com",
        "\u{ff4d}l.example.com",
        "ml.example.com\u{200b}",
        "ml.example.com,",
        "ml.example.com, shop.example.com",
        "shop.example.com, ml.example.com",
        "ml.example.com/",
        "ml.example.com/a",
        "ml.example.com?a",
        "ml.example.com#a",
        "ml.example.com\\",
        "[ml.example.com]",
        "user@ml.example.com",
        "user:secret@ml.example.com",
        "shop.example.com@ml.example.com",
        "ml.example.com@shop.example.com",
        "shop.example.com#@ml.example.com",
        "\"ml.example.com\"",
        "http://ml.example.com",
        "//ml.example.com",
        "ml.example.com;a",
        "ml.example.com&a",
        "ml.example.com\t",
        " ml.example.com",
        "ml.example.com\u{b}",
        "ml.example.com\u{7f}",
        "*",
        "",
    ];
    let ports = [
        "",
        ":",
        ":80",
        ":443",
        ":0443",
        ":8443",
        ":0",
        ":65536",
        ":99999999999999999999",
        ":x",
        ":80x",
        ":-1",
        ":+80",
        ": 80",
        ":80 ",
        ":80:443",
        "::",
        ":443.",
        ":%38%30",
        ":80@",
        ":\u{ff18}",
        ":]",
    ];
    let (named, other) = (names[0], ["", ":443", ":x"]);
    let ported = ports.iter().map(|port| format!("{named}{port}"));
    let spelt = names.iter().flat_map(|name| other.map(|port| format!("{name}{port}")));
    ported.chain(spelt).collect()
}

/// Requests without a token by which a client might mean the guarded routes.
fn without_a_token() -> Vec<Request> {
    let mut requests = Vec::new();
    for host in spellings() {
        requests.extend([score().host(&host), Request::get("/admin").host(&host)]);
        let elsewhere = score().host("shop.example.com");
        // The target has precedence over the header (RFC 9112 §3.2.2).
        for target in [format!("http://{host}/score"), format!("HTTPS://{host}?a=/score")] {
            requests.push(Request { target: target.into_bytes(), ..elsewhere.clone() });
        }
        let names =
            ["host", "x-forwarded-host", "x-envoy-original-host", ":authority", "forwarded"];
        requests.extend(names.map(|name| elsewhere.clone().header(name, &host)));
        requests.push(score().host(&host).header("Host", "shop.example.com"));
    }
    for (method, target) in [
        ("HEAD", "/score"),
        ("OPTIONS", "*"),
        ("OPTIONS", "/score"),
        ("post", "/score"),
        ("PRI", "*"),
        ("CONNECT", "ml.example.com:443"),
        ("CONNECT", "/score"),
        ("TRACE", "/score"),
        ("M-SEARCH", "/"),
        ("POST", "/"),
        ("POST", "/swagger.json"),
        ("GET", "/score/"),
        ("GET", "//"),
        ("GET", "/."),
        ("GET", "/%2f"),
        ("GET", "/;/score"),
        ("GET", "/\\score"),
        ("GET", "/swagger.json/"),
        ("GET", "/swagger.json;a=b"),
        ("GET", "/swagger.json%00"),
        ("GET", "/swagger%2ejson/../score"),
    ] {
        let request = Request::new(method, target);
        requests.push(request.clone().header("access-control-request-method", "POST"));
        requests.push(request.clone().header("x-http-method-override", "GET"));
        requests.push(request);
    }
    requests
}

/// The overlay's last rule opens every host that the other rules do not name.
#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_the_named_host_reaches_its_routes_without_a_token() {
    let Some(overlay) = Overlay::of("gateway").await else { return };
    let marked = json!({"request_headers_to_add": [
        {"header": {"key": "x-virtual-host", "value": "guarded"}},
    ]});
    // The filter alone: the policy behind it would refuse some of them, too.
    let (fixture, plugin) = (&overlay.fixture, overlay.config());
    let envoy = fixture
        .envoy(plugin)
        .raw_cluster(outbound(&overlay.idp, &overlay.folder))
        .hcm(two_hosts(marked))
        .start()
        .await;
    let good = score().bearer(token(fixture, HOME, json!({}))).case("good");
    assert_eq!(envoy.send(&good).await.status, 200);
    let address = envoy.address();
    let mut exchanges = tokio::task::JoinSet::new();
    let limit = Duration::from_secs(5);
    for request in without_a_token() {
        let line = request.to_bytes().escape_ascii().to_string();
        let request = request.case(line);
        let send = async move { client::try_send(address, &request).await.map(|_| ()) };
        exchanges.spawn(tokio::time::timeout(limit, send));
        if exchanges.len() >= 32 {
            let _ = exchanges.join_next().await;
        }
    }
    // HTTP/2 has the authority in a field of its own, and may have `host` beside it.
    for host in spellings() {
        let other = "shop.example.com";
        for (authority, header) in [(&*host, None), (&*host, Some(other)), (other, Some(&*host))] {
            let mut request = hyper::Request::post(format!("http://{authority}/score"))
                .header("x-case", format!("{authority:?} {header:?}").escape_default().to_string());
            if let Some(header) = header {
                request = request.header("host", header);
            }
            // Some are no URI or header value for this client.
            let Ok(request) = request.body(Default::default()) else { continue };
            let send = async move {
                client::send_h2(address, request).await;
                Ok(())
            };
            exchanges.spawn(tokio::time::timeout(limit, send));
            if exchanges.len() >= 32 {
                let _ = exchanges.join_next().await;
            }
        }
    }
    while exchanges.join_next().await.is_some() {}
    let requests = fixture.upstream.requests();
    let (guarded, others): (Vec<_>, Vec<_>) =
        requests.iter().partition(|r| r.header("x-virtual-host") == Some("guarded"));
    let cases: Vec<_> = guarded.iter().filter_map(|request| request.header("x-case")).collect();
    assert_eq!(cases, ["good"], "{guarded:#?}");
    assert!(others.len() > 300, "requests for other hosts pass: {}", others.len());
}

/// A host that is forgotten in the rules is still guarded by the policy, and the other way around.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_only_the_policy_names_is_refused() {
    let Some(overlay) = Overlay::of("gateway").await else { return };
    let config = overlay.config().to_string().replace("ml.example.com", "m1.example.com");
    let envoy = overlay.envoy(serde_json::from_str(&config).unwrap()).start().await;
    let good = token(&overlay.fixture, HOME, json!({}));
    let forged = score().header("x-auth-tenant", HOME);
    for (request, status) in [
        (forged.clone().host("ml.example.com"), 403),
        (forged.clone().host("ml.example.com:8443"), 403),
        (forged.bearer(good).host("ml.example.com"), 403),
        (Request::get("/admin").host("ml.example.com"), 403),
        (score().host("m1.example.com"), 401),
    ] {
        assert_eq!(envoy.send(&request).await.status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_other_hosts_are_not_buffered() {
    let Some(overlay) = Overlay::of("azure-ml").await else { return };
    let patches =
        &named(&overlay.objects, "EnvoyFilter", "tollgate-buffer")["spec"]["configPatches"];
    let [filter, vhost] = ["HTTP_FILTER", "VIRTUAL_HOST"].map(|kind| {
        let of_gateway =
            |patch: &&Value| patch["applyTo"] == kind && patch["match"]["context"] == "GATEWAY";
        patches.as_array().unwrap().iter().find(of_gateway).unwrap()["patch"]["value"].clone()
    });
    let envoy = overlay
        .envoy(overlay.config())
        .variable("AML_ENDPOINT_KEY", "stand-in-for-an-endpoint-key")
        .filter_after(filter)
        .hcm(two_hosts(vhost))
        .start()
        .await;
    let (upstream, address) = (&overlay.fixture.upstream, envoy.address());
    let post = |host: &str, body: Vec<u8>| {
        Request::post("/score", body).host(host).header("content-type", "application/json")
    };
    let arrived = |case: &'static str| {
        support::eventually(async move || (upstream.heads(case) > 0).then_some(()))
    };
    // The head of another host's request goes on before its body is there, however long that is.
    let streamed = post("shop.example.com", vec![b'x'; 3 << 20]).case("streamed");
    let response = client::send_in_two(address, &streamed, async || {
        arrived("streamed").await.expect("the head alone");
    });
    assert_eq!(response.await.status, 200);
    assert_eq!(upstream.case("streamed").unwrap().header("authorization"), None, "no key");
    // The head of the named host's request waits: a refused body reaches nothing.
    let bearer = token(&overlay.fixture, HOME, json!({}));
    let flawed = post("ml.example.com", b"{}".to_vec()).bearer(&bearer).case("flawed");
    let response = client::send_in_two(address, &flawed, async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(upstream.heads("flawed"), 0);
    });
    let response = response.await;
    assert_eq!((response.status, response.reason().as_str()), (400, "payload_malformed"));
    assert_eq!(upstream.heads("flawed"), 0);
    let good = post("ml.example.com", br#"{"data": [1]}"#.to_vec()).bearer(&bearer).case("good");
    assert_eq!(envoy.send(&good).await.status, 200);
    let key = upstream.case("good").unwrap().header("authorization").map(str::to_owned);
    assert_eq!(key.as_deref(), Some("Bearer stand-in-for-an-endpoint-key"));
}

/// Why headers.yaml is beside the policy, and why both select the proxies of the plugin.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_plugin_the_policy_believes_a_header_unless_the_proxy_removes_it() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let filter = read("istio/base/headers.yaml").remove(0);
    let patch = "/spec/configPatches/0/patch/value/typed_config/early_header_mutation_extensions";
    let removal = json!({"early_header_mutation_extensions": filter.pointer(patch).unwrap()});
    for (manager, status) in [(json!({}), 200), (removal, 403)] {
        let envoy = fixture.proxy().hcm(manager).filter_after(authorization()).start().await;
        assert_eq!(envoy.send(&score()).await.status, 403);
        let forged = score().header("x-auth-tenant", HOME).header("X-Auth-Identity", "root");
        assert_eq!(envoy.send(&forged).await.status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_gateways_policy_finds_its_keys_in_the_cluster_of_the_bootstrap() {
    let Some(fixture) = Fixture::new("RS256").await else { return };
    let (idp, folder) = (Idp::serving(Scheme::Https, entra::keys(&fixture.signer)), Folder::new());
    let proxy = read("examples/envoy-gateway/proxy.yaml").remove(0);
    let authority = folder.file("ca.crt", idp.ca_pem());
    let bootstrap = example::adapt(
        text(&proxy, "/spec/bootstrap/value").to_owned(),
        &[
            ("/etc/ssl/certs/ca-certificates.crt", &authority),
            (
                "address: login.microsoftonline.com, port_value: 443",
                &format!("address: 127.0.0.1, port_value: {}", idp.address().port()),
            ),
        ],
    );
    let cluster = manifests::documents(&bootstrap)[0]["static_resources"]["clusters"][0].clone();
    let policy = read("examples/envoy-gateway/policy.yaml").remove(0);
    let envoy = fixture
        .envoy(policy["spec"]["wasm"][0]["config"].clone())
        .raw_cluster(cluster)
        .start()
        .await;
    let good = score().bearer(token(&fixture, HOME, json!({}))).header("x-auth-tenant", PARTNER);
    let response = envoy.send(&good).await;
    assert_eq!(response.status, 200, "{} {:#?}", response.reason(), envoy.filter_log());
    assert_eq!(fixture.upstream.last().unwrap().header("x-auth-tenant"), Some(HOME));
    let partner = score().bearer(token(&fixture, PARTNER, json!({})));
    assert_eq!(envoy.send(&partner).await.reason(), "tenant_not_allowed");
    assert_eq!(envoy.send(&score()).await.reason(), "token_missing");
    assert_eq!(idp.fetches(), 1);
}
