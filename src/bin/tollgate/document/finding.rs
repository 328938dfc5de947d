//! What a check says of a document.

use super::Place;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The filter would reject the configuration, or would not work.
    Problem,
    /// The configuration works and probably does not do what was intended.
    Warning,
    /// Something that the check assumed.
    Note,
}

impl Level {
    /// The word used in output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One finding and its place.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The severity.
    pub level: Level,
    /// The path within the document.
    pub path: String,
    /// What is wrong, and what is allowed.
    pub message: String,
    /// The place in the file, if known.
    pub place: Option<Place>,
}

impl Finding {
    /// Builds a [`Level::Problem`].
    pub fn problem(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Level::Problem, path, message)
    }

    /// Builds a [`Level::Warning`].
    pub fn warning(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Level::Warning, path, message)
    }

    /// Builds a finding without a place.
    pub fn new(level: Level, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level, path: path.into(), message: message.into(), place: None }
    }

    /// Whether it is about a variable, wherever that is read, and its path the name of the variable.
    pub fn is_about_variable(&self) -> bool {
        self.level == Level::Note && !self.path.contains('.')
    }

    /// Takes the place from the end of a parser's message.
    pub fn split(&mut self) {
        while let Some((rest, place)) = Place::split(&self.message) {
            self.message = rest;
            self.place = self.place.or(Some(place));
        }
    }
}
