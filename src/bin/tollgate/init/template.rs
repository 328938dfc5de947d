//! A shipped example as a template: parts of its text are replaced.

use crate::output::Failure;

/// A text with the parts that were to be replaced and are not in it.
pub struct Template {
    text: String,
    absent: Vec<String>,
}

impl Template {
    /// Begins with an example.
    pub fn new(example: &str) -> Self {
        Self { text: example.to_owned(), absent: Vec::new() }
    }

    /// Replaces a part wherever it is.
    pub fn replace(&mut self, part: &str, new: &str) {
        match self.text.contains(part) {
            true => self.text = self.text.replace(part, new),
            false => self.absent.push(part.to_owned()),
        }
    }

    /// Replaces the text from the beginning of `first` to the beginning of `end`, or to the end of the
    /// text if `end` is empty.
    pub fn between(&mut self, first: &str, end: &str, new: &str) {
        let parts = self.text.split_once(first).and_then(|(before, rest)| {
            let after = if end.is_empty() { "" } else { rest.get(rest.find(end)?..)? };
            Some([before, new, after].concat())
        });
        match parts {
            Some(text) => self.text = text,
            None => self.absent.push(format!("{first} … {end}")),
        }
    }

    /// The result; an error if the example lacks a part, which a test excludes.
    pub fn finish(self) -> Result<String, Failure> {
        match self.absent.first() {
            None => Ok(self.text),
            Some(part) => Err(Failure::usage(format_args!("the example lacks {part:?}"))),
        }
    }
}
