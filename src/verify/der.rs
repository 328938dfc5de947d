//! The DER encoding (X.690) that Envoy's verifier reads: numbers, bit strings and ECDSA signatures.

use super::algorithm::Family;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// The orders of the curves' groups (SEC 2 §2.4.2, §2.5.1, §2.6.1).
const P256_ORDER: &[u8] = b"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\
    \xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
const P384_ORDER: &[u8] = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
    \xff\xff\xff\xff\xff\xff\xff\xff\xc7\x63\x4d\x81\xf4\x37\x2d\xdf\
    \x58\x1a\x0d\xb2\x48\xb0\xa7\x7a\xec\xec\x19\x6a\xcc\xc5\x29\x73";
const P521_ORDER: &[u8] = b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
    \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
    \xff\xfa\x51\x86\x87\x83\xbf\x2f\x96\x6b\x7f\xcc\x01\x48\xf7\x09\
    \xa5\xd0\x3b\xb5\xc9\xb8\x89\x9c\x47\xae\xbb\x6f\xb7\x1e\x91\x38\x64\x09";

/// `r‖s` (RFC 7518 §3.4) as `Ecdsa-Sig-Value` (RFC 3279 §2.2.3); `None` if the length does not fit
/// the curve, or if a number is zero or not below the order (CVE-2022-21449).
pub fn ecdsa_signature(family: Family, signature: &[u8]) -> Option<Vec<u8>> {
    let order = match family {
        Family::P256 => P256_ORDER,
        Family::P384 => P384_ORDER,
        Family::P521 => P521_ORDER,
        _ => return None,
    };
    let (r, s) = signature.split_at_checked(order.len())?;
    // Numbers of equal length compare like their bytes.
    let in_range = |number: &[u8]| {
        number.len() == order.len() && number < order && number.iter().any(|byte| *byte != 0)
    };
    (in_range(r) && in_range(s)).then(|| sequence(&[&integer(r), &integer(s)]))
}

/// A sequence of elements.
pub(super) fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, &elements.concat())
}

/// Whole bytes as a bit string.
pub(super) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    // The first byte counts the unused bits of the last one.
    element(BIT_STRING, &[&[0], bytes].concat())
}

/// A non-negative number in the fewest bytes (X.690 §8.3.2).
pub(super) fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    match digits.first() {
        Some(0..=0x7f) => element(INTEGER, digits),
        // A first byte with its top bit set would be negative; an empty number is zero.
        _ => element(INTEGER, &[&[0], digits].concat()),
    }
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let length = length.get(zeros..).unwrap_or_default();
    let mut out = Vec::with_capacity(content.len().saturating_add(6));
    out.push(tag);
    match length {
        [] => out.push(0),
        [short @ 0..=0x7f] => out.push(*short),
        // X.690 §8.1.3.5: the number of length bytes comes first.
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(0x7f));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_takes_the_fewest_bytes_and_is_never_negative() {
        for (number, der) in [
            (&b""[..], &b"\x02\x01\x00"[..]),
            (b"\x00\x00", b"\x02\x01\x00"),
            (b"\x7f", b"\x02\x01\x7f"),
            (b"\x80", b"\x02\x02\x00\x80"),
            (b"\x00\x00\x80\x01", b"\x02\x03\x00\x80\x01"),
            (b"\x01\x00\x01", b"\x02\x03\x01\x00\x01"),
        ] {
            assert_eq!(integer(number), der);
        }
    }

    #[test]
    fn a_length_is_in_its_shortest_form() {
        for (length, head) in [
            (0, &[4, 0][..]),
            (127, &[4, 127]),
            (128, &[4, 0x81, 128]),
            (255, &[4, 0x81, 255]),
            (256, &[4, 0x82, 1, 0]),
            (65_536, &[4, 0x83, 1, 0, 0]),
        ] {
            let out = element(4, &vec![9; length]);
            assert_eq!((&out[..head.len()], out.len()), (head, head.len() + length));
        }
    }

    #[test]
    fn a_signature_has_the_length_of_its_curve_and_numbers_from_one_to_below_the_order() {
        for (family, order) in
            [(Family::P256, P256_ORDER), (Family::P384, P384_ORDER), (Family::P521, P521_ORDER)]
        {
            let length = order.len();
            let mut below = order.to_vec();
            below[length - 1] -= 1;
            let mut above = order.to_vec();
            above[length - 1] += 1;
            let mut one = vec![0; length];
            one[length - 1] = 1;
            let zero = vec![0; length];
            for good in [&below, &one] {
                for other in [&below, &one] {
                    assert!(ecdsa_signature(family, &[&good[..], other].concat()).is_some());
                }
                for bad in [&zero, &order.to_vec(), &above, &vec![0xff; length]] {
                    assert_eq!(ecdsa_signature(family, &[&good[..], bad].concat()), None);
                    assert_eq!(ecdsa_signature(family, &[&bad[..], good].concat()), None);
                }
            }
            for length in [0, 1, length, 2 * length - 1, 2 * length + 1] {
                assert_eq!(ecdsa_signature(family, &vec![1; length]), None);
            }
        }
        let small = [&[0; 31][..], &[1], &[0x80], &[0; 31]].concat();
        let der = ecdsa_signature(Family::P256, &small).unwrap();
        assert_eq!(der[..9], [0x30, 38, 2, 1, 1, 2, 33, 0, 0x80]);
        assert_eq!(ecdsa_signature(Family::K256, &[1; 64]), None);
    }

    #[test]
    fn the_orders_are_those_of_the_curves() {
        // The largest private key is the order minus one; the order itself is not a private key.
        use p256::elliptic_curve::FieldBytes;
        fn below(order: &[u8]) -> Vec<u8> {
            let mut below = order.to_vec();
            *below.last_mut().unwrap() -= 1;
            below
        }
        macro_rules! check {
            ($curve:ident, $name:ident, $order:ident) => {
                let bytes = |bytes: &[u8]| FieldBytes::<$curve::$name>::try_from(bytes).unwrap();
                assert!($curve::SecretKey::from_bytes(&bytes(&below($order))).is_ok());
                assert!($curve::SecretKey::from_bytes(&bytes($order)).is_err());
            };
        }
        check!(p256, NistP256, P256_ORDER);
        check!(p384, NistP384, P384_ORDER);
        check!(p521, NistP521, P521_ORDER);
    }
}
