//! Random numbers of the operating system, from the keys of the standard library's hasher.

use std::hash::{BuildHasher, RandomState};

/// 128 random bits.
pub fn seed() -> [u8; 16] {
    let keys = RandomState::new();
    let (high, low) = (keys.hash_one(0_u8), keys.hash_one(1_u8));
    (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
}

/// A random number between -1 and 1.
pub fn jitter() -> f64 {
    let [byte, ..] = seed();
    f64::from(byte) / 127.5 - 1.0
}

/// A random number.
pub fn number() -> u32 {
    let [a, b, c, d, ..] = seed();
    u32::from_le_bytes([a, b, c, d])
}
