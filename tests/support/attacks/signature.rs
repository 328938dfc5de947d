//! Signatures that are wrong by a bit, by a length, by a key, or by a number out of range.

use super::super::mint::{self, Signer, b64, der, der_integer};
use super::*;

/// An empty third part is a shape or a signature, by taste.
const EMPTY: &[&str] = &["signature_invalid", "token_malformed"];

pub(super) fn collect(world: &World, corpus: &mut Corpus) {
    for signer in world.main() {
        mutations(signer, corpus);
    }
    swapped(world, corpus);
    for (signer, order) in [(&world.p256, P256_N), (&world.p384, P384_N), (&world.k256, K256_N)] {
        ecdsa(signer, &hex(order), corpus);
    }
    ed25519(&world.ed, corpus);
    rsa(&world.rsa, corpus);
    for attacker in &world.attackers {
        let real = world.main().into_iter().find(|key| key.algorithm() == attacker.algorithm());
        let token = attacker.with_kid(real.unwrap().kid()).sign(&mint::claims("someone"));
        corpus.refuse("wrong-key", attacker.algorithm(), token, SIGNATURE);
    }
}

fn mutations(signer: &Signer, corpus: &mut Corpus) {
    let token = signer.sign(&mint::claims("someone"));
    let (input, _) = token.rsplit_once('.').unwrap();
    let good = signer.signature(input.as_bytes());
    let last = good.len() - 1;
    let flip = |at: usize, bit: u8| {
        let mut bad = good.clone();
        bad[at] ^= bit;
        bad
    };
    let reversed: Vec<u8> = good.iter().rev().copied().collect();
    for (name, bad) in [
        ("first bit", flip(0, 0x80)),
        ("second byte", flip(1, 1)),
        ("middle bit", flip(last / 2, 0x10)),
        ("last bit", flip(last, 1)),
        ("last byte cut", good[..last].to_vec()),
        ("first byte cut", good[1..].to_vec()),
        ("half", good[..good.len() / 2].to_vec()),
        ("one byte", good[..1].to_vec()),
        ("zero appended", [&good[..], &[0]].concat()),
        ("zero in front", [&[0], &good[..]].concat()),
        ("twice", [&good[..], &good[..]].concat()),
        ("ones", vec![0xff; good.len()]),
        ("reversed", reversed),
        ("long", vec![0x41; 4096]),
    ] {
        let name = format!("{} {name}", signer.kid());
        corpus.refuse("sig-mutated", name, with(input, &bad), SIGNATURE);
    }
    corpus.refuse("sig-mutated", format!("{} empty", signer.kid()), with(input, b""), EMPTY);
}

