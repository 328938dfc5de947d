//! tollgate: a proxy-wasm filter that verifies JWTs, limits callers and tags requests.
//!
//! # The map
//!
//! A request flows through the modules in this order:
//!
//! ```text
//! headers → rule → token → claims → principal → limits → body → verdict → headers, filter state, reply
//! ```
//!
//! - [`headers`]: the request's headers, read in place from the host's buffer.
//! - [`authority`]: a host with or without a port, and which authorities are none.
//! - [`path`]: a path without its query, and whether it has more than one reading.
//! - [`rule`]: which requests need a token and which limits they take from.
//! - [`token_source`]: where the token of a request is found.
//! - [`verify`]: from a token to claims: shape, header, key, signature, claims.
//! - [`cache`]: what is remembered of tokens, so that each is verified once.
//! - [`remote`]: key sets that are fetched: when, by whom, and what may replace the keys in use.
//! - [`principal`]: the authenticated caller and its identity.
//! - [`grant`]: what the claims of a caller must hold for a rule to let it pass.
//! - [`template`]: text with claims in it, for identities, limit keys and tags.
//! - [`payload`]: the request body, judged while it streams by.
//! - [`limit`]: token buckets in the host's shared data, exact across workers.
//! - [`concurrency`]: requests in flight per identity, counted the same way.
//! - [`client_address`]: how much of an address is one caller.
//! - [`quota_plan`]: which buckets a request takes from, how much, and under which quota.
//! - [`tags`]: what a verified request carries, made safe and unforgeable.
//! - [`gate`]: puts these together into one [`verdict`].
//! - [`reason`]: the stable word for each outcome; [`reply`]: what the caller sees of it.
//! - [`config`]: the document that is loaded, and its JSON Schema; [`policy`] and [`provider`]: what it compiles to.
//! - `entry`: the callbacks by their names; `shell`: what they do, the only code that knows the
//!   proxy; `abi`: the host calls and, but for the names in `entry`, the only `unsafe`.
//! - `src/bin/tollgate`: the companion on the command line, which asks the same core.
//!
//! # Invariants
//!
//! - Nothing outside `shell` and `entry` names `abi`; nothing in the core reads a clock, logs, or
//!   holds a global. Time is an argument: nanoseconds since the Unix epoch.
//! - `Claims` exist only if a signature was verified, a `Principal` only if `Claims` did.
//! - Every header that the filter writes is first removed from the request, on every path.
//! - After `on_configure` returned true there is nothing left to parse.
//! - No byte of a client can make the module panic: lints deny `unwrap`, `expect`, `panic` and
//!   indexing outside tests, and every size is bounded before the work it bounds.

pub mod authority;
pub mod cache;
pub mod client_address;
pub mod concurrency;
pub mod config;
mod decimal;
pub mod gate;
pub mod grant;
pub mod headers;
pub mod limit;
pub mod path;
pub mod payload;
pub mod policy;
pub mod principal;
pub mod provider;
pub mod quota_plan;
pub mod reason;
pub mod remote;
pub mod reply;
pub mod rule;
pub mod tags;
pub mod template;
pub mod token_source;
pub mod uri;
pub mod verdict;
pub mod verify;

#[cfg(any(target_family = "wasm", test))]
mod abi;
#[cfg(any(target_family = "wasm", test))]
mod entry;
#[cfg(any(target_family = "wasm", test))]
mod shell;
