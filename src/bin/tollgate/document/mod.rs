//! Finds configurations of the filter in files: a bare configuration, any part of an Envoy
//! configuration, or a manifest of Istio or Envoy Gateway.

mod envoy;
mod files;
mod finding;
mod gateway;
mod kubernetes;
mod lines;
mod one;
mod read;
mod replace;
mod tree;

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::environment::Handed;
use envoy::mentions_us;
pub use envoy::{PLACEHOLDER, is_labelled};
pub use finding::{Finding, Level};
pub use gateway::{Buffer, Target, smallest};
use lines::Lines;
pub use lines::Place;
pub use one::{json, one};
pub use replace::replace;

/// One configuration of the filter and what the document around it says.
#[derive(Debug, Default)]
pub struct Found {
    /// The path of its text in the document; empty for a bare configuration.
    pub at: String,
    /// Its name in the manifest.
    pub name: Option<String>,
    /// Whether the name or address of the module, or the manifest's label, says that it is ours.
    pub is_named: bool,
    /// The configuration; `None` if the filter could not read it.
    pub text: Option<Vec<u8>>,
    /// The environment of the VM; `None` if the document does not say.
    pub handed: Option<Handed>,
    /// The path of that environment in the document.
    pub handed_at: String,
    /// Whether the configuration is embedded as text, not as an object.
    pub is_text: bool,
    /// The proxy's buffer per connection in bytes, if known.
    pub buffer: Option<u64>,
    /// The proxy that loads it.
    pub host: Host,
    /// Whether Envoy's buffer filter follows it.
    pub is_buffered: bool,
    /// The gateways of Envoy Gateway on which it runs; none if the manifest does not name them.
    pub gateways: Vec<Target>,
    /// `vm_id` and `name`, by which it shares data, if both are known.
    pub shared: Option<(String, String)>,
    /// Findings about the document around it, with paths in the document.
    pub findings: Vec<Finding>,
    /// Findings with paths in the configuration.
    pub inside: Vec<Finding>,
}

impl Found {
    /// The configuration; null if the filter could not read it, or it is no JSON.
    pub fn configuration(&self) -> Value {
        serde_json::from_slice(self.text.as_deref().unwrap_or_default()).unwrap_or_default()
    }

    /// The path in the document of a path in the configuration.
    pub fn path(&self, inside: &str) -> String {
        let at = match self.is_text {
            true => format!("{}.value", self.at),
            false => self.at.clone(),
        };
        match inside {
            // Such as `(document)`.
            whole if whole.starts_with('(') => at,
            _ => format!("{at}.{inside}"),
        }
    }
}

/// The proxy that loads a configuration, as far as the document shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Host {
    /// Unknown: the configuration is bare.
    #[default]
    Unknown,
    /// Envoy, with or without `allow_on_headers_stop_iteration` in the plugin's configuration.
    Envoy {
        /// Whether the field is set, so that headers can wait for the body.
        holds_heads: bool,
    },
    /// Istio, which has no such field.
    Istio,
    /// Envoy Gateway, which has no such field.
    Gateway,
}

/// The content of a file.
#[derive(Debug, Default)]
pub struct Content {
    /// The configurations, each with the number of its document from 1.
    pub found: Vec<(usize, Found)>,
    /// Findings about the file itself.
    pub findings: Vec<Finding>,
    /// Whether a manifest adds Envoy's buffer filter.
    pub buffers: bool,
    /// What ClientTrafficPolicies say of the buffers of connections.
    pub client_buffers: Vec<Buffer>,
    /// The text of the file.
    text: String,
    /// The places of the values of each document.
    lines: Vec<Lines>,
}

impl Content {
    /// Keeps the text and finds the places of its values.
    fn place_values(&mut self, bytes: &[u8]) {
        self.text = String::from_utf8_lossy(bytes).into_owned();
        self.lines = Lines::of(&self.text);
    }

    /// The place of a path in a document.
    pub fn place(&self, document: usize, path: &str) -> Option<Place> {
        self.lines.get(document.checked_sub(1)?)?.find(path)
    }

