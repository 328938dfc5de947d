//! The reasons for which keys are not used.

use std::fmt;

/// The reason for which a key of a set is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyError {
    /// The entry is not a JSON object.
    NotAnObject,
    /// The entry is an object that parsers read in different ways or not at all: a duplicate member,
    /// a number outside of `f64`, a lone surrogate, more than 32 levels.
    Ambiguous,
    /// A required member is absent; a key with `x5c` alone lacks `n`.
    MemberMissing(&'static str),
    /// A member has a wrong type, length or encoding.
    MemberMalformed(&'static str),
    /// `kty` is not RSA, EC, OKP or oct.
    TypeUnsupported,
    /// `crv` is not P-256, P-384, P-521, secp256k1 (EC) or Ed25519 (OKP).
    CurveUnsupported,
    /// `use` is neither `sig` (RFC 7517 §4.2) nor `jwt-svid` (SPIFFE Trust Domain and Bundle §4.2.2).
    NotForSignatures,
    /// `key_ops` does not contain `verify` (RFC 7517 §4.3).
    NotForVerification,
    /// `alg` is not a supported algorithm.
    AlgorithmUnsupported,
    /// The key is of a kind that only the module with a verifier uses: PS*, ES256K, EdDSA, HS*.
    NeedsFullModule,
    /// `alg` needs a key of another type or curve.
    AlgorithmMismatch,
    /// The key contains its private half, which is now public and must be replaced.
    PrivateKey,
    /// An `oct` key in a set that must not contain secrets.
    SecretRefused,
    /// A secret of less than 32 bytes, or shorter than the hash of its `alg` (RFC 7518 §3.2).
    SecretTooShort,
    /// An RSA modulus of less than 2048 bits (RFC 7518 §3.3).
    RsaTooShort,
    /// An RSA modulus of more than 4096 bits.
    RsaTooLong,
    /// An RSA exponent other than 65537.
    RsaExponent,
    /// The numbers are not a valid key: an even modulus, a point that is not on the curve or weak.
    Invalid,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("not a JSON object"),
            Self::Ambiguous => f.write_str(
                "a duplicate member, a number too large, a lone surrogate or more than 32 levels",
            ),
            Self::MemberMissing(name) => write!(f, "{name} is absent"),
            Self::MemberMalformed(name) => write!(f, "{name} is malformed"),
            Self::TypeUnsupported => f.write_str("kty is not RSA, EC, OKP or oct"),
            Self::CurveUnsupported => {
                f.write_str("crv is not P-256, P-384, P-521, secp256k1 or Ed25519")
            }
            Self::NotForSignatures => f.write_str("use is neither sig nor jwt-svid"),
            Self::NotForVerification => f.write_str("key_ops does not contain verify"),
            Self::AlgorithmUnsupported => f.write_str("alg is not a supported algorithm"),
            Self::NeedsFullModule => f.write_str(
                "the proxy cannot use it, and this module has no verifier; tollgate.wasm has one",
            ),
            Self::AlgorithmMismatch => f.write_str("alg does not fit the key"),
            Self::PrivateKey => f.write_str("the private key is in the set: replace the key pair"),
            Self::SecretRefused => f.write_str("oct keys are only accepted in inline or env sets"),
            Self::SecretTooShort => {
                f.write_str("a secret of less than 32 bytes, or shorter than the hash of its alg")
            }
            Self::RsaTooShort => f.write_str("an RSA modulus of less than 2048 bits"),
            Self::RsaTooLong => f.write_str("an RSA modulus of more than 4096 bits"),
            Self::RsaExponent => f.write_str("an RSA exponent other than 65537"),
            Self::Invalid => f.write_str("not a valid public key"),
        }
    }
}

impl std::error::Error for KeyError {}
