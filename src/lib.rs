//! tollgate: a proxy-wasm filter that verifies JWTs, limits callers and tags requests.
#![allow(missing_docs)]

pub mod provider;
pub mod reason;
pub mod template;
pub mod verify;
