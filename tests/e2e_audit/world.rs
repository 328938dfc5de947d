//! An example in a real Envoy, the requests that are sent through it, and the lines that must follow.

use std::net::SocketAddr;
use support::entra::{self, OBJECT, TENANT};
use support::example::Folder;
use support::idp::{Idp, Scheme};
use support::ports::free_address;
use support::prelude::*;
use support::root;
use support::tls::Authority;
use support::walk::{configurations, objects};

use super::examples::Format;

const ENDPOINT_KEY: &str = "secret-of-the-endpoint";
const HASH_KEY: &str = "0123456789abcdef0123456789abcdef";
const GATEWAY: &str = "spiffe://cluster.local/ns/ingress/sa/gateway";

/// All that an example needs around it.
pub struct World {
    pub fixture: Fixture,
    /// The configuration of the filter.
    config: Value,
    idp: Idp,
    authority: Authority,
    folder: Folder,
}

impl World {
    /// `None` after a note, without Envoy.
    pub async fn of(config: &Value) -> Option<Self> {
        let entra = config["providers"][0]["preset"] == "entra";
        let fixture = Fixture::new(if entra { "RS256" } else { "ES256" }).await?;
        let idp = Idp::serving(Scheme::Https, entra::keys(&fixture.signer));
        let config = with_a_bucket_of_one(config.clone());
        let (authority, folder) = (Authority::new(), Folder::new());
        let world = Self { fixture, config, idp, authority, folder };
        world.write_files();
        Some(world)
    }

    /// Starts a whole configuration: its listeners are on free ports, its clusters lead to the
    /// servers of this world, and its files are those of this world.
    pub async fn start(&self, mut bootstrap: Value) -> Started {
        let loopback =
            |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
        bootstrap["admin"] = json!({"address": loopback(0)});
        let resources = &mut bootstrap["static_resources"];
        for listener in resources["listeners"].as_array_mut().unwrap() {
            listener["address"] = loopback(0);
            let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
            // `tests/e2e_secrets` runs it. Envoy 1.36 does not know all its fields.
            let filters = manager["http_filters"].as_array_mut().unwrap();
            filters.retain(|filter| filter["name"] != "endpoint-key");
        }
        for cluster in resources["clusters"].as_array_mut().unwrap() {
            let address = match cluster["name"].as_str().unwrap() {
                "entra" => self.idp.address(),
                // Nothing listens there; the example lets requests pass without it.
                "ratelimit" => free_address(),
                // A test has set their addresses.
                "collector" | "access-log-service" => continue,
                _ => self.fixture.upstream.address(),
            };
            let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address";
            *cluster.pointer_mut(endpoint).unwrap() = loopback(address.port());
            if address == self.fixture.upstream.address() {
                cluster.as_object_mut().unwrap().remove("transport_socket");
            }
        }
        let chain = &bootstrap["static_resources"]["listeners"][0]["filter_chains"][0];
        let tls = chain.get("transport_socket").is_some();
        let certificate = chain.to_string().contains("\"require_client_certificate\":true");
        let mut routes =
            objects(chain).into_iter().filter_map(|object| object["prefix_rewrite"].as_str());
        let rewritten = routes.next().map(str::to_owned);
        self.adapt(&mut bootstrap);
        // One worker writes in the order of the requests.
        let proxy = self.fixture.proxy().workers(1).environment("TOLLGATE_HASH_KEY", HASH_KEY);
        let proxy = proxy.environment("AML_ENDPOINT_KEY", ENDPOINT_KEY);
        let envoy = proxy.start_file(&bootstrap.to_string()).await;
        Started { envoy, tls, peer: certificate.then_some(GATEWAY), rewritten }
    }

    /// Puts the files of this world in place of those that an example names, and its configuration
    /// of the filter in place of the example's.
    fn adapt(&self, value: &mut Value) {
        match value {
            Value::Array(list) => list.iter_mut().for_each(|value| self.adapt(value)),
            Value::Object(map) => map.values_mut().for_each(|value| self.adapt(value)),
            Value::String(text) if text.contains("\"providers\"") => {
                *text = self.config.to_string()
            }
            Value::String(text) if text.ends_with(".wasm") => {
                *text = support::module().to_str().unwrap().to_owned();
            }
            Value::String(text) => *text = self.here(text),
            _ => {}
        }
    }

