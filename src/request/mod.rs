//! What a request says before any rule is known: headers, host, path and the token's place.

pub mod headers;
pub mod host;
pub mod path;
pub mod token_source;
