//! Stub: replaced by the limiter's own quota; only the signature counts.

/// Stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    tokens: u64,
    period_ns: u64,
    burst: u64,
}

/// Stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaError;

impl std::fmt::Display for QuotaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("out of range")
    }
}

impl Quota {
    /// Stub.
    pub fn new(tokens: u64, period_ns: u64, burst: u64) -> Result<Self, QuotaError> {
        if tokens == 0 || period_ns == 0 || burst == 0 {
            return Err(QuotaError);
        }
        Ok(Self { tokens, period_ns, burst })
    }
}
