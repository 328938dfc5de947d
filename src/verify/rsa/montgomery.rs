//! Arithmetic modulo an odd number by Montgomery's method ("Modular Multiplication Without Trial
//! Division", 1985), which divides products by a power of two instead of the modulus.

use std::cmp::Ordering;

/// An odd modulus. Numbers are digits of 32 bits, the lowest first, as many as the modulus has.
pub(super) struct Modulus {
    digits: Vec<u32>,
    /// The negative inverse of the modulus, modulo one digit.
    inverse: u32,
    /// The square of that power of two, reduced.
    square: Vec<u32>,
    /// The length of the modulus in bytes.
    bytes: usize,
}

impl Modulus {
    /// `number` is big-endian and has `bits` bits. `None` for an even number.
    pub(super) fn new(number: &[u8], bits: usize) -> Option<Self> {
        let digits = digits_of(number, number.len().div_ceil(4))?;
        let low = *digits.first()?;
        if low & 1 == 0 {
            return None;
        }
        // Each step doubles the number of correct bits; an odd number is its own inverse modulo 8.
        let step =
            |inverse: u32, _| inverse.wrapping_mul(2_u32.wrapping_sub(low.wrapping_mul(inverse)));
        let inverse = (0..4).fold(low, step).wrapping_neg();
        let mut modulus = Self { digits, inverse, square: Vec::new(), bytes: number.len() };
        modulus.square = modulus.square_of_the_divisor(bits)?;
        Some(modulus)
    }

    /// `R² mod n` for `R = 2^width`, where the digits have `width` bits.
    fn square_of_the_divisor(&self, bits: usize) -> Option<Vec<u32>> {
        let width = self.digits.len().checked_mul(32)?;
        // The highest power of two below the modulus, doubled until it is R.
        let top = bits.checked_sub(1)?;
        let mut power = vec![0; self.digits.len()];
        *power.get_mut(top / 32)? = 1 << (top % 32);
        // R = 2^(odd · 2^squarings): `odd` doublings of R are 2^odd · R, and each Montgomery square
        // doubles the exponent.
        let squarings = width.trailing_zeros();
        let odd = width.checked_shr(squarings)?;
        for _ in 0..width.checked_sub(top)?.checked_add(odd)? {
            self.double(&mut power);
        }
        for _ in 0..squarings {
            power = self.multiply(&power, &power);
        }
        Some(power)
    }

    /// The signature to the power of 65537, as long as the modulus. `None` if the signature is not as
    /// long as the modulus or not below it (RFC 8017 §5.2.2, §8.2.2).
    pub(super) fn power_of_65537(&self, signature: &[u8]) -> Option<Vec<u8>> {
        if signature.len() != self.bytes {
            return None;
        }
        let base = digits_of(signature, self.digits.len())?;
        if compare(&base, &self.digits) != Ordering::Less {
            return None;
        }
        let mut power = self.multiply(&base, &self.square);
        for _ in 0..16 {
            power = self.multiply(&power, &power);
        }
        // The last product, with the plain base, also leaves Montgomery's form.
        let mut power = self.multiply(&power, &base);
        // Products are below R, and below twice the modulus if it is below R / 4. So the loop runs at
        // most three times.
        while compare(&power, &self.digits) != Ordering::Less {
            subtract(&mut power, &self.digits);
        }
        let bytes: Vec<u8> = power.iter().rev().flat_map(|digit| digit.to_be_bytes()).collect();
        bytes.get(bytes.len().checked_sub(self.bytes)?..).map(<[u8]>::to_vec)
    }

    /// `x · y / R mod n`, below R. Both are below R.
    fn multiply(&self, x: &[u32], y: &[u32]) -> Vec<u32> {
        let length = self.digits.len();
        let mut product = vec![0; length.saturating_mul(2)];
        let mut carry = 0_u64;
        for (at, digit) in y.iter().enumerate() {
            let Some(rest) = product.get_mut(at..) else { continue };
            let Some((window, above)) = rest.split_at_mut_checked(length) else { continue };
            let first = add_product(window, x, *digit);
            // Makes the lowest digit zero, so that the window can move by one digit.
            let low = window.first().copied().unwrap_or(0);
            let second = add_product(window, &self.digits, low.wrapping_mul(self.inverse));
            // At most 2 · (2^32 - 1) + 1.
            let sum = u64::from(first).wrapping_add(u64::from(second)).wrapping_add(carry);
            if let Some(top) = above.first_mut() {
                *top = sum as u32;
            }
            carry = sum >> 32;
        }
        let mut result = product.split_off(length);
        if carry != 0 {
            subtract(&mut result, &self.digits);
        }
        result
    }

    /// Twice a number that is below the modulus, reduced.
    fn double(&self, number: &mut [u32]) {
        let mut carry = 0;
        for digit in number.iter_mut() {
            let next = *digit >> 31;
            *digit = *digit << 1 | carry;
            carry = next;
        }
        if carry != 0 || compare(number, &self.digits) != Ordering::Less {
            subtract(number, &self.digits);
        }
    }
}

/// `sum += x · y`; returns the digit above.
fn add_product(sum: &mut [u32], x: &[u32], y: u32) -> u32 {
    let mut carry = 0;
    for (sum, x) in sum.iter_mut().zip(x) {
        // At most (2^32 - 1)² + 2 · (2^32 - 1), which 64 bits just hold.
        let product = u64::from(*x).wrapping_mul(u64::from(y));
        let total = product.wrapping_add(u64::from(*sum)).wrapping_add(carry);
        *sum = total as u32;
        carry = total >> 32;
    }
    carry as u32
}

/// `number -= other`, without the last borrow.
fn subtract(number: &mut [u32], other: &[u32]) {
    let mut borrow = false;
    for (digit, other) in number.iter_mut().zip(other) {
        let (less, first) = digit.overflowing_sub(*other);
        let (less, second) = less.overflowing_sub(u32::from(borrow));
        *digit = less;
        borrow = first || second;
    }
}

fn compare(one: &[u32], other: &[u32]) -> Ordering {
    one.iter().rev().cmp(other.iter().rev())
}

/// The digits of a big-endian number, `length` of them.
fn digits_of(number: &[u8], length: usize) -> Option<Vec<u32>> {
    let digit =
        |bytes: &[u8]| bytes.iter().fold(0, |digit: u32, byte| digit << 8 | u32::from(*byte));
    let mut digits: Vec<u32> = number.rchunks(4).map(digit).collect();
    (digits.len() <= length).then(|| {
        digits.resize(length, 0);
        digits
    })
}
