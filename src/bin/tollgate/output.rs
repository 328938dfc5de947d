//! Writes results, either as text (in colour on a terminal only) or as JSON.

use std::fmt::{self, Display};
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};
use serde_json::Value;

/// The exit code for findings.
pub const WRONG: u8 = 1;

/// The exit code for wrong usage, the same as clap's.
pub const USAGE: u8 = 2;

/// The exit code for a request that the filter denies.
pub const DENIED: u8 = 3;

/// Why a command ends early.
#[derive(Debug)]
pub enum Failure {
    /// The configuration is refused; the exit code is [`WRONG`].
    Refused(String),
    /// The command cannot be carried out; the exit code is [`USAGE`].
    Usage(String),
    /// The reader of the output is gone (`| head`).
    Closed,
}

impl Failure {
    /// Builds a [`Failure::Usage`].
    pub fn usage(message: impl Display) -> Self {
        Self::Usage(message.to_string())
    }
}

/// Writes a text to standard output and strips colours if it is not a terminal.
pub fn text(text: &str) -> Result<ExitCode, Failure> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::Closed),
        Err(error) => Err(Failure::usage(format_args!("standard output: {error}"))),
    }
}

/// Writes a JSON value, indented.
pub fn json(value: &Value) -> Result<ExitCode, Failure> {
    text(&format!("{}\n", json_plain(&format!("{value:#}"))))
}

/// Escapes the characters of a JSON text that [`plain`] escapes, in JSON's way: `serde_json` leaves
/// those outside ASCII as they are.
pub fn json_plain(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match acts_on_terminals(c) && c != '\n' {
            true => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
    }
    out
}

/// Red.
pub fn bad(text: impl Display) -> impl Display {
    Styled(AnsiColor::Red.on_default().bold(), text)
}

/// Yellow.
pub fn doubtful(text: impl Display) -> impl Display {
    Styled(AnsiColor::Yellow.on_default().bold(), text)
}

/// Green.
pub fn good(text: impl Display) -> impl Display {
    Styled(AnsiColor::Green.on_default().bold(), text)
}

/// Dimmed, for secondary text.
pub fn faint(text: impl Display) -> impl Display {
    Styled(Style::new().dimmed(), text)
}

/// Bold, for headings.
pub fn strong(text: impl Display) -> impl Display {
    Styled(Style::new().bold(), text)
}

struct Styled<T>(Style, T);

impl<T: Display> Display for Styled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(style, text) = self;
        write!(f, "{style}{text}{style:#}")
    }
}

/// Escapes control characters of a text from a file or a token, so that it fits on one line.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if acts_on_terminals(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a character is a command for a terminal.
fn acts_on_terminals(c: char) -> bool {
    // U+2028 and U+2029 end lines in some terminals; the others change the direction of text.
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}
