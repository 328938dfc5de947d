//! The environment variables that a configuration can read from its VM.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use tollgate::config::Environment;

use crate::output::Failure;

/// The values of `--env`.
#[derive(Clone, Debug, Default)]
pub struct Given(BTreeMap<String, String>);

impl Given {
    /// Parses `NAME=VALUE`, or `NAME` for a variable of this process.
    pub fn parse(entries: &[String]) -> Result<Self, Failure> {
        let mut given = BTreeMap::new();
        for entry in entries {
            let (name, value) = match entry.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => match std::env::var(entry) {
                    Ok(value) => (entry.as_str(), value),
                    Err(_) => {
                        let why = "is not set here (or is not UTF-8); allowed: --env NAME=VALUE";
                        return Err(Failure::usage(format_args!("--env {entry}: {why}")));
                    }
                },
            };
            if name.is_empty() {
                return Err(Failure::usage("--env: a name is missing; allowed: NAME=VALUE, NAME"));
            }
            given.insert(name.to_owned(), value);
        }
        Ok(Self(given))
    }
}

/// The variables that a manifest passes to the VM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handed {
    /// Variables with values in the manifest.
    pub values: BTreeMap<String, String>,
    /// Variables taken from the proxy's environment.
    pub from_host: BTreeSet<String>,
}

/// The environment that one configuration is compiled with.
pub struct Variables<'a> {
    given: &'a Given,
    /// `None` if nothing says what the VM gets; then every given variable is visible.
    handed: Option<&'a Handed>,
    withheld: RefCell<BTreeSet<String>>,
}

impl<'a> Variables<'a> {
    /// `handed` is what the manifest passes on, if there is a manifest.
    pub fn new(given: &'a Given, handed: Option<&'a Handed>) -> Self {
        Self { given, handed, withheld: RefCell::default() }
    }

    /// The variables that the configuration reads and the manifest does not pass on.
    pub fn withheld(self) -> BTreeSet<String> {
        self.withheld.into_inner()
    }
}

impl Environment for Variables<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        let Some(handed) = self.handed else { return self.given.0.get(name).cloned() };
        if let Some(value) = handed.values.get(name) {
            return Some(value.clone());
        }
        if !handed.from_host.contains(name) {
            self.withheld.borrow_mut().insert(name.to_owned());
        }
        // A variable that is not passed on is a problem of its own. A value lets the rest be checked.
        self.given.0.get(name).cloned()
    }
}
