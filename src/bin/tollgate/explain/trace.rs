//! The explanation of one token so far: the check that failed, and the steps before it.

use tollgate::verify::provider::Provider;
use tollgate::verify::{Stage, VerifyError};

use super::scene::Line;
use super::steps::{Status, Step};

/// An error on one line: its reason and its detail.
pub fn described(error: VerifyError, provider: Option<&Provider>) -> String {
    let reason = error.reason().as_str();
    error.detail(provider).map_or(reason.to_owned(), |detail| format!("{reason} ({detail})"))
}

/// The printed form of a value from the caller.
pub fn shown(value: impl ToString, redact: bool) -> String {
    if redact { "(hidden)".to_owned() } else { value.to_string() }
}

/// The steps of one token, up to its verdict.
pub struct Trace<'a> {
    /// The error of the token; `None` if it verified.
    pub failed: Option<VerifyError>,
    /// The steps so far.
    pub steps: Vec<Step>,
    /// Whether values from the caller are hidden.
    pub redact: bool,
    /// The provider that decided.
    pub provider: Option<&'a Provider>,
    /// The request, for its arrival time.
    pub line: &'a Line,
}

impl Trace<'_> {
    /// Whether the token failed this check.
    pub fn fails(&self, check: Stage) -> bool {
        self.failed.is_some_and(|error| error.stage() == check)
    }

    /// Sets what cures the failure of the last step.
    pub fn fix(&mut self, fix: Option<&str>) {
        if let Some(step) = self.steps.last_mut() {
            step.fix = fix.map(str::to_owned);
        }
    }

    /// Adds the step of a check. Returns `false` if it is the last one.
    pub fn step(
        &mut self,
        check: Stage,
        name: &'static str,
        good: String,
        details: Vec<String>,
    ) -> bool {
        let failed = self.failed.filter(|error| error.stage() == check);
        let step = match failed {
            Some(error) => Step::new(name, Status::Failed, described(error, self.provider)),
            None => Step::new(name, Status::Ok, good),
        };
        self.steps.push(step.with(details));
        failed.is_none()
    }
}
