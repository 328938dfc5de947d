//! `envoy/secrets/` at work: the key of the endpoint, and certificates, that are replaced while requests pass.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod broken;
mod endpoint;
mod key;
mod rotations;
mod world;
