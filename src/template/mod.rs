//! Templates and claim references: text in the configuration that is filled in for each request.
//!
//! - [`ClaimRef`] names a claim; a [`Template`] is text with [`Part`]s, parsed at load.
//! - A [`Scope`] has the values of the parts. `fill` renders a template for a tag or for the key of a
//!   bucket; `identity` renders it so that no two callers get the same text; [`percent`] encodes the parts.

mod claim_ref;
mod error;
mod fill;
mod identity;
pub(crate) mod percent;
mod syntax;

pub use claim_ref::{ClaimRef, escape, pointer};
pub use error::TemplateError;
pub use fill::{PartValue, Piece, Scope};
pub use identity::Filled;
pub(crate) use syntax::is_token;
pub use syntax::{Part, Template};

#[cfg(test)]
mod tests;
