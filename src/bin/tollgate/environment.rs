//! Environment variables: what a configuration may ask of the VM that it is loaded into.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use tollgate::config::Environment;

use crate::output::Failure;

/// What `--env` gives.
#[derive(Clone, Debug, Default)]
pub struct Given(BTreeMap<String, String>);

impl Given {
    /// Reads `NAME=VALUE`, or `NAME` alone for a variable of this process.
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

/// What a manifest hands to the VM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handed {
    /// Variables whose values stand in the manifest.
    pub values: BTreeMap<String, String>,
    /// Variables of the proxy's own environment.
    pub from_host: BTreeSet<String>,
}

/// What one configuration is compiled with.
pub struct Variables<'a> {
    given: &'a Given,
    /// `None`: nobody says what the VM gets, so that all that was given counts.
    handed: Option<&'a Handed>,
    withheld: RefCell<BTreeSet<String>>,
}

impl<'a> Variables<'a> {
    /// `handed`: what the manifest says, where there is one.
    pub fn new(given: &'a Given, handed: Option<&'a Handed>) -> Self {
        Self { given, handed, withheld: RefCell::default() }
    }

    /// The variables that were asked for and that the manifest does not hand on.
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
        // One that is withheld is a problem of its own; with a value, the rest is checked, too.
        self.given.0.get(name).cloned()
    }
}
