//! The request line as rules and servers read it.

use super::headers::Headers;
use super::host::Authority;

/// The part of a request that selects a rule.
#[derive(Clone, Copy)]
pub struct RequestLine<'a> {
    /// `:authority`; `None` if the request names no host.
    pub authority: Option<Authority<'a>>,
    /// `:path` without its query ([`super::path::without_query`]).
    pub path: Option<&'a [u8]>,
    /// `:method`.
    pub method: &'a [u8],
    /// All other headers.
    pub headers: &'a Headers,
}

/// A request line as one server reads it.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The host to compare.
    pub host: Option<&'a [u8]>,
    /// The path to compare.
    pub path: Option<&'a [u8]>,
    /// Whether `%41` in the path equals `A` (RFC 3986 §6.2.2.2). Routes of Envoy do not decode.
    pub decoded: bool,
    /// The method to compare.
    pub method: &'a [u8],
    /// All other headers.
    pub headers: &'a Headers,
}

impl<'a> RequestLine<'a> {
    /// The usual reading: the host without port and final dot, and the decoded path.
    pub fn reading(&self) -> Reading<'a> {
        Reading {
            host: self.authority.map(|authority| authority.host()),
            path: self.path,
            decoded: true,
            method: self.method,
            headers: self.headers,
        }
    }
}
