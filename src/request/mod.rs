//! A request before a rule is selected.
//!
//! - [`headers`]: the header map of the host; [`host`], [`path`], [`method`]: the parts of the request
//!   line, and which of them servers read differently
//! - [`matcher`]: `match` of a rule, with [`host_pattern`], [`path_pattern`] and [`header_pattern`], for
//!   a request [`mod@line`]
//! - [`token_source`]: where the token is found, and how it is removed

pub mod header_pattern;
pub mod headers;
pub mod host;
pub mod host_pattern;
pub mod line;
pub mod matcher;
pub mod method;
pub mod path;
pub mod path_pattern;
pub mod token_source;
