//! What is being told of one token: which check failed, and the steps so far.

use tollgate::verify::provider::Provider;
use tollgate::verify::{Stage, VerifyError};

use super::scene::Line;
use super::steps::{Status, Step};

/// An error in a line: its reason, and what it is about.
pub fn told(error: VerifyError, provider: Option<&Provider>) -> String {
    let reason = error.reason().as_str();
    error.detail(provider).map_or(reason.to_owned(), |detail| format!("{reason} ({detail})"))
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
    /// The provider that the token was judged by in the end.
    pub provider: Option<&'a Provider>,
    /// The request, for its moment.
    pub line: &'a Line,
}

impl Telling<'_> {
    /// Whether the token failed by this check.
    pub fn fails(&self, check: Stage) -> bool {
        self.failed.is_some_and(|error| error.stage() == check)
    }

    /// Adds the step of a check; false where the telling ends with it.
    pub fn tell(
        &mut self,
        check: Stage,
        name: &'static str,
        good: String,
        details: Vec<String>,
    ) -> bool {
        let failed = self.failed.filter(|error| error.stage() == check);
        let step = match failed {
            Some(error) => Step::new(name, Status::Failed, told(error, self.provider)),
            None => Step::new(name, Status::Ok, good),
        };
        self.steps.push(step.with(details));
        failed.is_none()
    }
}
