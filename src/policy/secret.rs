//! The credential that a rule lends to its upstream.

/// The header that carries [`super::rule::Rule::upstream_authorization`].
pub const LENT_HEADER: &str = "authorization";

/// A header value that only the upstream may see. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderSecret(String);

impl HeaderSecret {
    /// Wraps a value that is valid in a header.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, to be written to the header and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for HeaderSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeaderSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_of_a_header_is_for_the_header_alone() {
        let secret = HeaderSecret::new("Bearer hush".into());
        assert_eq!(secret.expose(), "Bearer hush");
        assert_eq!(format!("{secret:?}"), "HeaderSecret");
    }
}
