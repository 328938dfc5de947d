//! The bodies of the targets, shared with `tests/fuzz_smoke.rs`.

#[path = "../../tests/core/fuzz/mod.rs"]
pub mod targets;
