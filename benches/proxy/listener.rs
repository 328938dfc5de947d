//! Each case as Envoy configuration.

use std::path::Path;

use serde_json::{Value, json};

use crate::audit::Audit;
use crate::lists::List;
use crate::settings::Settings;
use crate::traffic::{AUDIENCE, ISSUER};

/// A chain of filters in front of a route that answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// The router alone.
    Bare,
    /// Envoy's buffer filter, and the router.
    Buffered,
    /// Envoy's `jwt_authn`, then `local_ratelimit` keyed by the subject.
    Native {
        /// Whether `jwt_authn` keeps verified tokens, as it does not by default.
        cached: bool,
    },
    /// A Wasm filter that does nothing.
    EmptyWasm,
    /// The module under test.
    Tollgate(Plugin),
}

/// One configuration of the module; each has a VM and shared data of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plugin {
    /// Names the listener and its VM.
    pub id: &'static str,
    /// The default token cache, or none.
    pub cached: bool,
    /// This many tags, or the default ones.
    pub tags: Option<usize>,
    /// This many limits per identity.
    pub limits: usize,
    /// Filter state and metrics, as by default.
    pub telemetry: bool,
    /// The `RateLimit` fields of the response, as by default.
    pub fields: bool,
    /// Whether bodies are guarded, and how heads wait for them.
    pub guard: Option<Heads>,
    /// Tokens per second of each limit.
    pub rate: u32,
    /// What the limits charge: by default one token for each request.
    pub budget: Option<Budget>,
    /// A list that is long.
    pub list: Option<List>,
    /// A line of the access log for each request.
    pub audit: Option<Audit>,
    /// Whether Envoy calls only the callbacks that the configuration needs, as in `envoy/gateway.yaml`.
    pub restricted: bool,
    /// Whether the module is the one to compare with.
    pub reference: bool,
}

/// The setting that makes the headers of a guarded request wait for its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heads {
    /// `hold_head`.
    Held,
    /// Envoy's buffer filter behind.
    Buffered,
}

/// What the limits charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// One token for each request.
    Request,
    /// The response.
    Response,
    /// The response, after a reservation, at the price of the model.
    Reserved,
}

/// Enough for every request of a round from one identity: nothing is refused.
pub const RATE: u32 = 100_000;
const BUCKETS: u32 = 10_000;
const CACHED_TOKENS: u32 = 10_000;

/// The claims that tags are made of, in the order they are added.
const TAGGED: [&str; 10] =
    ["sub", "iss", "azp", "tid", "oid", "roles", "scp", "ver", "idtyp", "appid"];

impl Listener {
    /// The name it has in Envoy.
    pub fn name(self) -> String {
        match self {
            Self::Bare => "bare".into(),
            Self::Buffered => "buffered".into(),
            Self::Native { cached: false } => "native".into(),
            Self::Native { cached: true } => "native-cached".into(),
            Self::EmptyWasm => "empty-wasm".into(),
            Self::Tollgate(Plugin { id, cached, list, reference, .. }) => {
                let module = if reference { "reference" } else { "tollgate" };
                match list {
                    None => format!("{module}-{id}"),
                    Some(list) => {
                        let words = format!("{module}-{id}-{list:?}-{cached}");
                        words.replace(['(', ')'], "-").to_lowercase()
                    }
                }
            }
        }
    }

