//! Methods that need care: those that echo a request, and the headers that replace a method.

/// Headers by which a server may take another method than that of the request line.
pub const METHOD_OVERRIDES: [&str; 3] =
    ["x-http-method-override", "x-http-method", "x-method-override"];

/// Whether servers answer the method with what they received, and so with what the filter added:
/// `TRACE` (RFC 9110 §9.3.8) and its relative `TRACK`, in any letter case.
pub fn echoes(method: &[u8]) -> bool {
    [&b"TRACE"[..], b"TRACK"].iter().any(|name| method.eq_ignore_ascii_case(name))
}
