//! The line number of each path in a file, which parsed values do not keep.

use std::collections::HashMap;

use yaml_rust2::parser::{Event, MarkedEventReceiver, Parser};
use yaml_rust2::scanner::{Marker, TScalarStyle};

/// The lines of one document of a file, by path as findings write them.
#[derive(Debug, Default)]
pub struct Lines {
    lines: HashMap<String, Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    line: usize,
    /// A block text, whose lines begin on the next line of the file.
    is_block: bool,
}

impl Lines {
    /// The line numbers of each document of a YAML or JSON file, up to the first error.
    pub fn of(text: &str) -> Vec<Self> {
        let mut reader = Reader { documents: Vec::new(), open: Vec::new() };
        let _ = Parser::new_from_str(text).load(&mut reader, true);
        reader.documents
    }

    /// The line of a path, or of its nearest known parent.
    pub fn find(&self, path: &str) -> Option<usize> {
        self.place(path).map(|place| place.line)
    }

    /// The line of `inner`, a path in the document that is the text at `path`.
    pub fn find_inside(&self, path: &str, text: &[u8], inner: &str) -> Option<usize> {
        let place = self.place(path)?;
        if !place.is_block {
            return Some(place.line);
        }
        let text = std::str::from_utf8(text).ok()?;
        let line = Self::of(text).first().and_then(|lines| lines.find(inner)).unwrap_or(1);
        place.line.checked_add(line)
    }

    fn place(&self, path: &str) -> Option<Place> {
        let mut path = path;
        loop {
            if let Some(place) = self.lines.get(path) {
                return Some(*place);
            }
            let around = path.rfind(['.', '[']).and_then(|end| path.get(..end));
            // Finally the document itself.
            path = around.or((!path.is_empty()).then_some(""))?;
        }
    }
}

/// Follows the events of a parser.
struct Reader {
    documents: Vec<Lines>,
    open: Vec<Level>,
}

/// A value that has others in it.
enum Level {
    /// Its path, and the name of the member whose value comes next with its line.
    Map(String, Option<(String, usize)>),
    /// Its path, and the position of the entry that comes next.
    List(String, usize),
}

impl Reader {
    /// Records a value that begins at a line. Returns its path, or `None` for the name of a member.
    fn begin(&mut self, name: Option<&str>, line: usize, is_block: bool) -> Option<String> {
        let (path, line) = match self.open.last_mut() {
            None => (String::new(), line),
            Some(Level::Map(_, next @ None)) => {
                *next = Some((name.unwrap_or_default().to_owned(), line));
                return None;
            }
            Some(Level::Map(path, next)) => {
                let (name, named) = next.take().unwrap_or_default();
                let dot = if path.is_empty() { "" } else { "." };
                // The event of a block scalar points at its indicator, one line above the text.
                (format!("{path}{dot}{name}"), named)
            }
            Some(Level::List(path, at)) => {
                let entry = format!("{path}[{at}]");
                *at = at.saturating_add(1);
                (entry, line)
            }
        };
        if let Some(document) = self.documents.last_mut() {
            document.lines.insert(path.clone(), Place { line, is_block });
        }
        Some(path)
    }
}

impl MarkedEventReceiver for Reader {
    fn on_event(&mut self, event: Event, mark: Marker) {
        let line = mark.line();
        match event {
            Event::DocumentStart => {
                self.documents.push(Lines::default());
                self.open.clear();
            }
            Event::Scalar(text, style, ..) => {
                let is_block = matches!(style, TScalarStyle::Literal);
                self.begin(Some(&text), line, is_block);
            }
            Event::Alias(_) => drop(self.begin(None, line, false)),
            Event::MappingStart(..) => {
                let path = self.begin(None, line, false).unwrap_or_default();
                self.open.push(Level::Map(path, None));
            }
            Event::SequenceStart(..) => {
                let path = self.begin(None, line, false).unwrap_or_default();
                self.open.push(Level::List(path, 0));
            }
            Event::MappingEnd | Event::SequenceEnd => drop(self.open.pop()),
            _ => {}
        }
    }
}
