//! Authorization in a real Envoy: grants, places of tokens, bindings, replies, lent keys, dry runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bodies;
mod grants;
mod replies;
mod rules;
mod tokens;

use support::prelude::*;

/// A rule that requires a token for one path.
fn rule(name: &str, more: Value) -> Value {
    let paths = [format!("/{name}"), format!("/{name}/**")];
    merged(json!({"name": name, "match": {"paths": paths}}), more)
}
