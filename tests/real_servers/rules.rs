//! Hosts, clusters and the rules of the filter.

use support::prelude::*;
use support::servers::{Kind, Server};

use super::options::Options;
use super::world::Guard;

/// The key that the upstream gets instead of the caller's credentials.
pub const LENT_KEY: &str = "the-upstreams-own-key";

/// The most rows that a guarded body may have.
pub const MAX_ROWS: u64 = 5;

/// The most that a header may make a request cost.
pub const MAX_BATCH: u64 = 100;

/// Two hosts of their own and the rest; each marks its requests.
pub fn routes(servers: &[Server], options: &Options) -> Value {
    let routes: Vec<_> = servers
        .iter()
        .map(|server| {
            json!({
                "match": {"prefix": "/", "headers": [
                    {"name": "x-server", "string_match": {"exact": server.name()}},
                ]},
                "route": {"cluster": server.name(), "timeout": "15s"},
            })
        })
        .collect();
    let host = |name: &str, domains: Value| {
        json!({
            "name": name, "domains": domains, "routes": routes,
            "request_headers_to_add": [{
                "header": {"key": "x-virtual-host", "value": name},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }],
        })
    };
    json!({
        "ignore_port_in_host_matching": options.ignore_port,
        "virtual_hosts": [
            host("open", json!(["public.example.com"])),
            host("internal", json!(["secret.example.com", "*.internal.example.com"])),
            host("rest", json!(["*"])),
        ],
    })
}

pub fn cluster(server: &Server) -> Value {
    let mut cluster = support::envoy::cluster(server.name(), server.address());
    let protocol = match server.kind() {
        Kind::NodeH2 => json!({"http2_protocol_options": {}}),
        _ => json!({"http_protocol_options": {"enable_trailers": true}}),
    };
    cluster["typed_extension_protocol_options"] = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/\
                      envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            // Shorter than any server's, so that none hangs up on a request.
            "common_http_protocol_options": {"idle_timeout": "1s"},
            "explicit_http_config": protocol,
        },
    });
    cluster
}

/// The open paths, the protected ones, and the open ones below those.
pub fn plugin(signer: &Signer, guard: Guard) -> Value {
    let lent = json!({"env": "KEY", "prefix": "Bearer "});
    let pointers = json!([
        "/data",
        "/input_data/data",
        "/inputs",
        "/instances",
        "/dataframe_split/data",
        "/dataframe_records",
    ]);
    let mut plugin = json!({
        "providers": [provider(&[signer], &["ES256"])],
        "token": {
            "from": [{"header": "authorization", "prefix": "Bearer "}, {"header": "x-user-token"}],
            "forward": false,
        },
        "rules": [
            {"name": "open-host", "match": {"hosts": ["public.example.com"]}, "auth": "none"},
            {"name": "internal", "match": {
                "hosts": ["secret.example.com", "*.internal.example.com"],
            }},
            {"name": "batch", "match": {"headers": {"x-mode": "batch"}},
                "cost": {"header": "x-batch", "max": MAX_BATCH}, "limits": ["plenty"],
                "upstream_authorization": lent},
            {"name": "limited", "match": {"headers": {"x-mode": "limited"}},
                "payload": {"content_types": ["application/json"], "max_rows": MAX_ROWS,
                    "require_any": ["/data", "/inputs"]},
                "limits": ["few"]},
            {"name": "limited-batch", "match": {"headers": {"x-mode": "limited-batch"}},
                "payload": {"max_bytes": "256KiB", "require_any": ["/data", "/inputs"]},
                "cost": {"header": "x-batch", "max": 30}, "limits": ["few-things"]},
            {"name": "open", "match": {"paths": ["/", "/public/**"]}, "auth": "none"},
            {"name": "optional", "match": {"paths": ["/optional"]}, "auth": "optional"},
            {"name": "admin", "match": {"paths": ["/admin/**"], "ignore_case": true}, "upstream_authorization": lent},
            {"name": "secret", "match": {
                "paths": ["/secret"], "ignore_case": true, "trailing_slash": "ignore",
            }},
            {"name": "score", "match": {"paths": ["/score", "/invocations"],
                "methods": ["POST"], "ignore_case": true, "trailing_slash": "ignore"},
                "cost": {"json_rows": pointers, "max": 1000},
                "payload": {
                    "content_types": ["application/json", "text/csv"], "max_bytes": "256KiB",
                    "max_rows": MAX_ROWS, "require_any": pointers,
                },
                "limits": ["plenty"], "upstream_authorization": lent},
            {"name": "score-else", "match": {"paths": ["/score", "/invocations"],
                "ignore_case": true, "trailing_slash": "ignore"},
                "upstream_authorization": lent},
            {"name": "rest", "auth": "none"},
        ],
        "limits": [
            {"name": "plenty", "rate": "1000000/s"},
            {"name": "few", "rate": "3/h", "key": "{@header:x-server}"},
            {"name": "few-things", "rate": "30/h", "key": "{@header:x-server}"},
        ],
        "store": {"max_identities": 1024},
    });
    if guard == Guard::Hold {
        plugin["hold_head"] = json!(true);
    }
    plugin
}
