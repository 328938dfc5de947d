//! The shipped configurations in a real Envoy, with all receivers behind them.

use std::collections::BTreeSet;

use support::example::Folder;
use support::grpc::Receiver;
use support::prelude::*;
use support::sample::{self, Sample};
use support::tls::Authority;
use support::{eventually, skip};

use super::inputs;
use super::outputs::{HASH_KEY, Outputs};

/// The audit line and spans without personal data.
pub const PRIVATE: &str = "envoy/telemetry/private.yaml";

/// The claims that have a tag in addition to the tags of the example.
const CLAIMS: [&str; 7] = ["name", "email", "upn", "oid", "preferred_username", "groups", "jti"];

/// Which spans Envoy writes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tracer {
    Zipkin,
    OpenTelemetry,
}

impl Tracer {
    /// The name of its spans on the page.
    pub fn output(self) -> &'static str {
        match self {
            Self::Zipkin => "Spans, Zipkin",
            Self::OpenTelemetry => "Spans, OTLP",
        }
    }
}

/// Whether `envoy/telemetry/private.yaml` is applied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Line {
    Shipped,
    Private,
}

/// All that a run needs around Envoy.
pub struct World {
    pub fixture: Fixture,
    authority: Authority,
    collector: Receiver,
    service: Receiver,
    zipkin: Upstream,
    folder: Folder,
}

impl World {
    /// `None` after a note, without Envoy or with one that is too old for [`PRIVATE`].
    pub async fn new() -> Option<Self> {
        let fixture = Fixture::new("ES256").await?;
        if sample::is_1_36(&fixture.binary) {
            skip::absent("Envoy 1.36 writes no filter state into spans");
            return None;
        }
        Some(Self {
            fixture,
            authority: Authority::new(),
            collector: Receiver::start().await,
            service: Receiver::start().await,
            zipkin: Upstream::answering(|_| Reply::new(202, "")).await,
            folder: Folder::new(),
        })
    }

    /// The example with its telemetry.
    fn sample(&self, line: Line, tracer: Tracer) -> Sample {
        let sample = Sample::load(self.fixture.upstream.address());
        let sample = sample.variable("TOLLGATE_HASH_KEY");
        let sample = sample.with("opentelemetry", self.collector.address());
        let mut sample = match tracer {
            Tracer::Zipkin => sample.with("zipkin", self.zipkin.address()),
            Tracer::OpenTelemetry => sample,
        };
        match line {
            Line::Shipped => sample.with("grpc-access-log", self.service.address()),
            Line::Private => {
                let part = sample::read(PRIVATE);
                let manager = manager(&mut sample);
                manager["access_log"] = part["access_log"].clone();
                let early = "early_header_mutation_extensions";
                let more = part[early].as_array().unwrap().iter().cloned();
                manager[early].as_array_mut().unwrap().extend(more);
                manager["tracing"] = merged(manager["tracing"].clone(), part["tracing"].clone());
                sample
            }
        }
    }

    /// The configuration of the filter in the example, with rules for every input and a tag for every
    /// claim.
    pub fn config(&self, line: Line) -> Value {
        let sample = self.sample(line, Tracer::Zipkin);
        let mut config = sample.plugin_config();
        config["rules"] = json!([
            {
                "name": "guarded",
                "match": {"paths": ["/guarded"]},
                "payload": {"require_any": ["/data"]},
            },
            {
                "name": "score",
                "match": {"paths": [
                    "/score", "/api/v1/endpoint/{endpoint}/score", "/zqservice.Scores/*",
                ]},
                "limits": ["per-caller"],
            },
        ]);
        config["limits"] = json!([{"name": "per-caller", "rate": "1/h", "burst": 2}]);
        let responses = json!({
            "cors": {"allow_origins": ["https://zqorigin.example"]}, "ratelimit_headers": "both",
        });
        config["responses"] = merged(config["responses"].clone(), responses);
        let hash = line == Line::Private;
        if hash {
            config = merged(config, sample::read(PRIVATE)["filter"].clone());
        }
        let tags = CLAIMS.iter().map(|claim| (*claim, format!("{{{claim}}}")));
        let client = (!hash).then(|| ("client", "{@client_address}".to_owned()));
        let tags = tags.chain(client).map(|(name, value)| {
            let header = format!("x-auth-{name}");
            json!({"name": name, "value": value, "header": header, "hash": hash})
        });
        let model = json!({"name": "model", "value": "{@body:/model}", "hash": hash});
        config["tags"].as_array_mut().unwrap().extend(tags.chain([model]));
        config
    }

    /// An Envoy with this configuration of the filter. It takes connections with and without TLS.
    pub async fn start(&self, line: Line, tracer: Tracer, config: &Value) -> Envoy {
        let mut sample = self.sample(line, tracer).plugin(config);
        let states = self.states(config);
        let manager = manager(&mut sample);
        manager["access_log"].as_array_mut().unwrap().push(states);
        manager["http_protocol_options"] = json!({"enable_trailers": true});
        let mut sample = sample.for_envoy(&self.fixture.binary);
        let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        sample.at("/static_resources/clusters/0")["typed_extension_protocol_options"] = json!({options: {
            "@type": format!("type.googleapis.com/{options}"),
            "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
        }});
        // Spans come sooner.
        let flush = json!({
            "tracing.opentelemetry.flush_interval_ms": 200, "tracing.zipkin.flush_interval_ms": 200,
        });
        sample.at("")["layered_runtime"] =
            json!({"layers": [{"name": "test", "static_layer": flush}]});
        let listener = sample.at("/static_resources/listeners/0");
        let chain = |protocol: &str| {
            let chain = listener["filter_chains"][0].clone();
            merged(chain, json!({"filter_chain_match": {"transport_protocol": protocol}}))
        };
        let socket = json!({"transport_socket": self.authority.downstream(true)});
        let chains = [chain("raw_buffer"), merged(chain("tls"), socket)];
        listener["filter_chains"] = json!(chains);
        listener["listener_filters"] = json!([{
            "name": "envoy.filters.listener.tls_inspector",
            "typed_config": {
                "@type": "type.googleapis.com/\
                          envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
            },
        }]);
        // One worker writes in the order of the requests.
        let proxy = self.fixture.proxy().workers(1).environment("TOLLGATE_HASH_KEY", HASH_KEY);
        proxy.start_file(&sample.text()).await
    }

