//! The line and column of each path in a file, which parsed values do not keep.

use std::collections::HashMap;

use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::scanner::{Marker, TScalarStyle};

/// The levels of values that are followed: the readers of values refuse more than 128.
const LEVELS: usize = 128;

/// The texts within texts that are followed: a ConfigMap has Envoy's configuration, which has ours.
const NESTED: usize = 3;

/// A place in a file. Both numbers count from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The place in a parser's message, as `serde_json` and `libyaml` write it, and the message
    /// without it.
    pub fn split(message: &str) -> Option<(String, Self)> {
        // libyaml names the end of a name without a colon first, and then its beginning.
        let (before, place) = match message.contains("simple key") {
            true => message.rsplit_once(" at line ")?,
            false => message.split_once(" at line ")?,
        };
        let (line, place) = place.split_once(" column ")?;
        let end = place.find(|c: char| !c.is_ascii_digit()).unwrap_or(place.len());
        let (column, after) = place.split_at_checked(end)?;
        // Column 0 is the end of the line before.
        let column = column.parse::<usize>().ok()?.max(1);
        Some((format!("{before}{after}"), Self { line: line.parse().ok()?, column }))
    }
}

/// The places of one document of a file, by path as findings write them.
#[derive(Debug, Default)]
pub struct Lines {
    values: HashMap<String, Value>,
    /// The first member that is given twice.
    pub twice: Option<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Value {
    place: Place,
    /// A block text, whose lines begin on the next line of the file.
    is_block: bool,
}

impl Lines {
    /// The places in each document of a YAML or JSON file, up to the first error. A block of text is
    /// read as a document, too.
    pub fn of(text: &str) -> Vec<Self> {
        Self::nested(text, NESTED)
    }

    /// Reads blocks within blocks `depth` times.
    fn nested(text: &str, depth: usize) -> Vec<Self> {
        let mut reader = Reader { documents: Vec::new(), open: Vec::new(), blocks: Vec::new() };
        let mut parser = Parser::new_from_str(text);
        // The parser's own loop calls itself for each level, without a limit.
        while let Ok((event, mark)) = parser.next_token() {
            let is_last = event == Event::StreamEnd;
            reader.take(event, mark);
            if is_last || reader.open.len() > LEVELS {
                break;
            }
        }
        let Reader { mut documents, blocks, .. } = reader;
        let lines: Vec<&str> = text.lines().collect();
        for (index, path, block) in blocks {
            let Some(depth) = depth.checked_sub(1) else { break };
            let inner = Self::nested(&block, depth).into_iter().next().unwrap_or_default();
            let Some(document) = documents.get_mut(index) else { continue };
            let own: Vec<&str> = block.lines().collect();
            for (inner, value) in inner.values {
                let place = document.within(&path, &own, value.place, &lines);
                let separator = if inner.starts_with('[') { "" } else { "." };
                if let (Some(place), false) = (place, inner.is_empty()) {
                    let path = [&path, separator, &inner].concat();
                    document.values.insert(path, Value { place, ..value });
                }
            }
        }
        documents
    }

    /// The place of a path, or of its nearest known parent.
    pub fn find(&self, path: &str) -> Option<Place> {
        self.value(path).map(|value| value.place)
    }

    /// The place of the name of exactly this path, if its value is a block of text.
    pub fn block(&self, path: &str) -> Option<Place> {
        self.values.get(path).filter(|value| value.is_block).map(|value| value.place)
    }

    /// The place in `file` of `inside`, a place in the text at `path`. Both texts are cut into lines.
    pub fn within(&self, path: &str, text: &[&str], inside: Place, file: &[&str]) -> Option<Place> {
        let value = match self.values.get(path) {
            Some(value) if value.is_block => value,
            // A text in quotes, or in a file of a ConfigMap: where that begins.
            _ => return self.find(path),
        };
        let line = value.place.line.checked_add(inside.line)?;
        // A block text lacks the indentation that its lines have in the file.
        let length = |text: &[&str], line: usize| {
            Some(text.get(line.checked_sub(1)?)?.trim_end().chars().count())
        };
        let indentation = length(file, line)?.checked_sub(length(text, inside.line)?)?;
        Some(Place { line, column: inside.column.checked_add(indentation)? })
    }

    fn value(&self, path: &str) -> Option<Value> {
        let mut path = path;
        loop {
            if let Some(value) = self.values.get(path) {
                return Some(*value);
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
    /// The blocks of text, each with the index of its document and its path.
    blocks: Vec<(usize, String, String)>,
    open: Vec<Level>,
}

/// A value that has others in it.
enum Level {
    /// Its path, and the name of the member whose value comes next with its place.
    Map(String, Option<(String, Place)>),
    /// Its path, and the position of the entry that comes next.
    List(String, usize),
}

impl Reader {
    /// Records a value that begins at a place. Returns its path, or `None` for the name of a member.
    fn begin(&mut self, name: Option<&str>, place: Place, is_block: bool) -> Option<String> {
        let (path, place) = match self.open.last_mut() {
            None => (String::new(), place),
            Some(Level::Map(path, next @ None)) => {
                *next = Some((name.unwrap_or_default().to_owned(), place));
                // The event of a block mapping points behind its first name.
                let document = self.documents.last_mut();
                if let Some(map) = document.and_then(|document| document.values.get_mut(path)) {
                    map.place = map.place.min(place);
                }
                return None;
            }
            Some(Level::Map(path, next)) => {
                let (name, named) = next.take().unwrap_or_else(|| (String::new(), place));
                let dot = if path.is_empty() { "" } else { "." };
                // The event of a block scalar points at its indicator, one line above the text.
                (format!("{path}{dot}{name}"), named)
            }
            Some(Level::List(path, at)) => {
                let entry = format!("{path}[{at}]");
                *at = at.saturating_add(1);
                (entry, place)
            }
        };
        if let Some(document) = self.documents.last_mut()
            && document.values.insert(path.clone(), Value { place, is_block }).is_some()
        {
            document.twice.get_or_insert(place);
        }
        Some(path)
    }

    fn take(&mut self, event: Event, mark: Marker) {
        let place = Place { line: mark.line(), column: mark.col().saturating_add(1) };
        match event {
            Event::DocumentStart => {
                self.documents.push(Lines::default());
                self.open.clear();
            }
            Event::Scalar(text, style, ..) => {
                let is_block = matches!(style, TScalarStyle::Literal);
                let path = self.begin(Some(&text), place, is_block);
                if let (Some(path), true) = (path, is_block) {
                    let document = self.documents.len().saturating_sub(1);
                    self.blocks.push((document, path, text));
                }
            }
            Event::Alias(_) => drop(self.begin(None, place, false)),
            Event::MappingStart(..) => {
                let path = self.begin(None, place, false).unwrap_or_default();
                self.open.push(Level::Map(path, None));
            }
            Event::SequenceStart(..) => {
                let path = self.begin(None, place, false).unwrap_or_default();
                self.open.push(Level::List(path, 0));
            }
            Event::MappingEnd | Event::SequenceEnd => drop(self.open.pop()),
            _ => {}
        }
    }
}
