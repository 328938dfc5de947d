//! Tags: verified values that the filter adds to a request for the upstream and for telemetry.

mod value;

use std::fmt;

pub use value::{MAX_VALUE, sanitise};

use crate::template::{Scope, Template};

/// The key of `hash: true` tags (`privacy.hash_key_env`). `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct HashKey(Vec<u8>);

impl HashKey {
    /// The minimum length of a key in bytes: the length of the hash (RFC 2104 §3).
    pub const MIN_BYTES: usize = 32;

    /// Takes a key from the environment; `None` if it is shorter than [`HashKey::MIN_BYTES`].
    pub fn new(key: &str) -> Option<Self> {
        (key.len() >= Self::MIN_BYTES).then(|| Self(key.as_bytes().to_vec()))
    }

    /// The first 16 bytes of HMAC-SHA256 over the whole value, as 32 lower-case hex digits.
    pub fn hash(&self, value: &str) -> String {
        value::hex(&hmac_sha256::HMAC::mac(value.as_bytes(), &self.0))
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(…)")
    }
}

/// One entry of `tags`.
#[derive(Clone, Debug)]
pub struct Tag {
    /// The last part of `wasm.tollgate.<name>`.
    pub name: String,
    /// The template of its value.
    pub value: Template,
    /// The name of its request header, in lower case.
    pub header: Option<String>,
    /// Whether it is written to filter state.
    pub filter_state: bool,
    /// `hash: true`: the key of the hash that replaces the value everywhere.
    pub hash: Option<HashKey>,
}

impl Tag {
    /// The value to write: its hash if the tag is hashed, otherwise the [`sanitise`]d value; `None` if
    /// a part of the template has no value.
    pub fn fill(&self, scope: &dyn Scope) -> Option<String> {
        let Some(key) = &self.hash else { return value::fill(&self.value, scope) };
        let mut text = String::new();
        self.value.render(scope, &mut text).then(|| key.hash(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Part, PartValue, Template};

    struct Sub<'a>(&'a str);

    impl Scope for Sub<'_> {
        fn value(&self, _: &Part) -> Option<PartValue<'_>> {
            Some(PartValue::Text(self.0.into()))
        }
    }

    #[test]
    fn a_hashed_tag_is_the_hmac_that_openssl_computes_and_nothing_else() {
        // printf %s alice | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        let key = HashKey::new("0123456789abcdef0123456789abcdef").unwrap();
        let tag = Tag {
            name: "subject".into(),
            value: Template::parse("{sub}").unwrap(),
            header: Some("x".into()),
            filter_state: true,
            hash: Some(key.clone()),
        };
        let hashed = |sub: &str| tag.fill(&Sub(sub)).unwrap();
        assert_eq!(hashed("alice"), "433deb45467e4e53dbaba594c88bc3a2");
        let long = "a".repeat(5000);
        assert_eq!(hashed(&long).len(), 32);
        assert_ne!(hashed(&long), hashed(&format!("{long}b")));
        assert_ne!(hashed("alice"), hashed("alice "));
        assert_eq!(format!("{key:?}"), "HashKey(…)");
        assert_eq!(HashKey::new("0123456789abcdef0123456789abcde"), None);
    }
}