    /// A log of every state that the filter can write.
    fn states(&self, config: &Value) -> Value {
        let tags = config["tags"].as_array().unwrap().iter();
        let tags = tags.map(|tag| tag["name"].as_str().unwrap().to_owned());
        let names = tags.chain(super::fields::states());
        let format: serde_json::Map<_, _> = names
            .map(|name| (format!("%FILTER_STATE(wasm.tollgate.{name}:PLAIN)%"), name))
            .map(|(operator, name)| (name, json!(operator)))
            .collect();
        json!({"name": "envoy.access_loggers.file", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": self.folder.path().join("states.log"), "log_format": {"json_format": format},
        }})
    }

    /// Sends every input.
    pub async fn send(&self, envoy: &Envoy) -> Vec<Response> {
        inputs::send_all(&self.fixture, &self.authority, envoy.address()).await
    }

    /// Everything that followed from all requests.
    pub async fn outputs(
        &self,
        envoy: &Envoy,
        line: Line,
        tracer: Tracer,
        replies: &[Response],
    ) -> Outputs {
        let count = replies.len();
        let all = async || {
            // Envoy answers one request before it begins a span.
            let spans = self.spans(tracer).matches("guid:x-request-id").count() + 1;
            let states = count_of(&self.read_states(), b"\n");
            let service =
                count_of(&self.service.received("StreamAccessLogs"), b"x-ms-client-request-id");
            let logged = line == Line::Private || service >= count;
            let done = spans >= count && states >= count && envoy.access_log().len() >= count;
            (done && logged).then_some(())
        };
        eventually(all).await.expect("all lines, spans and messages");
        let audit = envoy.access_log().into_iter().map(|line| format!("{line}\n"));
        let upstream = self.fixture.upstream.requests().into_iter();
        let upstream = upstream.map(|seen| {
            let trailers = seen.trailers.iter().map(|(name, value)| (&name[..], &value[..]));
            [&seen.head[..], &seen.body, &lines(trailers)].concat()
        });
        let refusals = replies.iter().filter(|reply| is_own(reply)).map(|reply| {
            let headers = reply.headers.iter().map(|(name, value)| (name.as_bytes(), &value[..]));
            [&lines(headers)[..], &reply.body].concat()
        });
        let mut admin = Vec::new();
        for page in ["/stats", "/stats/prometheus", "/clusters", "/listeners"] {
            admin.push(envoy.admin_get(page).await);
        }
        let mut outputs = Outputs::from([
            ("Audit line", audit.collect::<String>().into_bytes()),
            (tracer.output(), self.spans(tracer).into_bytes()),
            ("Filter state", self.read_states()),
            ("Upstream", upstream.collect::<Vec<_>>().concat()),
            ("Refusals", refusals.collect::<Vec<_>>().concat()),
            ("logs", own_log(envoy).into_bytes()),
            ("admin interface", admin.concat().into_bytes()),
        ]);
        if line == Line::Shipped {
            outputs.insert("Access log service", self.service.received("StreamAccessLogs"));
            outputs.insert("OTLP", self.collector.received("LogsService/Export"));
        }
        outputs
    }

    /// The lines of [`World::states`] so far.
    pub fn read_states(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("states.log")).unwrap_or_default()
    }

    /// All spans so far. Texts in protobuf are plain bytes.
    pub fn spans(&self, tracer: Tracer) -> String {
        let bytes = match tracer {
            Tracer::OpenTelemetry => self.collector.received("TraceService/Export"),
            Tracer::Zipkin => {
                self.zipkin.requests().into_iter().flat_map(|post| post.body).collect()
            }
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The names of all tags in Zipkin's spans.
    pub fn span_tags(&self) -> BTreeSet<String> {
        let posts = self.zipkin.requests().into_iter();
        let spans = posts.filter_map(|post| serde_json::from_slice::<Vec<Value>>(&post.body).ok());
        let tags = spans.flatten().filter_map(|span| span["tags"].as_object().cloned());
        tags.flat_map(|tags| tags.into_iter().map(|(name, _)| name)).collect()
    }
}

/// Whether a reply is not the upstream's.
pub fn is_own(reply: &Response) -> bool {
    reply.status != 200 || reply.header("grpc-status").is_some()
}

fn lines<'h>(headers: impl Iterator<Item = (&'h [u8], &'h [u8])>) -> Vec<u8> {
    headers.flat_map(|(name, value)| [name, b": ", value, b"\n"].concat()).collect()
}

fn manager(sample: &mut Sample) -> &mut Value {
    sample.at("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")
}

/// Envoy's log, without the audit lines in the same file.
pub fn own_log(envoy: &Envoy) -> String {
    let log = envoy.log();
    log.lines().filter(|line| !line.starts_with('{')).collect::<Vec<_>>().join("\n")
}

fn count_of(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).filter(|window| *window == part).count()
}
