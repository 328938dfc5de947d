//! The token of a request: where it is found, and how it is removed.
//!
//! [`TokenRules`] name the places of the token. [`find`] reads it from there, and [`removal`] computes
//! the headers without it.

mod find;
mod parts;
mod removal;
mod rules;
mod websocket;

pub use find::{Found, find};
pub use removal::{Rewrite, removal};
pub use rules::{Place, TokenRules};

#[cfg(test)]
mod tests;
