//! The environment variables that a configuration can read from its VM.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tollgate::config::Environment;

use crate::output::Failure;

/// The values of `--env`.
#[derive(Clone, Debug, Default)]
pub struct Given {
    values: BTreeMap<String, String>,
    /// Every name that a configuration has read.
    read: RefCell<BTreeSet<String>>,
}

impl Given {
    /// Parses `NAME=VALUE`, or `NAME` for a variable of this process.
    pub fn parse(entries: &[String]) -> Result<Self, Failure> {
        let mut given = BTreeMap::new();
        for entry in entries {
            let (name, value) = match entry.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (entry.as_str(), None),
            };
            if name.is_empty() {
                return Err(Failure::usage("--env: a name is missing; allowed: NAME=VALUE, NAME"));
            }
            // Any other text may be a misplaced secret and is not shown.
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if !name.bytes().all(fits) || name.starts_with(|c: char| c.is_ascii_digit()) {
                let why = "is not the name of a variable (letters, digits, _)";
                return Err(Failure::usage(format_args!(
                    "--env: {why}; allowed: NAME=VALUE, NAME"
                )));
            }
            let Some(value) = value.or_else(|| std::env::var(name).ok()) else {
                let why = "is not set here (or is not UTF-8); allowed: --env NAME=VALUE";
                return Err(Failure::usage(format_args!("--env {name}: {why}")));
            };
            given.insert(name.to_owned(), value);
        }
        Ok(Self { values: given, ..Self::default() })
    }

    /// An error if a name was given that no configuration has read, such as a misspelt one.
    pub fn all_read(&self) -> Result<(), Failure> {
        let read = self.read.borrow();
        let Some(name) = self.values.keys().find(|name| !read.contains(*name)) else {
            return Ok(());
        };
        let names: Vec<_> = read.iter().map(String::as_str).collect();
        let allowed = match names.is_empty() {
            true => "they read no variable".to_owned(),
            false => format!("allowed: {}", names.join(", ")),
        };
        Err(Failure::usage(format_args!("--env {name}: no configuration reads it; {allowed}")))
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

/// What the configuration reads a variable for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `providers[].keys.env`.
    KeySet,
    /// `privacy.hash_key_env`.
    HashKey,
    /// `rules[].upstream_authorization.env`.
    Credential,
}

impl Kind {
    /// Its name in a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Self::KeySet => "a key set",
            Self::HashKey => "a key for hashes",
            Self::Credential => "a credential for the upstream",
        }
    }

    /// A well-formed value.
    fn example(self) -> &'static str {
        match self {
            // The public key of RFC 8037, appendix A.2.
            Self::KeySet => {
                r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#
            }
            Self::HashKey | Self::Credential => "an-assumed-value-of-more-than-32-bytes",
        }
    }
}

/// The variables that a configuration reads, with their uses.
fn kinds(text: &[u8]) -> BTreeMap<String, Kind> {
    let document: Value = serde_json::from_slice(text).unwrap_or_default();
    let list = |name: &str| document.get(name).and_then(Value::as_array).into_iter().flatten();
    let providers = list("providers").map(|provider| (provider.pointer("/keys/env"), Kind::KeySet));
    let rules =
        list("rules").map(|rule| (rule.pointer("/upstream_authorization/env"), Kind::Credential));
    let privacy = (document.pointer("/privacy/hash_key_env"), Kind::HashKey);
    let uses = providers.chain(rules).chain([privacy]);
    uses.filter_map(|(name, kind)| Some((name?.as_str()?.to_owned(), kind))).collect()
}

/// The environment that one configuration is compiled with.
pub struct Variables<'a> {
    given: &'a Given,
    /// `None` if nothing says what the VM gets; it may then get every variable.
    handed: Option<&'a Handed>,
    kinds: BTreeMap<String, Kind>,
    used: RefCell<Used>,
}

/// The variables that were read and have no value.
#[derive(Debug, Default)]
pub struct Used {
    /// Those that the manifest does not pass on.
    pub withheld: BTreeSet<String>,
    /// All others; a value is assumed.
    pub assumed: BTreeMap<String, Kind>,
}

impl<'a> Variables<'a> {
    /// `handed` is what the manifest passes on, if there is a manifest; `text` is the configuration.
    pub fn new(given: &'a Given, handed: Option<&'a Handed>, text: &[u8]) -> Self {
        Self { given, handed, kinds: kinds(text), used: RefCell::default() }
    }

    /// What was read so far.
    pub fn used(self) -> Used {
        self.used.into_inner()
    }
}

impl Environment for Variables<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        self.given.read.borrow_mut().insert(name.to_owned());
        let given = self.given.values.get(name).cloned();
        let mut used = self.used.borrow_mut();
        if let Some(handed) = self.handed {
            if let Some(value) = handed.values.get(name) {
                return Some(value.clone());
            }
            if !handed.from_host.contains(name) {
                used.withheld.insert(name.to_owned());
            }
        }
        given.or_else(|| {
            let kind = *self.kinds.get(name)?;
            // Even if the variable is not passed on: a value lets the rest be checked.
            if !used.withheld.contains(name) {
                used.assumed.insert(name.to_owned(), kind);
            }
            Some(kind.example().to_owned())
        })
    }
}
