//! Bodies, read while they stream by and never held as a whole.
//!
//! - A rule's [`Guard`] refuses requests by their headers and starts a [`Check`] of the body, which
//!   ends in a number of rows or in a [`Refusal`].
//! - [`json`] is the scanner that a check reads JSON with; `csv` counts the records of CSV.
//! - [`usage`] finds where a body must change so that a streamed response tells its usage.
//! - [`meter`] finds a number in a response with the same scanner.

mod check;
mod csv;
mod guard;
pub mod json;
pub mod meter;
mod refusal;
pub mod usage;

pub use check::Check;
pub use guard::is_encoded;
pub use guard::{Guard, UNTYPED, pointers_to_follow};
pub use refusal::{Refusal, UNKNOWN_ROWS};
pub use usage::{Edit, IncludeUsage};

#[cfg(test)]
mod tests;
