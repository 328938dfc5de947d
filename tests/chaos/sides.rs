//! The two filters under the same storm: tollgate, and Envoy's own `jwt_authn` beside it.

use std::path::Path;

use support::attacks::World;
use support::attacks::world::{PARTNER, STRICT};
use support::idp::{Idp, JWKS};
use support::prelude::*;

/// Which filter stands in the storm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Tollgate,
    Native,
}

/// Streams of an earlier configuration may go on for this long, in seconds. A client keeps no
/// connection for more than a moment, so none is cut when the time is over.
const DRAIN: u32 = 10;

impl Side {
    pub fn name(self) -> &'static str {
        match self {
            Self::Tollgate => "tollgate",
            Self::Native => "jwt_authn",
        }
    }

    /// An Envoy with this filter in front of the upstream.
    pub async fn start(
        self,
        binary: &Path,
        workers: u32,
        upstream: &Upstream,
        world: &World,
        idp: &Idp,
    ) -> Envoy {
        let builder = Envoy::builder(binary.to_owned())
            .workers(workers)
            .drain_time(DRAIN)
            .upstream(upstream.address())
            .cluster("idp", idp.address())
            .hcm(json!({"access_log": []}));
        let builder = match self {
            Self::Tollgate => builder.plugin_config(tollgate(world, idp, 0)),
            Self::Native => builder.filter_before(native(world, idp, true)),
        };
        builder.start().await
    }

    /// Pushes the configuration number `push`; every tenth is invalid, and must be refused.
    pub async fn push(self, envoy: &mut Envoy, world: &World, idp: &Idp, push: u64) -> Push {
        match self {
            Self::Tollgate => envoy.reload(tollgate(world, idp, push)).await,
            Self::Native => envoy.reload_before(native(world, idp, valid(push))).await,
        }
    }
}

/// Whether the configuration with this number can load.
pub fn valid(push: u64) -> bool {
    push % 10 != 3
}

/// The world with the keys of `main` fetched, and a limit that is never reached, so that every
/// request uses the store.
fn tollgate(world: &World, idp: &Idp, push: u64) -> Value {
    let mut providers = world.providers();
    providers[0]["keys"] = json!({"remote": {
        "uri": idp.url(JWKS), "cluster": "idp", "timeout": "1s",
        "refresh_interval": "1s", "unknown_kid_interval": "1s", "max_stale": "24h",
    }});
    let rate = if valid(push) { "100000/s" } else { "many" };
    json!({
        "providers": providers,
        "rules": [{"name": "all", "match": {"paths": ["/**"]}, "limits": ["calls"]}],
        "limits": [{"name": "calls", "rate": rate}],
        "responses": {"realm": format!("push {push}")},
    })
}

/// The same issuers, as far as `jwt_authn` has the options.
fn native(world: &World, idp: &Idp, valid: bool) -> Value {
    let provider = |issuer: &str, keys: Value| {
        let mut provider = json!({
            "issuer": issuer,
            "audiences": [mint::AUDIENCE],
            "forward": true,
            "require_expiration": true,
            "claim_to_headers": [{"header_name": "x-auth-subject", "claim_name": "sub"}],
        });
        provider.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        provider
    };
    let local = |signer: &Signer| json!({"local_jwks": {"inline_string": mint::jwks(&[signer]).to_string()}});
    let remote = json!({"remote_jwks": {
        "http_uri": {"uri": idp.url(JWKS), "cluster": "idp", "timeout": "1s"},
        "cache_duration": "1s",
        "async_fetch": {"failed_refetch_duration": "1s"},
    }});
    let names = ["main", "partner", if valid { "strict" } else { "nobody" }];
    let any = names.map(|name| json!({"provider_name": name}));
    json!({"name": "envoy.filters.http.jwt_authn", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {
            "main": provider(mint::ISSUER, remote),
            "partner": provider(PARTNER, local(&world.partner)),
            "strict": provider(STRICT, local(&world.strict)),
        },
        "rules": [{
            "match": {"prefix": "/"},
            "requires": {"requires_any": {"requirements": any}},
        }],
    }})
}
