//! Stub: replaced by the verifier's own key sets; only the signatures count.

/// Stub.
#[derive(Debug)]
pub struct KeySet(usize);

/// Stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SecretKeys {
    Admit,
    Refuse,
}

/// Stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the key type is not supported")
    }
}

/// Stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SkippedKey {
    pub index: usize,
    pub why: KeyError,
}

/// Stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySetError;

impl std::fmt::Display for KeySetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the key set has no usable key")
    }
}

impl KeySet {
    /// Stub.
    pub fn parse(json: &[u8], secrets: SecretKeys) -> Result<(Self, Vec<SkippedKey>), KeySetError> {
        let set: serde_json::Value = serde_json::from_slice(json).map_err(|_| KeySetError)?;
        let keys = set.get("keys").and_then(|k| k.as_array()).ok_or(KeySetError)?;
        let usable = |key: &serde_json::Value| match key.get("kty").and_then(|t| t.as_str()) {
            Some("RSA" | "EC" | "OKP") => true,
            Some("oct") => secrets == SecretKeys::Admit,
            _ => false,
        };
        let skipped: Vec<_> = (0..)
            .zip(keys)
            .filter(|(_, key)| !usable(key))
            .map(|(index, _)| SkippedKey { index, why: KeyError })
            .collect();
        match keys.len().saturating_sub(skipped.len()) {
            0 => Err(KeySetError),
            usable => Ok((Self(usable), skipped)),
        }
    }

    /// Stub.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.0
    }
}
