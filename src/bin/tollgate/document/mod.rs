//! Finds the configurations of the filter in files: bare, in an Envoy bootstrap or a part of one,
//! in a manifest of Istio or of Envoy Gateway.

mod envoy;
mod kubernetes;
mod lines;
mod read;
mod tree;

use std::path::Path;

use serde_json::Value;

use crate::environment::Handed;
use lines::Lines;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The filter would refuse it, or would not work.
    Problem,
    /// A choice that should be looked at.
    Warning,
}

impl Level {
    /// The word in output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Warning => "warning",
        }
    }
}

/// Something that was found, and where.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// The path within the document.
    pub path: String,
    /// What was found and what is allowed.
    pub message: String,
    /// The line of the file where it stands, from 1, where that is known.
    pub line: Option<usize>,
}

impl Finding {
    /// A [`Level::Problem`].
    pub fn problem(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level: Level::Problem, path: path.into(), message: message.into(), line: None }
    }

    /// A [`Level::Warning`].
    pub fn warning(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, path: path.into(), message: message.into(), line: None }
    }
}

/// One configuration of the filter, with what its surroundings say.
#[derive(Debug, Default)]
pub struct Found {
    /// Where its text stands: empty for a bare configuration.
    pub at: String,
    /// What the manifest calls it.
    pub name: Option<String>,
    /// The document; `None` where there is none that the filter could read.
    pub text: Option<Vec<u8>>,
    /// What the VM gets of the environment; `None` where nobody says.
    pub handed: Option<Handed>,
    /// Where the manifest says so.
    pub handed_at: String,
    /// Whether that is a text in which the document stands, and not the document as an object.
    pub is_text: bool,
    /// The proxy's buffer for one connection, bytes, where it is known.
    pub buffer: Option<u64>,
    /// What runs it.
    pub host: Host,
    /// Whether Envoy's buffer filter is behind it.
    pub is_buffered: bool,
    /// The VM and the name by which it shares data, where both are known: `vm_id` and `name`.
    pub shared: Option<(String, String)>,
    /// What is wrong around it.
    pub findings: Vec<Finding>,
}

/// What runs a configuration, as far as a document shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Host {
    /// A bare configuration: anything.
    #[default]
    Unknown,
    /// Envoy, with `allow_on_headers_stop_iteration` in the plugin's configuration or without.
    Envoy {
        /// Whether the head of a request may wait for its body.
        holds_heads: bool,
    },
    /// Istio, which has no such field.
    Istio,
    /// Envoy Gateway, which has no such field.
    Gateway,
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Content {
    /// The configurations, with the number of their document from 1.
    pub found: Vec<(usize, Found)>,
    /// What is wrong with the file itself.
    pub findings: Vec<Finding>,
    /// Whether a manifest puts Envoy's buffer filter behind others.
    pub buffers: bool,
    /// Where the values of each document stand.
    lines: Vec<Lines>,
}

impl Content {
    /// The line of a path in a document.
    pub fn line(&self, document: usize, path: &str) -> Option<usize> {
        self.lines.get(document.checked_sub(1)?)?.find(path)
    }

    /// The line of a path in a configuration.
    pub fn line_inside(&self, document: usize, found: &Found, path: &str) -> Option<usize> {
        let lines = self.lines.get(document.checked_sub(1)?)?;
        match (found.is_text, found.at.is_empty(), &found.text) {
            (true, _, Some(text)) => lines.find_inside(&format!("{}.value", found.at), text, path),
            (_, true, _) => lines.find(path),
            (_, false, _) => lines.find(&format!("{}.{path}", found.at)),
        }
    }
}

/// Whether a file was named, or lies in a directory that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// Named: it must hold a configuration.
    ByName,
    /// Found: it may be anything.
    ByDirectory,
}

/// Reads a file. One that cannot be read is a finding.
pub fn load(path: &Path, chosen: Chosen) -> Content {
    let mut content = Content::default();
    match std::fs::read(path) {
        Ok(bytes) => read::read(&bytes, path, chosen, &mut content),
        Err(error) => content.findings.push(Finding::problem("(file)", error.to_string())),
    }
    content
}

/// Finds the configurations in one document of a file; `raw` is its text where it is JSON.
fn search(value: &Value, raw: Option<&[u8]>, chosen: Chosen, number: usize, content: &mut Content) {
    let is_manifest = value.get("apiVersion").is_some() && value.get("kind").is_some();
    content.buffers |= is_manifest && kubernetes::buffers(value);
    let found = match is_manifest {
        true => kubernetes::search(value),
        false => envoy::search(value),
    };
    let nothing = found.is_empty();
    content.found.extend(found.into_iter().map(|found| (number, found)));
    let foreign = is_manifest || envoy::is_part_of_bootstrap(value);
    let bare = match chosen {
        Chosen::ByName => !foreign,
        Chosen::ByDirectory => !foreign && value.get("providers").is_some_and(Value::is_array),
    };
    if nothing && bare {
        let text = raw.map_or_else(|| value.to_string().into_bytes(), <[u8]>::to_vec);
        content.found.push((number, Found { text: Some(text), ..Found::default() }));
    }
}