    /// Sets the place of a finding whose path is in a configuration. A parser's message has the place
    /// in the text of the configuration.
    pub fn place_inside(&self, document: usize, found: &Found, finding: &mut Finding) {
        finding.split();
        finding.place = self.inside(document, found, &finding.path, finding.place);
    }

    fn inside(
        &self,
        document: usize,
        found: &Found,
        path: &str,
        given: Option<Place>,
    ) -> Option<Place> {
        if found.at.is_empty() && given.is_some() {
            return given;
        }
        let lines = self.lines.get(document.checked_sub(1)?)?;
        let value = format!("{}.value", found.at);
        match (found.is_text, given, &found.text) {
            (true, Some(given), Some(text)) => {
                let text = std::str::from_utf8(text).ok()?.lines().collect::<Vec<_>>();
                lines.within(&value, &text, given, &self.text.lines().collect::<Vec<_>>())
            }
            (false, ..) if found.at.is_empty() => lines.find(path),
            _ => lines.find(&found.path(path)),
        }
    }
}

/// How a file was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// It was named, so it must hold a configuration.
    ByName,
    /// It is in a directory that was named, so it may hold anything.
    ByDirectory,
}

impl Chosen {
    /// The level of a finding about a file that cannot be read as one of ours: in a directory, it may
    /// belong to another tool.
    pub fn level(self) -> Level {
        match self {
            Self::ByName => Level::Problem,
            Self::ByDirectory => Level::Warning,
        }
    }

    /// The same for a file with this text: one that mentions tollgate is ours, unless it is a template,
    /// which becomes valid later.
    pub fn of(self, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        match mentions_us(&text) && !text.contains("{{") {
            true => Self::ByName,
            false => self,
        }
    }
}

/// The largest file that is read: four times the largest configuration.
const LARGEST: u64 = 16 << 20;

/// Whether a path stands for standard input.
pub fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads a file, or standard input for `-`. A file that cannot be read is a finding.
pub fn load(path: &Path, chosen: Chosen) -> Content {
    let mut content = Content::default();
    let file: std::io::Result<Box<dyn Read>> = match is_standard_input(path) {
        true => Ok(Box::new(std::io::stdin())),
        false => std::fs::File::open(path).map(|file| Box::new(file) as _),
    };
    let bytes = file.and_then(|file| {
        let mut bytes = Vec::new();
        file.take(LARGEST.saturating_add(1)).read_to_end(&mut bytes).map(|_| bytes)
    });
    match bytes {
        Ok(bytes) if bytes.len() as u64 > LARGEST => {
            let why = format!("is too large; allowed: at most {LARGEST} bytes");
            content.findings.push(Finding::new(chosen.level(), "(file)", why));
        }
        Ok(bytes) => read::read(&bytes, path, chosen, &mut content),
        Err(error) => content.findings.push(Finding::problem("(file)", error.to_string())),
    }
    content
}

/// Reads a YAML text.
pub fn parse(text: &[u8]) -> Content {
    let mut content = Content::default();
    read::read(text, Path::new("-"), Chosen::ByName, &mut content);
    content
}

/// The configurations of an object of a cluster whose name, address or label says that they are ours.
pub fn named(object: &Value) -> Vec<Found> {
    let mut found = kubernetes::search(object);
    found.retain(|found| found.is_named);
    found
}

/// Finds the configurations in one document of a file; `raw` is its text if it is JSON.
fn search(value: &Value, raw: Option<&[u8]>, chosen: Chosen, number: usize, content: &mut Content) {
    let is_manifest = value.get("apiVersion").is_some() && value.get("kind").is_some();
    content.buffers |= is_manifest && kubernetes::buffers(value);
    content.client_buffers.extend(gateway::buffers(value));
    let mut found = match is_manifest {
        true => kubernetes::search(value),
        false => envoy::search(value),
    };
    if !is_manifest {
        files::check(value, &mut found);
    }
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
