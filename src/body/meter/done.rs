//! The last event of a stream of OpenAI's API, `data: [DONE]`: SDKs leave at it, before the response ends.

/// The longest way to write it: a line ending, `data: [DONE]`, and two line endings.
const LONGEST: usize = 18;

/// The last bytes of a response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done([u8; LONGEST]);

impl Default for Done {
    /// A response begins with a line.
    fn default() -> Self {
        Self([b'\n'; LONGEST])
    }
}

impl Done {
    /// Reads the next piece.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        let last = piece.get(piece.len().saturating_sub(LONGEST)..).unwrap_or_default();
        self.0.rotate_left(last.len());
        if let Some(end) = self.0.get_mut(LONGEST.saturating_sub(last.len())..) {
            end.copy_from_slice(last);
        }
    }

    /// Whether the last bytes are that event. One space after a colon is no part of a value (WHATWG HTML §9.2.6).
    pub(super) fn is_read(&self) -> bool {
        let line = self.0.trim_ascii_end().strip_suffix(b"[DONE]");
        let field = line.map(|line| line.strip_suffix(b" ").unwrap_or(line));
        let before = field.and_then(|field| field.strip_suffix(b"data:"));
        matches!(before, Some([.., b'\r' | b'\n']))
    }
}
