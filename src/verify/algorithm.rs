//! The signature algorithms of RFC 7518 §3, RFC 8037 and RFC 8812, and the key family of each.

use std::fmt;

/// A supported value of the `alg` header. `none` is not supported, in any spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256, 32 bytes of salt (RFC 7518 §3.5).
    Ps256,
    /// RSASSA-PSS with SHA-384, MGF1 with SHA-384, 48 bytes of salt.
    Ps384,
    /// RSASSA-PSS with SHA-512, MGF1 with SHA-512, 64 bytes of salt.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512; only the host can verify it.
    Es512,
    /// ECDSA on secp256k1 with SHA-256 (RFC 8812 §3.2).
    Es256k,
    /// Ed25519, named `EdDSA` (RFC 8037 §3.1) or `Ed25519` (RFC 9864 §2.2). Ed448 is not supported.
    EdDsa,
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

/// Whether the module has a verifier of its own.
pub const HAS_VERIFIER: bool = cfg!(feature = "verifier");

/// The algorithms that Envoy's verifier supports: RSA PKCS#1 v1.5 and the NIST curves.
pub const OFFERED: [Algorithm; 6] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
];

/// The kind of key that an algorithm needs. It follows from `kty` and `crv`, never from a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// `kty: RSA`.
    Rsa,
    /// `kty: EC`, `crv: P-256`.
    P256,
    /// `kty: EC`, `crv: P-384`.
    P384,
    /// `kty: EC`, `crv: P-521`.
    P521,
    /// `kty: EC`, `crv: secp256k1`.
    K256,
    /// `kty: OKP`, `crv: Ed25519`.
    Ed25519,
    /// `kty: oct`.
    Secret,
}

impl Algorithm {
    /// Every algorithm, in the order of the enum.
    pub const ALL: [Self; 14] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::Es256k,
        Self::EdDsa,
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
    ];

    /// The algorithm with this exact name; names are case-sensitive (RFC 7515 §4.1.1).
    pub fn from_name(name: &[u8]) -> Option<Self> {
        if name == b"Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.name().as_bytes() == name)
    }

    /// The name in the IANA registry "JSON Web Signature and Encryption Algorithms"; for Ed25519 the
    /// older of its two names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Es256k => "ES256K",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// Whether the module verifies its signatures by itself.
    pub fn is_verified_in_module(self) -> bool {
        HAS_VERIFIER && self != Self::Es512
    }

    /// Whether this module can have its signatures checked, by a proxy or by itself.
    pub fn is_verified(self) -> bool {
        self.is_verified_in_module() || OFFERED.contains(&self)
    }

    /// The kind of key that the algorithm needs.
    pub const fn family(self) -> Family {
        match self {
            Self::Rs256 | Self::Rs384 | Self::Rs512 => Family::Rsa,
            Self::Ps256 | Self::Ps384 | Self::Ps512 => Family::Rsa,
            Self::Es256 => Family::P256,
            Self::Es384 => Family::P384,
            Self::Es512 => Family::P521,
            Self::Es256k => Family::K256,
            Self::EdDsa => Family::Ed25519,
            Self::Hs256 | Self::Hs384 | Self::Hs512 => Family::Secret,
        }
    }

    /// Whether the algorithm is RSASSA-PSS (RFC 7518 §3.5).
    pub const fn is_pss(self) -> bool {
        matches!(self, Self::Ps256 | Self::Ps384 | Self::Ps512)
    }

    /// The minimum length of a secret in bytes: the length of the hash (RFC 7518 §3.2). Zero for
    /// algorithms without a secret.
    pub const fn least_secret(self) -> usize {
        match self {
            Self::Hs256 => 32,
            Self::Hs384 => 48,
            Self::Hs512 => 64,
            _ => 0,
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of algorithms.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct AlgorithmSet(u16);

impl AlgorithmSet {
    /// The empty set.
    pub const EMPTY: Self = Self(0);

    /// All algorithms with a public key: the default of a provider (PSS only with keys that name
    /// it). HMAC must be configured, so that a public key never serves as a secret
    /// (CVE-2017-11424).
    pub const ASYMMETRIC: Self =
        Self(!(Algorithm::Hs256.bit() | Algorithm::Hs384.bit() | Algorithm::Hs512.bit()) & 0x3fff);

    /// Adds an algorithm.
    pub const fn insert(&mut self, algorithm: Algorithm) {
        self.0 |= algorithm.bit();
    }

    /// Whether the set contains the algorithm.
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & algorithm.bit() != 0
    }

    /// The algorithms of the set, in the order of the enum.
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |algorithm| self.contains(*algorithm))
    }
}

impl FromIterator<Algorithm> for AlgorithmSet {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        let mut set = Self::EMPTY;
        algorithms.into_iter().for_each(|algorithm| set.insert(algorithm));
        set
    }
}

impl fmt::Debug for AlgorithmSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Algorithm::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_algorithm_and_no_other_spelling_does() {
        for algorithm in Algorithm::ALL {
            let name = algorithm.name();
            assert_eq!(Algorithm::from_name(name.as_bytes()), Some(algorithm));
            let swapped: String = name
                .chars()
                .map(|c| match c.is_ascii_lowercase() {
                    true => c.to_ascii_uppercase(),
                    false => c.to_ascii_lowercase(),
                })
                .collect();
            assert_eq!(Algorithm::from_name(swapped.as_bytes()), None, "{swapped}");
        }
        for other in ["", "none", "NONE", "RS256 ", "HS1", "ES256K\0", "Ed448", "RSA-OAEP"] {
            assert_eq!(Algorithm::from_name(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn ed25519_is_another_name_of_eddsa_and_its_other_spellings_are_none() {
        assert_eq!(Algorithm::from_name(b"Ed25519"), Some(Algorithm::EdDsa));
        for other in ["ed25519", "ED25519", "Ed25519 ", "Ed25519\0", "Ed25519ph", "Ed25519ctx"] {
            assert_eq!(Algorithm::from_name(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        for one in Algorithm::ALL {
            let set: AlgorithmSet = [one].into_iter().collect();
            assert_eq!(set.iter().collect::<Vec<_>>(), [one]);
        }
        assert_eq!(AlgorithmSet::EMPTY.iter().next(), None);
        let two: AlgorithmSet = [Algorithm::EdDsa, Algorithm::Rs256].into_iter().collect();
        assert_eq!(format!("{two:?} {}", Algorithm::EdDsa), r#"{"RS256", "EdDSA"} EdDSA"#);
        assert_eq!(AlgorithmSet::ASYMMETRIC.iter().count(), 11);
        for secret in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
            assert!(!AlgorithmSet::ASYMMETRIC.contains(secret));
        }
    }
}
