//! Where the values of a file stand: the line of each path, which parsed values do not keep.

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
    /// A text whose own lines stand as they are in the file, from the next line on.
    is_block: bool,
}

impl Lines {
    /// Those of each document of a file, YAML or JSON; what follows an error has none.
    pub fn of(text: &str) -> Vec<Self> {
        let mut reader = Reader { documents: Vec::new(), open: Vec::new() };
        let _ = Parser::new_from_str(text).load(&mut reader, true);
        reader.documents
    }

    /// The line of a path, or of the nearest that is around it.
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
            // At last the document itself.
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
    /// Notes a value that begins at a line; its path, or `None` for the name of a member.
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
                // The mark of a block is at its first line, which may be empty.
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
