//! The variables of the VM that a configuration may read.

/// The environment that a configuration is loaded in.
pub trait Environment {
    /// The value of an environment variable of the VM.
    fn variable(&self, name: &str) -> Option<String>;
}

/// An environment without variables.
#[derive(Clone, Copy, Debug)]
pub struct NoVariables;

impl Environment for NoVariables {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}
