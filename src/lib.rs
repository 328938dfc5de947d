//! tollgate: a proxy-wasm filter that verifies JWTs, limits callers and tags requests.
#![allow(missing_docs)]

pub mod config;
pub mod limit;
pub mod path;
pub mod policy;
pub mod provider;
pub mod reason;
pub mod rule;
pub mod template;
pub mod verify;
