//! Strict JSON, read while it streams by and never held as a whole.

pub mod flaw;
mod grammar;
mod level;
pub mod name;
pub mod number;
pub mod pointers;
mod rows;
pub mod scanner;
mod table;
mod text;
pub mod watch;
