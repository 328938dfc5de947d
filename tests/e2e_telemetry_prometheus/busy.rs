//! A proxy with callers of each kind.

use support::idp::{self, Idp, Scheme};
use support::ports::free_address;
use support::prelude::*;
use support::sample::Sample;

/// `envoy/envoy.yaml` with a rule of each kind, and providers whose keys can be fetched and not.
pub struct Busy {
    pub envoy: Envoy,
    /// A provider whose keys have been fetched; a test may end it.
    pub lost: Idp,
    _healthy: Idp,
    signer: Signer,
    /// The issuer whose keys were never fetched.
    down: String,
}

impl Busy {
    pub async fn start(fixture: &Fixture) -> Self {
        let (healthy, lost) = (fixture.idp(Scheme::Http), fixture.idp(Scheme::Http));
        let down = format!("http://{}", free_address());
        let sample = Sample::load(fixture.upstream.address())
            .cluster("healthy", healthy.address())
            .cluster("lost", lost.address());
        let mut config = sample.plugin_config();
        config["rules"] = json!([
            {"name": "health", "match": {"paths": ["/"]}, "auth": "none"},
            {"name": "trial", "match": {"paths": ["/trial"]}, "dry_run": true},
            {"name": "batch", "match": {"paths": ["/batch"]}, "auth": "none", "payload": {},
             "limits": ["many"], "cost": {"json_rows": ["/data"], "max": 10}},
            {"name": "score", "match": {"paths": ["/score", "/{endpoint}/score"]},
             "limits": ["per-caller", "words"]},
        ]);
        config["limits"] = json!([
            {"name": "many", "rate": "1000/s"},
            {"name": "per-caller", "rate": "5/s", "burst": 5},
            {"name": "words", "rate": "1000/s", "charge": "response",
             "response_cost": {"json": "/usage/total_tokens"}},
        ]);
        config["telemetry"] = json!({"histograms": true});
        // There is no cluster `down`.
        let providers =
            [("healthy", healthy.url("")), ("lost", lost.url("")), ("down", down.clone())];
        let remote = |(name, issuer): (&str, String)| {
            let uri = format!("{issuer}{}", idp::JWKS);
            let keys = json!({"uri": uri, "cluster": name, "refresh_interval": "1s"});
            json!({
                "name": name, "issuers": [issuer], "audiences": ["api://scoring"],
                "keys": {"remote": keys},
            })
        };
        config["providers"].as_array_mut().unwrap().extend(providers.map(remote));
        let envoy = fixture.proxy().start_file(&sample.plugin(&config).text()).await;
        Self { envoy, lost, _healthy: healthy, signer: fixture.signer.clone(), down }
    }

    /// Some requests of each kind.
    pub async fn load(&self) {
        let score = |token: String| Request::post("/score", "{}").bearer(token);
        let now = mint::now().to_string();
        let token = self.signer.sign(&claims_with("alice", json!({"jti": now})));
        let forged = Signer::new("ES256", "key-1").sign(&mint::claims("mallory"));
        let none = self.signer.sign_with(json!({"alg": "none"}), &mint::claims("mallory"));
        let unknown = self.signer.with_kid("key-9").sign(&mint::claims("mallory"));
        let no_keys = self.signer.sign(&claims_with("bob", json!({"iss": self.down})));
        let mut requests = vec![
            Request::get("/"),
            Request::get("/trial"),
            Request::post("/batch", r#"{"data": [1, 2]}"#),
            Request::post("/score", "{}"),
            score(none),
            score(unknown),
        ];
        requests.extend(vec![score(forged); 5]);
        requests.extend(vec![score(token); 20]);
        // This one waits for a fetch.
        let (address, no_keys) = (self.envoy.address(), score(no_keys));
        tokio::spawn(async move { client::try_send(address, &no_keys).await });
        client::send_spread(self.envoy.address(), 4, requests).await;
    }
}