    /// A text with the folder and the endpoint of this world in place of the examples' own.
    fn here(&self, text: &str) -> String {
        let folder = self.folder.path().to_str().unwrap();
        let authority = format!("{folder}/idp.crt");
        text.replace("/etc/ssl/certs/ca-certificates.crt", &authority)
            .replace("/etc/tollgate", folder)
            .replace("/endpoint/scoring/", "/endpoint/churn/")
    }

    /// Writes the files that the examples name.
    fn write_files(&self) {
        let (certificate, key) = self.authority.server_pem();
        let secret = |path: &str| self.here(&std::fs::read_to_string(root().join(path)).unwrap());
        for (name, content) in [
            ("tls/tls.crt", certificate.as_str()),
            ("tls/tls.key", &key),
            ("tls/ca.crt", self.authority.pem()),
            ("idp.crt", &self.idp.ca_pem()),
            ("config/tls.yaml", &secret("examples/kubernetes/base/tls.yaml")),
            ("config/serving.yaml", &secret("envoy/secrets/serving.yaml")),
            ("secrets/serving.pem", &(certificate.clone() + &key)),
        ] {
            let path = self.folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
    }

    /// Starts an Envoy that writes lines in this format, as the proxy of a mesh would; with mutual TLS
    /// the caller is another workload. `filter`: which lines it writes, if not all.
    pub async fn start_mesh(&self, format: &Format, mutual: bool, filter: Option<&str>) -> Started {
        let remote = self.config["providers"][0]["keys"]["remote"]["cluster"].as_str().unwrap();
        let keys = Idp::serving(Scheme::Http, entra::keys(&self.fixture.signer));
        let mut log = json!({"name": "envoy.access_loggers.file", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "/dev/stdout",
            "log_format": {"json_format": format},
        }});
        if let Some(expression) = filter {
            log["filter"] = json!({"extension_filter": {
                "name": "envoy.access_loggers.extension_filters.cel",
                "typed_config": {
                    "@type": "type.googleapis.com/\
                              envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                    "expression": expression,
                },
            }});
        }
        let routes = json!([
            {"name": "default", "match": {"prefix": "/"}, "route": {"cluster": "upstream"}},
        ]);
        let envoy = self
            .fixture
            .envoy(self.config.clone())
            .cluster(remote, keys.address())
            .hcm(json!({"access_log": [log], "use_remote_address": true}))
            .routes(routes)
            .transport_socket(self.authority.downstream(mutual))
            .start()
            .await;
        // The filter fetches keys at its start.
        envoy.wait_for_log("fetched").await;
        Started { envoy, tls: true, peer: mutual.then_some(GATEWAY), rewritten: None }
    }