/// Parts of authentic tokens put together anew.
fn swapped(world: &World, corpus: &mut Corpus) {
    for signer in world.main() {
        let (one, two) = (signer.sign(&mint::claims("one")), signer.sign(&mint::claims("two")));
        let ([header, _, signature], [_, other, _]) = (parts(&one), parts(&two));
        let kid = signer.kid();
        let token = format!("{header}.{other}.{signature}");
        corpus.refuse("sig-swapped", format!("{kid}: payload of another token"), token, SIGNATURE);
        let header = b64(format!(r#"{{"kid":"{kid}","alg":"{}"}}"#, signer.algorithm()).as_bytes());
        let token = format!("{header}.{}.{signature}", parts(&one)[1]);
        corpus.refuse("sig-swapped", format!("{kid}: header rewritten"), token, SIGNATURE);
        let admin = b64(mint::claims("admin").to_string().as_bytes());
        let token = format!("{}.{admin}.{signature}", parts(&one)[0]);
        corpus.refuse("sig-swapped", format!("{kid}: payload forged"), token, SIGNATURE);
    }
}

const P256_N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const P384_N: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf\
                      581a0db248b0a77aecec196accc52973";
const K256_N: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

/// Numbers out of range (CVE-2022-21449) and other encodings of right ones. `n - s` is left out:
/// ECDSA accepts it by design, and a token is no unique name of itself.
fn ecdsa(signer: &Signer, order: &[u8], corpus: &mut Corpus) {
    let token = signer.sign(&mint::claims("someone"));
    let (input, _) = token.rsplit_once('.').unwrap();
    let good = signer.signature(input.as_bytes());
    let (r, s) = good.split_at(good.len() / 2);
    let size = r.len();
    let (zero, high) = (vec![0; size], vec![0xff; size]);
    let mut one = zero.clone();
    one[size - 1] = 1;
    let mut beyond = order.to_vec();
    beyond[size - 1] += 1;
    let pair = |r: &[u8], s: &[u8]| [r, s].concat();
    let der_pair = |r: &[u8], s: &[u8]| der(0x30, &pair(&der_integer(r), &der_integer(s)));
    for (name, bad) in [
        ("r = s = 0", pair(&zero, &zero)),
        ("r = 0", pair(&zero, s)),
        ("s = 0", pair(r, &zero)),
        ("r = s = n", pair(order, order)),
        ("r = n", pair(order, s)),
        ("s = n", pair(r, order)),
        ("r = n, s = 0", pair(order, &zero)),
        ("r = s = n + 1", pair(&beyond, &beyond)),
        ("r = s = 1", pair(&one, &one)),
        ("r = 1, s = 0", pair(&one, &zero)),
        ("r = 2^k - 1", pair(&high, s)),
        ("s = 2^k - 1", pair(r, &high)),
        ("swapped", pair(s, r)),
        ("s = r", pair(r, r)),
        ("der", der_pair(r, s)),
        ("der of zeros", der_pair(&zero, &zero)),
        ("der of ones", der_pair(&one, &one)),
        ("padded halves", [&[0], r, &[0], s].concat()),
        ("64 zeros of another curve", vec![0; 132]),
    ] {
        let name = format!("{} {name}", signer.kid());
        corpus.refuse("ec-psychic", name, with(input, &bad), SIGNATURE);
    }
}

/// RFC 8032 §5.1.7: `S` below the group order, `R` a proper point.
fn ed25519(signer: &Signer, corpus: &mut Corpus) {
    let token = signer.sign(&mint::claims("someone"));
    let (input, _) = token.rsplit_once('.').unwrap();
    let good = signer.signature(input.as_bytes());
    let (r, s) = good.split_at(32);
    // The order of the group, little-endian.
    let mut order = hex("edd3f55c1a631258d69cf7a2def9de14");
    order.resize(31, 0);
    order.push(0x10);
    let mut malleable = Vec::new();
    let mut carry = 0u16;
    for (a, b) in s.iter().zip(&order) {
        let sum = u16::from(*a) + u16::from(*b) + carry;
        malleable.push(sum as u8);
        carry = sum >> 8;
    }
    let identity = [&[1][..], &[0; 31]].concat();
    let no_point = [&[2][..], &[0; 31]].concat();
    let minus_zero = [&[1][..], &[0; 30], &[0x80]].concat();
    for (name, r, s) in [
        ("S + L", r, &malleable[..]),
        ("S = L", r, &order),
        ("S = 0", r, &[0; 32]),
        ("S = 2^256 - 1", r, &[0xff; 32]),
        ("R = identity, S = 0", &identity, &[0; 32]),
        ("R = identity", &identity, s),
        ("R = 0, S = 0", &[0; 32], &[0; 32]),
        ("R no point", &no_point, s),
        ("R minus zero", &minus_zero, &[0; 32]),
        ("R = 2^256 - 1", &[0xff; 32], s),
        ("swapped", s, r),
    ] {
        corpus.refuse("ed-malleable", name, with(input, &[r, s].concat()), SIGNATURE);
    }
}

/// RFC 8017 §8.2.2: a number below the modulus, as long as it, whose padding is whole.
fn rsa(signer: &Signer, corpus: &mut Corpus) {
    use base64::Engine as _;
    let token = signer.sign(&mint::claims("someone"));
    let (input, _) = token.rsplit_once('.').unwrap();
    let jwk = signer.jwk();
    let modulus = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(jwk["n"].as_str().unwrap())
        .unwrap();
    let mut below = modulus.clone();
    below[255] -= 1;
    let mut one = vec![0; 256];
    one[255] = 1;
    // A cube root forgery at e = 3 looks like this; the bytes themselves serve as a signature too.
    let mut padded = vec![0xff; 256];
    padded[..2].copy_from_slice(&[0, 1]);
    padded[10] = 0;
    for (name, bad) in [
        ("n", modulus),
        ("n - 1", below),
        ("0", vec![0; 256]),
        ("1", one),
        ("padding in the clear", padded),
        ("1024 bits", vec![1; 128]),
        ("4096 bits", vec![1; 512]),
    ] {
        corpus.refuse("rsa-range", name, with(input, &bad), SIGNATURE);
    }
    for algorithm in ["RS384", "RS512", "PS256"] {
        let other = signer.with_algorithm(algorithm).signature(input.as_bytes());
        corpus.refuse("rsa-range", format!("{algorithm} as RS256"), with(input, &other), SIGNATURE);
    }
}

fn with(input: &str, signature: &[u8]) -> String {
    format!("{input}.{}", b64(signature))
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
