//! The audit line: docs/audit.json defines its fields. Every example writes them, in a real Envoy
//! too, and the pages use no others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod auto;
mod azure;
mod definition;
mod examples;
mod kusto;
mod lines;
mod mlflow;
mod monitor;
mod pages;
mod receivers;
mod world;
