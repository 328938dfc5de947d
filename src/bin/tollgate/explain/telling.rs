//! What is being told of one token: which check failed, and the steps so far.

use tollgate::verify::VerifyError;

use super::scene::Line;
use super::steps::{Status, Step};

/// The checks of a token in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    Token,
    Header,
    Payload,
    Issuer,
    Keys,
    Signature,
    Tenant,
    Audience,
    Times,
    Use,
}

/// Which check an error comes from.
fn check_of(error: VerifyError) -> Check {
    use VerifyError as E;
    match error {
        E::TooLarge | E::Shape | E::Encoding => Check::Token,
        E::HeaderJson | E::HeaderMember(_) | E::Encrypted | E::Compressed | E::Nested => {
            Check::Header
        }
        E::CritUnsupported | E::TypeNotAllowed | E::AlgorithmNotAllowed => Check::Header,
        E::PayloadJson => Check::Payload,
        E::IssuerNotAllowed => Check::Issuer,
        E::ClaimMissing("iss") | E::ClaimMalformed("iss") => Check::Issuer,
        E::KeysUnavailable | E::KeyUnknown => Check::Keys,
        E::SignatureInvalid => Check::Signature,
        E::TenantNotAllowed => Check::Tenant,
        E::ClaimMissing("tid") | E::ClaimMalformed("tid") => Check::Tenant,
        E::AudienceMismatch => Check::Audience,
        E::ClaimMissing("aud") | E::ClaimMalformed("aud") => Check::Audience,
        E::ClaimMissing(_) | E::ClaimMalformed(_) => Check::Times,
        E::Expired | E::NotYetValid | E::IssuedInFuture | E::LifetimeTooLong => Check::Times,
        E::TokenUseMismatch => Check::Use,
    }
}

/// What is shown of a value of the caller's.
pub fn shown(value: impl ToString, redact: bool) -> String {
    if redact { "(hidden)".to_owned() } else { value.to_string() }
}

/// The steps of one token, told until its verdict is reached.
pub struct Telling<'a> {
    /// What the token failed by; none if it verified.
    pub failed: Option<VerifyError>,
    /// What was told so far.
    pub steps: Vec<Step>,
    /// Whether values of the caller's are hidden.
    pub redact: bool,
    /// The request, for its moment.
    pub line: &'a Line,
}

impl Telling<'_> {
    /// Whether the token failed by this check.
    pub fn fails(&self, check: Check) -> bool {
        self.failed.is_some_and(|error| check_of(error) == check)
    }

    /// Adds the step of a check; false where the telling ends with it.
    pub fn tell(
        &mut self,
        check: Check,
        name: &'static str,
        good: String,
        details: Vec<String>,
    ) -> bool {
        let failed = self.failed.filter(|error| check_of(*error) == check);
        let step = match failed {
            Some(error) => Step::new(name, Status::Failed, error.to_string()),
            None => Step::new(name, Status::Ok, good),
        };
        self.steps.push(step.with(details));
        failed.is_none()
    }
}