    /// The listener on a port that the kernel chooses.
    pub fn config(self, jwks: &Value, settings: &Settings) -> Value {
        let mut filters = match self {
            Self::Bare => vec![],
            Self::Buffered => vec![buffer()],
            Self::Native { cached } => vec![jwt_authn(jwks, cached), local_ratelimit()],
            Self::EmptyWasm => vec![wasm(self.name(), &settings.empty_filter(), &json!({}))],
            Self::Tollgate(plugin) => {
                let module = settings.reference.as_ref().filter(|_| plugin.reference);
                let module = module.unwrap_or(&settings.wasm);
                let mut own = wasm(self.name(), module, &plugin.document(jwks));
                if plugin.restricted
                    && let Some(config) = own.pointer_mut("/typed_config/config")
                {
                    set(config, "capability_restriction_config", plugin.capabilities());
                }
                match plugin.guard {
                    None => vec![own],
                    Some(Heads::Buffered) => vec![own, buffer()],
                    Some(Heads::Held) => {
                        let config = own.pointer_mut("/typed_config/config");
                        let allowed = "allow_on_headers_stop_iteration";
                        config.into_iter().for_each(|c| set(c, allowed, json!(true)));
                        vec![own]
                    }
                }
            }
        };
        filters.push(filter("router", "router.v3.Router", json!({})));
        let routes = json!([{
            "match": {"prefix": "/"},
            "direct_response": {"status": 200, "body": {"inline_string": "ok"}},
        }]);
        let audit = match self {
            Self::Tollgate(Plugin { audit: Some(audit), .. }) => audit.log(),
            _ => json!([]),
        };
        json!({
            "name": self.name(),
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network\
                              .http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": self.name(),
                    "codec_type": "HTTP1",
                    "route_config": {
                        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
                    },
                    "http_filters": filters,
                    "access_log": audit,
                },
            }]}],
        })
    }
}

/// A filter of Envoy; `kind` is its message below `envoy.extensions.filters.http`.
fn filter(name: &str, kind: &str, mut config: Value) -> Value {
    let kind = format!("type.googleapis.com/envoy.extensions.filters.http.{kind}");
    set(&mut config, "@type", json!(kind));
    json!({"name": format!("envoy.filters.http.{name}"), "typed_config": config})
}

fn buffer() -> Value {
    filter("buffer", "buffer.v3.Buffer", json!({"max_request_bytes": 1 << 20}))
}

