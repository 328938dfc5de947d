//! Methods with a special meaning.

/// Headers that replace the method of the request line in some servers.
pub const METHOD_OVERRIDES: [&str; 3] =
    ["x-http-method-override", "x-http-method", "x-method-override"];

/// Whether the response of a server contains the request and thus the headers that the filter added:
/// `TRACE` (RFC 9110 §9.3.8) and `TRACK`, in any case.
pub fn echoes(method: &[u8]) -> bool {
    [&b"TRACE"[..], b"TRACK"].iter().any(|name| method.eq_ignore_ascii_case(name))
}
