//! Public keys as SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), the form that Envoy's verifier reads: RSA
//! keys as in RFC 8017 appendix A.1, points as in RFC 5480 §2.

use super::algorithm::Family;
use super::der;
use crate::bytes::equal;

/// `rsaEncryption` with its NULL (RFC 8017 appendix A.1).
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// `id-ecPublicKey` with a curve's name (RFC 5480 §2.1.1).
const P256: &[u8] =
    b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const P384: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
const P521: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23";

/// The public numbers of a key, big-endian.
#[derive(Clone)]
pub enum Public {
    /// The modulus without leading zeros (RFC 8017 §3.1). The exponent is 65537.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
    },
    /// A point on the curve that the family names. Each coordinate is as long as the field.
    Ec {
        /// The first coordinate.
        x: Vec<u8>,
        /// The second coordinate.
        y: Vec<u8>,
    },
    /// An encoded Ed25519 point (RFC 8032 §5.1.2).
    Ed25519 {
        /// 32 bytes.
        x: Vec<u8>,
    },
    /// A secret has no public part.
    Nothing,
}

impl PartialEq for Public {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rsa { n: own }, Self::Rsa { n: other })
            | (Self::Ed25519 { x: own }, Self::Ed25519 { x: other }) => equal(own, other),
            (Self::Ec { x, y }, Self::Ec { x: other_x, y: other_y }) => {
                equal(x, other_x) && equal(y, other_y)
            }
            (Self::Nothing, Self::Nothing) => true,
            _ => false,
        }
    }
}

impl Eq for Public {}

impl Public {
    /// The SubjectPublicKeyInfo; `None` if Envoy's verifier does not support the family.
    pub(super) fn spki(&self, family: Family) -> Option<Vec<u8>> {
        let (algorithm, bits) = match (self, family) {
            (Self::Rsa { n }, _) => {
                (RSA, der::sequence(&[&der::integer(n), &der::integer(&[1, 0, 1])]))
            }
            // SEC 1 §2.3.3: 4 announces both coordinates.
            (Self::Ec { x, y }, Family::P256) => (P256, [&[4], x.as_slice(), y].concat()),
            (Self::Ec { x, y }, Family::P384) => (P384, [&[4], x.as_slice(), y].concat()),
            (Self::Ec { x, y }, Family::P521) => (P521, [&[4], x.as_slice(), y].concat()),
            _ => return None,
        };
        Some(der::sequence(&[algorithm, &der::bit_string(&bits)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_as_its_standard_writes_it() {
        let ec =
            |family, length| Public::Ec { x: vec![1; length], y: vec![2; length] }.spki(family);
        let key = ec(Family::P256, 32).unwrap();
        assert_eq!(key.len(), 91);
        assert_eq!(key[..5], [0x30, 89, 0x30, 0x13, 6]);
        assert_eq!(key[23..28], [3, 66, 0, 4, 1]);
        assert_eq!(ec(Family::P384, 48).unwrap().len(), 120);
        assert_eq!(ec(Family::P521, 66).unwrap().len(), 158);
        assert_eq!(ec(Family::K256, 32), None);
        // 2048 bits: the usual 294 bytes.
        let rsa = Public::Rsa { n: vec![0xff; 256] };
        assert_eq!(rsa.spki(Family::Rsa).unwrap().len(), 294);
        assert_eq!(Public::Nothing.spki(Family::Secret), None);
    }
}