    /// The caller, as its tag names it.
    fn identity(&self) -> String {
        let tags = self.config["tags"].as_array().unwrap();
        let identity = match self.config["providers"][0]["preset"] == "entra" {
            true => format!("{TENANT}/{OBJECT}"),
            false => "https://issuer.test/alice".to_owned(),
        };
        if tags.iter().any(|tag| tag["name"] == "identity" && tag["hash"] == true) {
            let mac = hmac_sha256::HMAC::mac(identity.as_bytes(), HASH_KEY.as_bytes());
            return mac[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        }
        identity
    }

    fn token(&self, changes: Value) -> String {
        match self.config["providers"][0]["preset"] == "entra" {
            true => self.fixture.signer.sign(&entra::claims(TENANT, changes)),
            false => self.fixture.token_with("alice", changes),
        }
    }

    /// An allowed request, one over the limit, one without a token, and one with an expired token.
    pub fn calls(&self) -> Vec<Call> {
        let expired = json!({"exp": mint::now() - 300, "iat": mint::now() - 4000});
        let (fresh, expired) = (self.token(json!({})), self.token(expired));
        let provider = &self.config["providers"][0]["name"];
        let rules = self.config["rules"].as_array().unwrap();
        let rule = rules.iter().find(|rule| rule["name"] == "score").unwrap();
        let has_cost = rules.iter().any(|rule| rule.get("cost").is_some());
        let caller = json!({
            "Provider": provider, "Identity": self.identity(), "Kid": "key-1", "Remaining": null,
            "Cost": has_cost.then_some("1"), "Limit": null,
        });
        let with = |changes: Value| merged(caller.clone(), changes);
        let call = |token: Option<&str>, expected: Value| Call {
            token: token.map(str::to_owned),
            expected,
        };
        vec![
            call(
                Some(&fresh),
                with(json!({
                    "Decision": "allow", "Reason": "ok", "ResponseCode": 200, "Remaining": "0",
                })),
            ),
            call(
                Some(&fresh),
                with(json!({
                    "Decision": "deny", "Reason": "rate_limited", "ResponseCode": 429,
                    "Remaining": "0", "Limit": rule["limits"][0],
                })),
            ),
            call(
                None,
                with(json!({
                    "Decision": "deny", "Reason": "token_missing", "ResponseCode": 401,
                    "Provider": "none", "Identity": null, "Kid": null,
                })),
            ),
            call(
                Some(&expired),
                with(json!({"Decision": "deny", "Reason": "expired", "ResponseCode": 401})),
            ),
        ]
    }

    /// Sends a request. The line that must follow has at least these values.
    pub async fn send(&self, started: &Started, number: usize, call: &Call) -> Value {
        let body = r#"{"data": [[1, 2]]}"#;
        let id = format!("call-{number}");
        // A query may contain a secret.
        let mut request = Request::post("/api/v1/endpoint/churn/score?code=secret", body)
            .header("content-type", "application/json")
            .header("x-ms-client-request-id", &id)
            .header("azureml-model-deployment", "blue")
            .header("user-agent", "audit/1");
        if let Some(token) = &call.token {
            request = request.bearer(token);
        }
        let response = started.send(&self.authority, &request).await;
        let told = (json!(response.status), response.reason());
        assert_eq!(
            told.0,
            call.expected["ResponseCode"],
            "{told:?} {:#?}",
            started.envoy.filter_log()
        );
        // Envoy rewrites what it sends to the upstream, and nothing else.
        let rewritten = started.rewritten.as_deref().filter(|_| response.status == 200);
        let path = rewritten.unwrap_or("/api/v1/endpoint/churn/score");
        let common = json!({
            "XMSClientRequestId": id, "Method": "POST", "Path": path,
            "EndpointName": "churn", "DeploymentName": "blue",
            "Rule": "score", "Detail": null, "Usage": null, "UserAgent": "audit/1",
            "ClientAddress": "127.0.0.1", "Peer": started.peer,
            "ResponsePayloadSize": response.body.len(),
        });
        let own = match response.status {
            200 => json!({"ResponseCodeReason": "via_upstream", "RequestPayloadSize": body.len()}),
            // Envoy may answer before it reads the body.
            _ => json!({"ResponseCodeReason": format!("tollgate_{}", response.reason())}),
        };
        merged(merged(common, own), call.expected.clone())
    }
}

/// A running example.
pub struct Started {
    pub envoy: Envoy,
    tls: bool,
    /// The name in the caller's certificate.
    peer: Option<&'static str>,
    /// The path that the upstream gets instead of the caller's, and with it the line.
    rewritten: Option<String>,
}

impl Started {
    async fn send(&self, authority: &Authority, request: &Request) -> Response {
        let address: SocketAddr = self.envoy.address();
        if !self.tls {
            return client::send(address, request).await;
        }
        let certificate = self.peer.map(|name| authority.client(name));
        authority.send(address, certificate.as_ref(), request).await
    }
}

/// A request and the values in its line.
pub struct Call {
    token: Option<String>,
    pub expected: Value,
}

/// With a bucket of one token, the second request is refused.
fn with_a_bucket_of_one(mut config: Value) -> Value {
    for limit in config["limits"].as_array_mut().into_iter().flatten() {
        limit["rate"] = json!("1/h");
        limit["burst"] = json!(1);
    }
    config
}

/// The one configuration of the filter in a value.
pub fn configuration(value: &Value) -> Value {
    let [config] = &configurations(value)[..] else { panic!("one configuration in {value}") };
    config.clone()
}
