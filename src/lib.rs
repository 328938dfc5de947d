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
//! - [`request`]: headers, host, path and the places of a token.
//! - [`verify`]: from a token to claims: shape, header, key, signature, claims.
//! - [`body`]: the request body, checked while it streams.
//! - [`keys`]: remote key sets: when to fetch, which worker fetches, and which answer is adopted. The
//!   fetch itself is in `shell::keys`.
//! - [`caller`]: the authenticated caller, its grants, tags and the token cache.
//! - [`limit`]: token buckets and places in flight in the host's shared data, exact across workers.
//!   `limit::gcra` computes a wait, and `reply` writes it as `Retry-After`.
//! - [`policy`]: the compiled configuration and its rules.
//! - [`gate`]: runs the stages above for one request: a decision, or a request whose body decides.
//! - [`reply`]: the response that a refused caller sees.
//! - [`config`]: the document that is loaded, its JSON Schema, and its compilation to a policy.
//! - [`base64url`], [`bytes`], [`few`], [`lookup`], [`place`], [`reason`], [`template`], [`uri`], [`store`], `swar`,
//!   [`time`]: types and functions that all stages share.
//! - `shell`: the callbacks and the only code that names `proxy_wasm`; `shell::host`: the host calls
//!   and the only `unsafe` in the module apart from the entry point below.
//! - `src/bin/tollgate`: the command line tool, which uses the same core.
//!
//! # Invariants
//!
//! - Only `shell` names `proxy_wasm`. The core reads no clock, writes no log and has no global state.
//!   Time is an argument: a [`time::Moment`].
//! - `Claims` exist only if a signature was verified, a `Principal` only if `Claims` did.
//! - Every header that the filter writes is first removed from the request, on every path.
//! - After `on_configure` returned true there is nothing left to parse.
//! - No byte of a client can make the module panic: lints deny `unwrap`, `expect`, `panic` and
//!   indexing outside tests, and every size is bounded before the work it bounds.

pub mod base64url;
pub mod body;
pub mod bytes;
pub mod caller;
pub mod config;
pub mod few;
pub mod gate;
pub mod keys;
pub mod limit;
pub mod lookup;
pub mod place;
pub mod policy;
pub mod reason;
pub mod reply;
pub mod request;
pub mod store;
mod swar;
pub mod template;
pub mod time;
pub mod uri;
pub mod verify;

#[cfg(test)]
mod published_tests;

#[cfg(any(target_family = "wasm", test))]
mod shell;

#[cfg(target_family = "wasm")]
#[allow(unsafe_code)] // The entry point's name must reach the host unmangled.
mod entry {
    proxy_wasm::main! {{ crate::shell::start() }}
}
