//! The authenticated caller: verified claims and the identity that stands for them.

use std::borrow::Cow;

use crate::provider::Provider;
use crate::reason::Reason;
use crate::template::{Filled, Part, Scope};
use crate::verify::claims::Claims;

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
    /// `claim_missing` when no template has a value, or when the first that has one has an empty
    /// part: falling through to another template would make two callers one.
    pub fn of(claims: Claims, provider: &Provider) -> Result<Self, Reason> {
        let scope = IdentityScope(&claims);
        let mut identity = String::new();
        for template in &provider.identity {
            match template.fill(&scope, &mut identity) {
                Filled::Whole => return Ok(Self { claims, identity }),
                Filled::WithEmptyPart => break,
                Filled::Absent => {}
            }
        }
        Err(Reason::ClaimMissing)
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

/// Claims alone: an identity never depends on what the request says beside its token.
struct IdentityScope<'a>(&'a Claims);

impl Scope for IdentityScope<'_> {
    fn value(&self, part: &Part) -> Option<Cow<'_, str>> {
        match part {
            Part::Claim(claim) => self.0.text(claim),
            _ => None,
        }
    }
}
