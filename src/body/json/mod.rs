//! Strict JSON (RFC 8259), read while it streams by.
//!
//! - [`scanner`] reads a document by a `table`, which is compiled from the `grammar` and its part for
//!   the inside of a `string`, and steps from `state` to `state`. It stops at the first [`flaw`].
//! - `watch` follows [`pointers`] meanwhile. It keeps a `frame` for each container on their way,
//!   compares the name of the current `member` with theirs, reads a `number`, and keeps the JSON of
//!   values that are wanted as they are (`capture`).
//! - Where the table would read byte by byte, `tokens` reads each whole `token` that the watch need not know of,
//!   `text` the inside of strings, and `numbers` arrays of numbers. `results`: what was found.
//! - `skip` passes over what no pointer leads into, where only numbers are looked for.
//! - `rows` counts the rows of a container, `tensor` those of a V2 tensor.

mod capture;
pub mod flaw;
mod frame;
mod grammar;
mod member;
mod name;
mod number;
mod numbers;
pub mod pointers;
mod results;
mod rows;
pub mod scanner;
mod skip;
mod state;
mod string;
mod table;
mod tensor;
mod text;
mod token;
mod tokens;
pub mod value;
mod watch;