fn jwt_authn(jwks: &Value, cached: bool) -> Value {
    let mut provider = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": jwks.to_string()},
        // Tollgate leaves the token in place by default: so does its reference.
        "forward": true,
        "require_expiration": true,
        "claim_to_headers": [{"header_name": "x-auth-subject", "claim_name": "sub"}],
    });
    if cached {
        set(&mut provider, "jwt_cache_config", json!({"jwt_cache_size": CACHED_TOKENS}));
    }
    let rule = json!({"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}});
    filter(
        "jwt_authn",
        "jwt_authn.v3.JwtAuthentication",
        json!({"providers": {"bench": provider}, "rules": [rule]}),
    )
}

fn local_ratelimit() -> Value {
    let always = json!({"default_value": {"numerator": 100, "denominator": "HUNDRED"}});
    let bucket = |tokens: u32| json!({"max_tokens": tokens, "tokens_per_fill": tokens, "fill_interval": "1s"});
    let subject = json!({
        "request_headers": {"header_name": "x-auth-subject", "descriptor_key": "subject"},
    });
    filter(
        "local_ratelimit",
        "local_ratelimit.v3.LocalRateLimit",
        json!({
            "stat_prefix": "bench",
            // The bucket for everyone together; each subject has its own by the descriptor.
            "token_bucket": bucket(1_000_000_000),
            "filter_enabled": always,
            "filter_enforced": always,
            // Here and not in the route, whose own list is skipped for a direct response.
            "rate_limits": [{"actions": [subject]}],
            // An entry without a value: one bucket per value seen, up to the bound.
            "descriptors": [{"entries": [{"key": "subject"}], "token_bucket": bucket(RATE)}],
            "max_dynamic_descriptors": BUCKETS,
        }),
    )
}

/// A Wasm filter in a VM of its own, with `document` as its configuration.
fn wasm(name: String, module: &Path, document: &Value) -> Value {
    let configuration = json!({
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        "value": document.to_string(),
    });
    filter(
        "wasm",
        "wasm.v3.Wasm",
        json!({"config": {
            "name": name,
            "root_id": name,
            "vm_config": {
                "vm_id": name,
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": module}},
            },
            "configuration": configuration,
        }}),
    )
}

impl Plugin {
    /// The list of `envoy/gateway.yaml`, without the callback that writes the `RateLimit` fields if there are none.
    fn capabilities(self) -> Value {
        let example = support::sample::read("envoy/gateway.yaml");
        let name = "capability_restriction_config";
        let plugins = support::walk::objects(&example);
        let listed = plugins.into_iter().find_map(|plugin| plugin.get(name));
        let mut listed = listed.cloned().unwrap_or_default();
        if let Some(calls) = listed.pointer_mut("/allowed_capabilities")
            && let Some(calls) = calls.as_object_mut()
            && !self.fields
        {
            calls.remove("proxy_on_response_headers");
        }
        listed
    }

    /// The configuration document (docs/configuration.md), without members that have their default.
    fn document(self, jwks: &Value) -> Value {
        let names: Vec<_> = (1..=self.limits).map(|number| format!("limit-{number}")).collect();
        let limit = |name: &String| {
            let limit = json!({"name": name, "rate": format!("{}/s", self.rate)});
            self.budget.map_or(limit.clone(), |budget| budget.limit(limit))
        };
        let tag = |claim: &&str| {
            let header = format!("x-auth-{claim}");
            json!({"name": claim, "value": format!("{{{claim}}}"), "header": header})
        };
        let limits: Vec<_> = names.iter().map(limit).collect();
        let tags = self.tags.map(|count| TAGGED.iter().take(count).map(tag).collect::<Vec<_>>());
        let mut rule = json!({"name": "all", "match": {"paths": ["/**"]}});
        let mut document = json!({
            "providers": [{
                "name": "bench",
                "issuers": [ISSUER],
                "audiences": [AUDIENCE],
                "keys": {"inline": jwks},
            }],
            "crypto": "auto",
        });
        if !limits.is_empty() {
            set(&mut rule, "limits", json!(names));
            set(&mut document, "limits", json!(limits));
        }
        if !self.cached {
            set(&mut document, "token_cache", json!({"entries": 0}));
        }
        if let Some(tags) = tags {
            set(&mut document, "tags", json!(tags));
        }
        if !self.telemetry {
            set(&mut document, "telemetry", json!({"filter_state": "off", "metrics": false}));
        }
        if let Some(audit) = self.audit {
            set(&mut document, "telemetry", json!({"filter_state": audit.filter_state()}));
        }
        if !self.fields {
            set(&mut document, "responses", json!({"ratelimit_headers": "off"}));
        }
        if let Some(heads) = self.guard {
            let payload = match self.budget {
                None => json!({"require_any": ["/data"], "max_rows": 1_000}),
                Some(_) => json!({"require_any": ["/messages"]}),
            };
            set(&mut rule, "payload", payload);
            set(&mut document, "hold_head", json!(heads == Heads::Held));
        }
        set(&mut document, "rules", json!([rule]));
        if let Some(list) = self.list {
            list.put(&mut document);
        }
        document
    }
}

impl Budget {
    /// A limit of this kind.
    fn limit(self, mut limit: Value) -> Value {
        if self != Self::Request {
            // The response has no number, which costs less than was reserved.
            set(&mut limit, "charge", json!("response"));
            let cost = json!({"json": "/usage/total_tokens", "missing": 1});
            set(&mut limit, "response_cost", cost);
        }
        if self == Self::Reserved {
            set(&mut limit, "burst", json!(RATE));
            let pointers = ["/max_tokens", "/max_completion_tokens", "/max_output_tokens"];
            let reserve =
                json!({"json": pointers, "default": 100, "max": 2_000, "bytes_per_token": 4});
            set(&mut limit, "reserve", reserve);
            let price = json!({"json": "/model", "of": {"large": 3, "small": 1}, "default": 2});
            set(&mut limit, "price", price);
        }
        limit
    }
}

/// Sets a member of an object.
pub fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(field.into(), value);
    }
}
