//! Keeps tokens out of the messages of failed assertions, which often hold a whole response or log.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{PanicHookInfo, set_hook};
use std::sync::Once;

/// Redacts the messages of panics from now on. Whatever makes tokens calls it.
pub fn panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| set_hook(Box::new(|panic| eprintln!("{}", report(panic)))));
}

/// What the standard library prints, without tokens.
fn report(panic: &PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let message = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = message.unwrap_or("a value that is no text");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    let backtrace = match backtrace.status() {
        BacktraceStatus::Captured => format!("\nstack backtrace:\n{backtrace}"),
        _ => String::new(),
    };
    let name = thread.name().unwrap_or("<unnamed>");
    format!("\nthread '{name}' panicked at {place}:\n{}{backtrace}", redacted(message))
}

/// The text with `eyJ…` in place of each token. Tokens begin with `{"` in base64; lists of bytes may
/// have them in decimal.
pub fn redacted(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || "-_.=".contains(c);
    let text = replaced(text, "eyJ", word);
    replaced(&text, "101, 121, 74, ", |c| c.is_ascii_digit() || ", ".contains(c))
}

/// The text with `eyJ…` in place of this start and the characters of its kind that follow.
fn replaced(text: &str, start: &str, is_part: impl Fn(char) -> bool) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(start) {
        out.push_str(before);
        out.push_str("eyJ…");
        rest = after.trim_start_matches(&is_part);
    }
    out + rest
}
