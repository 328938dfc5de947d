//! Reads single values. A value with a problem is replaced with a valid one, so that the rest of the
//! document is checked as well.

mod number;
mod template;
mod text;

pub(super) use number::{count, duration, seconds, size};
pub(super) use template::{claim, pointer, template};
pub(super) use text::{all, name, not_empty, position, texts, uri, variable, variable_name};
pub(super) use text::{folded, header_name, header_text};
