//! Stub: replaced by the verifier.
pub mod algorithm;
pub mod keyset;
