//! Passes over a value that no pointer leads into.

use crate::swar::equal;

/// The place in a value that is passed over: its brackets are counted and the ends of its strings are found. Nothing
/// else of it is checked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Skip {
    /// The arrays and objects that are open in it, itself included; 0: none is passed over.
    open: u64,
    /// Inside a string.
    text: bool,
    /// After a backslash.
    escaped: bool,
}

impl Skip {
    /// An array or object begins that is passed over.
    pub(super) fn begin(&mut self) {
        self.open = 1;
    }

    /// Whether a value is being passed over.
    pub(super) fn is_on(self) -> bool {
        self.open > 0
    }

    /// The rest of a piece after the value.
    pub(super) fn feed<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let (words, last) = piece.as_chunks::<8>();
        for (index, word) in words.iter().enumerate() {
            let marks = marks(u64::from_le_bytes(*word));
            if (marks != 0 || self.escaped)
                && let Some(read) = self.word(*word, marks)
            {
                return piece
                    .get(index.saturating_mul(8).saturating_add(read)..)
                    .unwrap_or_default();
            }
        }
        let end = last.iter().position(|byte| self.byte(*byte));
        end.and_then(|end| last.get(end.saturating_add(1)..)).unwrap_or_default()
    }

    /// Reads eight bytes, of which only the marked ones matter. If the value ends: how many of them belong to it.
    fn word(&mut self, word: [u8; 8], marks: u64) -> Option<usize> {
        let mut marks = marks;
        if std::mem::take(&mut self.escaped) {
            marks &= !0xff;
        }
        while marks != 0 {
            let bit = marks.trailing_zeros();
            let place = (bit / u8::BITS) as usize;
            if self.byte(word.get(place).copied().unwrap_or_default()) {
                return Some(place.saturating_add(1));
            }
            marks &= marks.wrapping_sub(1);
            // The next byte is no mark. It may be in the next word.
            if self.escaped && place < 7 {
                self.escaped = false;
                marks &= !1_u64.wrapping_shl(bit.wrapping_add(u8::BITS));
            }
        }
        None
    }

    /// Reads a byte; whether the value ends with it.
    #[inline]
    fn byte(&mut self, byte: u8) -> bool {
        if std::mem::take(&mut self.escaped) {
            return false;
        }
        match (byte, self.text) {
            (b'"', _) => self.text = !self.text,
            (b'\\', true) => self.escaped = true,
            (b'[' | b'{', false) => self.open = self.open.saturating_add(1),
            (b']' | b'}', false) => self.open = self.open.saturating_sub(1),
            _ => {}
        }
        self.open == 0
    }
}

/// Marks quotation marks, backslashes and brackets, and perhaps bytes after them. One bit tells `[` from `{` and `]`
/// from `}`.
#[inline]
fn marks(word: u64) -> u64 {
    let both = word | 0x2020_2020_2020_2020;
    equal(word, b'"') | equal(word, b'\\') | equal(both, b'{') | equal(both, b'}')
}
