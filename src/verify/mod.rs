//! From the bytes of a token to verified claims.
//!
//! The order is fixed: size, shape, header, `typ`, algorithm, provider by `iss`, key, signature,
//! claims. Before the signature, only `iss` of the payload is used, to select the provider whose
//! keys must verify it. [`Claims`] exist only after the last step.
//!
//! - [`verifier`] runs the steps; [`outcome`]: the result; [`error`], [`stage`]: reason and step of a
//!   refusal
//! - [`token`], [`base64url`], [`json`], [`header`]: strict decoding
//! - [`algorithm`], [`jwk`], [`keyset`]: keys, bound to their family; `primitive`, [`rsa`]: the
//!   arithmetic of each kind of key, or without feature `verifier` none; [`spki`], `der`: the encoding of keys for the host
//! - [`candidates`], `signer`: which keys are tried, and which one signed the token
//! - [`engine`]: the engine in the module; [`host`]: the engine that asks the proxy, after a
//!   `self_test`
//! - [`providers`], [`provider`], [`issuer`]: the configured issuer, tenants, Entra ID's extra rules
//! - [`claims`], `checks`, [`date`], `value`: the content of the token after the signature

pub mod algorithm;
pub mod candidates;
mod checks;
pub mod claims;
pub mod date;
mod der;
pub mod engine;
pub mod error;
pub mod header;
pub mod host;
pub mod issuer;
pub mod json;
pub mod jwk;
pub mod keyset;
pub mod outcome;
#[cfg_attr(not(feature = "verifier"), path = "no_primitive.rs")]
mod primitive;
pub mod provider;
pub mod providers;
#[cfg(feature = "verifier")]
pub mod rsa;
mod self_test;
mod signer;
pub mod spki;
pub mod token;
mod value;
pub mod verifier;

pub use self::candidates::Candidates;
pub use self::claims::{Claims, RefusedClaims};
pub use self::error::Stage;
pub use self::error::VerifyError;
pub use self::keyset::Keys;
pub use self::outcome::{Accepted, Attempt, Failure};
pub use self::verifier::Verifier;
pub use crate::base64url;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod properties;
