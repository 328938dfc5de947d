//! The authenticated caller.
//!
//! - [`principal`]: verified claims and an identity
//! - `actor`: who acts for the subject
//! - [`grant`]: requirements on the claims
//! - [`tags`]: values for the upstream and for telemetry
//! - [`address`]: the client address that identifies a caller without a token
//! - [`cache`]: the tokens that a worker has verified

pub(crate) mod actor;
pub mod address;
pub mod cache;
pub mod grant;
pub mod memo;
pub mod principal;
pub mod tags;
