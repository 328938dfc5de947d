//! Stub: replaced by the limiter.
pub mod quota;
