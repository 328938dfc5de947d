//! Problems and warnings, with their place in the document.

use std::fmt;

/// The maximum length of a message in characters, so that it stays one log line.
const MAX_MESSAGE: usize = 600;

/// The maximum number of reported problems: more are not read at once.
const MAX_PROBLEMS: usize = 100;

/// A reason to reject a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The JSON path, e.g. `providers[0].keys.remote.timeout`.
    pub path: String,
    /// What was found and what is allowed. It never contains key material.
    pub message: String,
}

/// A non-fatal finding in an accepted document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The JSON path.
    pub path: String,
    /// What was found and its consequence.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// A place in the document.
#[derive(Clone, Debug)]
pub(super) struct At(String);

impl At {
    /// The document itself.
    pub(super) fn root() -> Self {
        Self(String::new())
    }

    /// The rule at this position.
    pub(super) fn rule(index: usize) -> Self {
        Self::root().field("rules").index(index)
    }

    /// A member of this object.
    #[inline(never)]
    pub(super) fn field(&self, name: &str) -> Self {
        let dot = if self.0.is_empty() { "" } else { "." };
        Self([&self.0, dot, name].concat())
    }

    /// An entry of this list.
    #[inline(never)]
    pub(super) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// Whether this is the document itself.
    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the value may be key material, which no message may quote.
    pub(super) fn is_secret(&self) -> bool {
        let secret = [".keys", "upstream_authorization", "privacy"];
        secret.iter().any(|name| self.0.contains(name))
    }

    fn text(&self) -> String {
        match self.0.as_str() {
            "" => "(document)".to_owned(),
            path => one_line(path),
        }
    }
}

/// All findings so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Warning>,
}

impl Report {
    /// Adds a problem; the document will be rejected.
    pub(super) fn problem(&mut self, at: &At, message: impl fmt::Display) {
        self.note_problem(at, &message);
    }

    #[cold]
    #[inline(never)]
    fn note_problem(&mut self, at: &At, message: &dyn fmt::Display) {
        let (path, message) = match self.problems.len() {
            0..MAX_PROBLEMS => (at.text(), one_line(&message.to_string())),
            MAX_PROBLEMS => (At::root().text(), "has more problems, which are not listed".into()),
            _ => return,
        };
        self.problems.push(Problem { path, message });
    }

    /// Adds the problem that a required member is absent.
    #[cold]
    #[inline(never)]
    pub(super) fn required(&mut self, at: &At, allowed: &str) {
        self.problem(at, format_args!("is required; allowed: {allowed}"));
    }

    /// Adds a warning.
    pub(super) fn warning(&mut self, at: &At, message: impl fmt::Display) {
        self.note_warning(at, &message);
    }

    #[cold]
    #[inline(never)]
    fn note_warning(&mut self, at: &At, message: &dyn fmt::Display) {
        let message = one_line(&message.to_string());
        self.warnings.push(Warning { path: at.text(), message });
    }
}

/// Escapes control characters and truncates a text, so that it fits one log line.
fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_MESSAGE));
    for (index, c) in text.chars().enumerate() {
        if index >= MAX_MESSAGE {
            out.push('…');
            break;
        }
        // Some log viewers break lines at U+2028 and U+2029.
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A text of the document in quotes, for a message.
#[cold]
#[inline(never)]
pub(super) fn quoted(text: &str) -> String {
    const MAX: usize = 80;
    match text.char_indices().nth(MAX) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
    }
}
