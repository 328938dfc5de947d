//! JSON numbers (RFC 8259 §6), read byte by byte and rounded up to whole ones.

/// Above this, one more digit does not fit and only counts for rounding. At this, a digit up to 5
/// fits, the last one of 2⁶⁴ − 1.
const FULL: u64 = u64::MAX / 10;

/// A number in the making. It takes a few words, however many digits it has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Number {
    negative: bool,
    /// The leading digits without leading zeros, as many as fit.
    digits: u64,
    /// A digit other than 0 follows them.
    more: bool,
    /// The power of ten of the last of `digits`, before the exponent.
    scale: i64,
    part: Part,
    exponent: i64,
    exponent_negative: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Whole,
    Fraction,
    Exponent,
}

impl Number {
    /// Takes the next byte; `false` if the number has ended before it. The scanner checks the grammar.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        match (self.part, byte) {
            (_, b'0'..=b'9') => self.digit(byte.wrapping_sub(b'0')),
            (Part::Exponent, b'-') => self.exponent_negative = true,
            (_, b'-') => self.negative = true,
            (_, b'.') => self.part = Part::Fraction,
            (_, b'e' | b'E') => self.part = Part::Exponent,
            (_, b'+') => {}
            _ => return false,
        }
        true
    }

    fn digit(&mut self, digit: u8) {
        if self.part == Part::Exponent {
            self.exponent = self.exponent.saturating_mul(10).saturating_add(digit.into());
        } else if !self.more && (self.digits < FULL || (self.digits == FULL && digit <= 5)) {
            self.digits = self.digits.saturating_mul(10).saturating_add(digit.into());
            self.scale = self.scale.saturating_sub(i64::from(self.part == Part::Fraction));
        } else {
            self.more |= digit != 0;
            self.scale = self.scale.saturating_add(i64::from(self.part == Part::Whole));
        }
    }

    /// Whether it has a minus sign.
    pub(super) fn negative(&self) -> bool {
        self.negative
    }

    /// The number rounded up to a whole one: 0 if it is negative, at most 2⁶⁴ − 1.
    pub(super) fn rounded_up(&self) -> u64 {
        if self.negative || self.digits == 0 {
            return 0;
        }
        let digits = self.digits.saturating_add(u64::from(self.more));
        let sign = if self.exponent_negative { -1 } else { 1 };
        let exponent = self.scale.saturating_add(self.exponent.saturating_mul(sign));
        let ten = u32::try_from(exponent.unsigned_abs()).ok().and_then(|n| 10_u64.checked_pow(n));
        match (ten, exponent < 0) {
            (Some(ten), true) => digits.div_ceil(ten),
            (None, true) => 1,
            (Some(ten), false) => digits.saturating_mul(ten),
            (None, false) => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rounded(text: &str) -> u64 {
        let mut number = Number::default();
        assert!(text.bytes().all(|byte| number.take(byte)), "{text}");
        assert!(!number.take(b','));
        number.rounded_up()
    }

    #[test]
    fn every_spelling_of_a_number_is_rounded_up() {
        for (text, want) in [
            ("300", 300),
            ("300.0", 300),
            ("18446744069999999999", 18_446_744_069_999_999_999),
            ("18446744073709551614", u64::MAX - 1),
            ("18446744073709551615", u64::MAX),
            ("18446744073709551616", u64::MAX),
            ("184467440737095516190e-1", u64::MAX),
            ("3e2", 300),
            ("3E+2", 300),
            ("0.3e3", 300),
            ("30000e-2", 300),
            ("3000000000000000000000000e-22", 300),
            ("300.0000000000000000000000000", 300),
            ("300.0000000000000000000000001", 301),
            ("299.5", 300),
            ("0.001", 1),
            ("1e-400", 1),
            ("1e-99999999999999999999999", 1),
            ("0", 0),
            ("0.0", 0),
            ("0e9", 0),
            ("-0", 0),
            ("-5", 0),
            ("-1e400", 0),
            ("18446744073709551615", u64::MAX),
            ("18446744073709551616", u64::MAX),
            ("1e400", u64::MAX),
            ("1e99999999999999999999999", u64::MAX),
            ("9007199254740993", 9_007_199_254_740_993),
            ("0.00000000000000000000000000000000000000000007e44", 7),
        ] {
            assert_eq!(rounded(text), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_fraction_of_any_length_is_rounded_up(
            whole in 0..1_000_000_u32, fraction in "[0-9]{1,40}", power in 0..6_u32,
        ) {
            let exact = fraction.bytes().all(|digit| digit == b'0');
            prop_assert_eq!(rounded(&format!("{whole}.{fraction}")), u64::from(whole) + u64::from(!exact));
            // The same with the point elsewhere.
            let zeros = "0".repeat(power as usize);
            prop_assert_eq!(
                rounded(&format!("{whole}{zeros}.0e-{power}")),
                u64::from(whole),
            );
        }
    }
}
