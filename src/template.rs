//! Templates and claim references (placeholder: the configuration branch brings the real one).

/// Names one claim of a verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimRef {
    /// A top-level claim, taken exactly.
    Name(String),
    /// The unescaped reference tokens of a JSON Pointer (RFC 6901 §3).
    Pointer(Vec<String>),
}

/// Text with claims in it.
#[derive(Clone, Debug)]
pub struct Template;
