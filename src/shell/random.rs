//! Randomness from the operating system, by way of the standard library's hasher keys.

use std::hash::{BuildHasher, RandomState};

/// 128 bits.
pub fn seed() -> [u8; 16] {
    let keys = RandomState::new();
    let (high, low) = (keys.hash_one(0_u8), keys.hash_one(1_u8));
    (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
}

/// A number in -1 … 1.
pub fn jitter() -> f64 {
    let [byte, ..] = seed();
    f64::from(byte) / 127.5 - 1.0
}
