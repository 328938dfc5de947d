//! The same random texts in each run.

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// One of these.
    pub fn pick<T: Copy + Default>(&mut self, all: &[T]) -> T {
        let index = self.below(all.len() as u64) as usize;
        all.get(index).copied().unwrap_or_default()
    }

    /// A number from -1 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// So many of these, one after the other.
    pub fn pieces(&mut self, all: &[&str], count: u64) -> String {
        (0..count).map(|_| self.pick(all)).collect()
    }

    /// Words of English, of about so many bytes.
    pub fn words(&mut self, bytes: u64) -> String {
        self.pieces(&WORDS, bytes / 5 + 1)
    }
}

const WORDS: [&str; 16] = [
    "the ", "quick ", "of ", "a ", "request ", "and ", "to ", "model ", "is ", "answer, ", "in ",
    "that ", "however ", "table. ", "for ", "it ",
];

/// Parts one after the other with commas between them, of so many bytes in all.
pub fn list(size: usize, mut part: impl FnMut() -> String) -> String {
    let mut all = part();
    while all.len() < size {
        all.push(',');
        all.push_str(&part());
    }
    all
}
