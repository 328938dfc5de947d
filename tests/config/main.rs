//! The configuration contract from outside: valid documents load, invalid ones yield one clear line.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod body_values;
mod document;
mod examples;
mod limits;
mod providers;
mod reserve;
mod responses;
mod rules;
mod schema;
mod secrets;
mod sections;
mod shape;
mod tags;
mod token;
