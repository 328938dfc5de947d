use superboring::hash::MessageDigest;
use superboring::pkey::PKey;
use superboring::rsa::{Padding, Rsa};
use superboring::sign::{RsaPssSaltlen, Signer};

use super::*;

/// Signs with another implementation.
fn sign(rsa: &Rsa<superboring::pkey::Private>, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    let digest = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => MessageDigest::sha256(),
        Algorithm::Rs384 | Algorithm::Ps384 => MessageDigest::sha384(),
        _ => MessageDigest::sha512(),
    };
    let key = PKey::from_rsa(rsa.clone()).unwrap();
    let mut signer = Signer::new(digest, &key).unwrap();
    let padding = if algorithm.is_pss() { Padding::PKCS1_PSS } else { Padding::PKCS1 };
    signer.set_rsa_padding(padding).unwrap();
    if algorithm.is_pss() {
        signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
    }
    signer.sign_oneshot_to_vec(message).unwrap()
}

const ALL: [Algorithm; 6] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

#[test]
fn a_signature_of_another_implementation_verifies_and_no_changed_one_does() {
    for bits in [2048, 3072] {
        let rsa = Rsa::generate(bits).unwrap();
        let n = rsa.n().to_vec();
        let key = RsaKey::new(&n).unwrap();
        for (index, algorithm) in ALL.into_iter().enumerate() {
            let message = format!("message {index}");
            let good = sign(&rsa, algorithm, message.as_bytes());
            assert!(key.verify(algorithm, message.as_bytes(), &good), "{bits} {algorithm}");
            for other in ALL.into_iter().filter(|other| *other != algorithm) {
                assert!(!key.verify(other, message.as_bytes(), &good), "{algorithm} {other}");
            }
            assert!(!key.verify(algorithm, b"another", &good));
            for at in [0, 1, good.len() / 2, good.len() - 1] {
                let mut bad = good.clone();
                bad[at] ^= 1;
                assert!(
                    !key.verify(algorithm, message.as_bytes(), &bad),
                    "{bits} {algorithm} {at}"
                );
            }
            // The same number with a leading zero, and a shorter number.
            let longer = [&[0], good.as_slice()].concat();
            assert!(!key.verify(algorithm, message.as_bytes(), &longer));
            assert!(!key.verify(algorithm, message.as_bytes(), &good[1..]));
        }
    }
}

#[test]
fn the_numbers_at_the_edges_are_their_own_powers_or_none() {
    for n in [vec![0xff; 256], [&[0x80][..], &[0; 254], &[1]].concat(), vec![0xc5; 512]] {
        let modulus = Modulus::new(&n, n.len() * 8).unwrap();
        let small = |last: u8| [&vec![0; n.len() - 1][..], &[last]].concat();
        assert_eq!(modulus.power_of_65537(&small(0)), Some(small(0)));
        assert_eq!(modulus.power_of_65537(&small(1)), Some(small(1)));
        // (-1)^65537 is -1.
        let mut below = n.clone();
        *below.last_mut().unwrap() -= 1;
        assert_eq!(modulus.power_of_65537(&below), Some(below));
        assert_eq!(modulus.power_of_65537(&n), None);
        assert_eq!(modulus.power_of_65537(&vec![0xff; n.len()]), None);
        assert_eq!(modulus.power_of_65537(&n[1..]), None);
    }
    assert!(Modulus::new(&[0xfe; 256], 2048).is_none());
    assert!(RsaKey::new(&[]).is_none());
}

/// Includes sizes that are not a multiple of a digit or a byte.
#[test]
fn powers_are_those_of_another_implementation() {
    use superboring::reexports::rsa::BigUint;
    let mut random = 1_u64;
    let mut bytes = |length: usize| -> Vec<u8> {
        let mut next = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 56) as u8
        };
        (0..length).map(|_| next()).collect()
    };
    for bits in [2048_usize, 2049, 2055, 2056, 2072, 2079, 2080, 2081, 3072, 4095, 4096] {
        let mut n = bytes(bits.div_ceil(8));
        let top = (bits - 1) % 8;
        n[0] = n[0] & ((1 << top) - 1) | 1 << top;
        *n.last_mut().unwrap() |= 1;
        let mut base = bytes(n.len());
        base[0] &= (1 << top) - 1;
        let modulus = Modulus::new(&n, bits).unwrap();
        let big = BigUint::from_bytes_be;
        let want = big(&base).modpow(&BigUint::from(65537_u32), &big(&n));
        let got = modulus.power_of_65537(&base).unwrap();
        assert_eq!((got.len(), big(&got)), (n.len(), want), "{bits}");
    }
}
