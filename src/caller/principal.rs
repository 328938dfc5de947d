//! The authenticated caller: verified claims and the identity that stands for them.

use crate::template::{Filled, Part, PartValue, Scope};
use crate::verify::claims::{Claims, RefusedClaims};
use crate::verify::provider::Provider;
use crate::verify::{VerifyError, base64url};

/// A caller whose token verified; exists only if [`Claims`] do.
#[derive(Debug)]
pub struct Principal {
    claims: Claims,
    identity: String,
}

impl Principal {
    /// Finds the identity: the first of the provider's templates that has a value.
    ///
    /// # Errors
    /// `Unidentified`, with the claims, when no template has a value, or when the first that has one
    /// has an empty part: falling through to another template would make two callers one.
    pub fn of(claims: Claims, provider: &Provider) -> Result<Self, Box<(VerifyError, Claims)>> {
        match identity(&claims, provider) {
            Ok(identity) => Ok(Self { claims, identity }),
            Err(error) => Err(Box::new((error, claims))),
        }
    }

    /// Judges `bind: mtls` (RFC 8705 §3): the SHA-256 that the token names in `cnf.x5t#S256` is that
    /// of the certificate that the caller proved to hold. `peer` is the certificate's SHA-256 in
    /// hexadecimal, as the host knows it from the handshake.
    ///
    /// # Errors
    /// `claim_missing` and `claim_malformed` speak of `cnf`; everything else is `binding_mismatch`.
    pub fn check_binding(claims: &Claims, peer: Option<Vec<u8>>) -> Result<(), VerifyError> {
        const NAME: &str = "cnf.x5t#S256";
        let cnf = claims.member("cnf").ok_or(VerifyError::ClaimMissing("cnf"))?;
        let cnf = cnf.as_object().ok_or(VerifyError::ClaimMalformed("cnf"))?;
        let named = cnf.get("x5t#S256").ok_or(VerifyError::ClaimMissing(NAME))?;
        let named = named.as_str().and_then(|text| base64url::decode(text.as_bytes()));
        let named = named.filter(|digest| digest.len() == SHA_256);
        let named = named.ok_or(VerifyError::ClaimMalformed(NAME))?;
        let peer = peer.and_then(|hex| from_hex(&hex));
        if peer == Some(named) { Ok(()) } else { Err(VerifyError::BindingMismatch) }
    }

    /// The verified claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The key of the caller in limits, tags and logs.
    pub fn identity(&self) -> &str {
        &self.identity
    }
}

/// The identity of a caller.
fn identity(claims: &Claims, provider: &Provider) -> Result<String, VerifyError> {
    let scope = IdentityScope { claims, provider: &provider.name };
    let mut identity = String::new();
    for (index, template) in provider.identity.iter().enumerate() {
        match template.identify(&scope, &mut identity) {
            Filled::Whole => return Ok(identity),
            Filled::WithEmptyPart => return Err(VerifyError::Unidentified(Some(index))),
            Filled::Absent => {}
        }
    }
    Err(VerifyError::Unidentified(None))
}

/// Who a refused token speaks for, if its claims give an identity: for the telemetry of the denial.
pub fn refused_identity(refused: &RefusedClaims, provider: &Provider) -> Option<String> {
    identity(refused.claims(), provider).ok()
}

/// A caller with everything that follows from its token alone: what is remembered of a token.
#[derive(Debug)]
pub struct Caller {
    principal: Principal,
    tags: Vec<(usize, String)>,
}

impl Caller {
    /// `tags`: index into `Policy::tags` and the safe value, of each tag that no request changes.
    pub fn new(principal: Principal, tags: Vec<(usize, String)>) -> Self {
        Self { principal, tags }
    }

    /// Who it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The verified claims.
    pub fn claims(&self) -> &Claims {
        &self.principal.claims
    }

    /// The tags: index into `Policy::tags` and the safe value.
    pub fn tags(&self) -> &[(usize, String)] {
        &self.tags
    }

    /// About how much memory it takes beside its claims, bytes.
    pub fn bytes(&self) -> usize {
        const FIXED: usize = 256;
        let tags: usize = self.tags.iter().map(|(_, value)| value.len().saturating_add(16)).sum();
        tags.saturating_add(self.principal.identity.len()).saturating_add(FIXED)
    }
}

/// The length of a SHA-256 digest, bytes.
const SHA_256: usize = 32;

/// A digest in hexadecimal.
fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != SHA_256 || !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some((nibble(*high)? << 4) | nibble(*low)?)).collect()
}

/// Claims and their provider: an identity never depends on what the request says beside its token.
struct IdentityScope<'a> {
    claims: &'a Claims,
    provider: &'a str,
}

impl Scope for IdentityScope<'_> {
    fn value(&self, part: &Part) -> Option<PartValue<'_>> {
        match part {
            Part::Claim(claim) => self.claims.identity_part(claim),
            Part::Provider => Some(PartValue::Text(self.provider.into())),
            _ => None,
        }
    }
}
