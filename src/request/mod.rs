//! What a request says before any rule is known: headers, host, path and the token's place.

pub mod header_pattern;
pub mod headers;
pub mod host;
pub mod matcher;
pub mod method;
pub mod path;
pub mod path_pattern;
pub mod token_source;
