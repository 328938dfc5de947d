//! What is wrong with a document, and where.

use std::fmt;

/// The longest line a problem becomes, in characters: a log line should stay one.
const MAX_MESSAGE: usize = 600;

/// The most problems that are told: whoever writes a document does not read more at once.
const MAX_PROBLEMS: usize = 100;

/// Why a document is refused: one of possibly many causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The JSON path, e.g. `providers[0].keys.remote.timeout`.
    pub path: String,
    /// What was found and what is allowed. Never holds key material.
    pub message: String,
}

/// What a document that is taken should still be looked at for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The JSON path.
    pub path: String,
    /// What was found and what follows from it.
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

    /// A member of the object here.
    #[inline(never)]
    pub(super) fn field(&self, name: &str) -> Self {
        let dot = if self.0.is_empty() { "" } else { "." };
        Self([&self.0, dot, name].concat())
    }

    /// An entry of the list here.
    #[inline(never)]
    pub(super) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// Whether this is the document itself.
    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether key material is written here, which no message may quote.
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

/// Everything found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Warning>,
}

impl Report {
    /// Notes a problem; the document will be refused.
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

    /// Notes that a member is required and absent.
    #[cold]
    #[inline(never)]
    pub(super) fn required(&mut self, at: &At, allowed: &str) {
        self.problem(at, format_args!("is required; allowed: {allowed}"));
    }

    /// Notes something that does not stop the document from being taken.
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

/// Makes a text fit for one log line: control characters are escaped, the end is cut.
fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_MESSAGE));
    for (index, c) in text.chars().enumerate() {
        if index >= MAX_MESSAGE {
            out.push('…');
            break;
        }
        // U+2028 and U+2029 end a line for some readers of logs.
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A text of the document as it is quoted in a message.
#[cold]
#[inline(never)]
pub(super) fn quoted(text: &str) -> String {
    const MAX: usize = 80;
    match text.char_indices().nth(MAX) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
    }
}
