//! Request paths: what `match.paths` compares, and which paths servers read differently.
//!
//! If two programs read a path differently, a request can pass a rule that was meant for it
//! (CVE-2021-29492, CVE-2026-73511). [`ambiguous`] recognises such paths, which are refused by default;
//! [`with_slashes`], [`without_parameters`] and [`before_parameters`] are the other readings of a path.

mod ambiguity;
mod encoding;
mod reading;

pub use ambiguity::{ambiguous, ambiguous_but_for_slashes};
pub(crate) use encoding::{Unit, decoded, first_unit, is_canonical, last_unit, normalised, units};
pub use reading::{
    before_parameters, has_encoded_slash, with_slashes, without_parameters, without_query,
};

#[cfg(test)]
mod tests;
