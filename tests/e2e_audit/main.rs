//! The audit line: docs/audit.json defines its fields. Every example writes them, in a real Envoy
//! too, and the pages use no others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod definition;
mod examples;
mod lines;
mod pages;
mod receivers;
mod world;
