//! Verifies RSA signatures in the module (RFC 8017 §8), for the only exponent that keys may have: 65537.
//!
//! This code exists because of its speed. Anyone can send a forged token, and one check of it must
//! not cost much more than a request without a token. With the library behind jwt-simple, a PSS
//! signature of a 4096-bit key costs about 130 such requests more than with this code: the library
//! supports any exponent of 64 bits, which takes 93 multiplications (4 ms), with 64-bit digits, whose
//! products have no WebAssembly instruction. This code takes 18 multiplications with 32-bit digits.
//! Keys and signatures are public, so that it need not run in constant time.

mod montgomery;

use montgomery::Modulus;

use super::algorithm::Algorithm;

/// A public key with the exponent 65537.
pub struct RsaKey {
    modulus: Modulus,
    bits: usize,
}

impl RsaKey {
    /// `n` is big-endian, without leading zeros. `None` for an even number, which is not a modulus.
    pub fn new(n: &[u8]) -> Option<Self> {
        let zeros = n.first()?.leading_zeros() as usize;
        let bits = n.len().saturating_mul(8).saturating_sub(zeros);
        Some(Self { modulus: Modulus::new(n, bits)?, bits })
    }

    /// Whether `signature` is a signature of `message` by this RSA algorithm; false for any other
    /// algorithm.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let (hash, pss) = match algorithm {
            Algorithm::Rs256 => (Hash::Sha256, false),
            Algorithm::Rs384 => (Hash::Sha384, false),
            Algorithm::Rs512 => (Hash::Sha512, false),
            Algorithm::Ps256 => (Hash::Sha256, true),
            Algorithm::Ps384 => (Hash::Sha384, true),
            Algorithm::Ps512 => (Hash::Sha512, true),
            _ => return false,
        };
        let Some(encoded) = self.modulus.power_of_65537(signature) else { return false };
        let digest = hash.of(&[message]);
        match pss {
            false => encoded == pkcs1(hash, &digest, encoded.len()),
            true => is_pss(hash, &digest, &encoded, self.bits).unwrap_or(false),
        }
    }
}

#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn of(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha256 => {
                let mut hash = hmac_sha256::Hash::new();
                parts.iter().for_each(|part| hash.update(part));
                hash.finalize().to_vec()
            }
            Self::Sha384 => {
                let mut hash = hmac_sha512::sha384::Hash::new();
                parts.iter().for_each(|part| hash.update(part));
                hash.finalize().to_vec()
            }
            Self::Sha512 => {
                let mut hash = hmac_sha512::Hash::new();
                parts.iter().for_each(|part| hash.update(part));
                hash.finalize().to_vec()
            }
        }
    }

    /// The `DigestInfo` before the hash itself (RFC 8017 §9.2, note 1).
    const fn info(self) -> [u8; 19] {
        let (name, length) = match self {
            Self::Sha256 => (1, 32),
            Self::Sha384 => (2, 48),
            Self::Sha512 => (3, 64),
        };
        let all = 0x11 + length;
        [
            0x30, all, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
            name, 0x05, 0x00, 0x04, length,
        ]
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 §9.2). The encoding is compared as a whole, because lenient parsers of it
/// accept forgeries (CVE-2006-4339).
fn pkcs1(hash: Hash, digest: &[u8], length: usize) -> Vec<u8> {
    let info = hash.info();
    let rest = info.len().saturating_add(digest.len()).saturating_add(3);
    let padding = vec![0xff; length.saturating_sub(rest)];
    [&[0, 1], padding.as_slice(), &[0], &info, digest].concat()
}

/// EMSA-PSS (RFC 8017 §9.1.2) with a salt as long as the hash, and a mask by the same hash
/// (RFC 7518 §3.5). `None` if the encoding is too short.
fn is_pss(hash: Hash, digest: &[u8], encoded: &[u8], bits: usize) -> Option<bool> {
    // The encoding has one bit less than the modulus, and therefore sometimes a byte less.
    let bits = bits.checked_sub(1)?;
    let (above, encoded) =
        encoded.split_at_checked(encoded.len().checked_sub(bits.div_ceil(8))?)?;
    let (masked, rest) =
        encoded.split_at_checked(encoded.len().checked_sub(digest.len())?.checked_sub(1)?)?;
    let (own, end) = rest.split_at_checked(digest.len())?;
    let free = u32::try_from(encoded.len().saturating_mul(8).saturating_sub(bits)).ok()?;
    let top = 0xff_u8.checked_shr(free)?;
    if above.iter().any(|byte| *byte != 0) || end != [0xbc] || masked.first()? & !top != 0 {
        return Some(false);
    }
    let mask = mask(hash, own, masked.len());
    let mut block: Vec<u8> = masked.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    *block.first_mut()? &= top;
    let (padding, salt) = block.split_at_checked(block.len().checked_sub(digest.len())?)?;
    let (one, zeros) = padding.split_last()?;
    if *one != 1 || zeros.iter().any(|byte| *byte != 0) {
        return Some(false);
    }
    Some(hash.of(&[&[0; 8], digest, salt]) == own)
}

/// MGF1 (RFC 8017 §B.2.1).
fn mask(hash: Hash, seed: &[u8], length: usize) -> Vec<u8> {
    let mut mask = Vec::with_capacity(length.saturating_add(64));
    let mut counter = 0_u32;
    while mask.len() < length {
        mask.extend(hash.of(&[seed, &counter.to_be_bytes()]));
        counter = counter.saturating_add(1);
    }
    mask.truncate(length);
    mask
}

#[cfg(test)]
mod tests;
