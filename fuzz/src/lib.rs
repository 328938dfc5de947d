//! The bodies of the targets, shared with `tests/fuzz_smoke.rs`.

#[path = "../../tests/support/fuzz.rs"]
pub mod targets;
