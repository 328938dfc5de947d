//! The configuration contract from outside: what loads, and the one clear line for what does not.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod document;
mod limits;
mod providers;
mod responses;
mod rules;
mod schema;
mod secrets;
mod sections;
mod shape;
mod tags;
mod token;
