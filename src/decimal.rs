//! Numbers as decimal digits on the path of a request, where the formatting machinery costs more
//! than the digits.

/// Appends a number to a text.
pub(crate) fn push(text: &mut String, number: u64) {
    let mut divisor = 1;
    while number / divisor >= 10 {
        divisor *= 10;
    }
    while divisor > 0 {
        let digit = u8::try_from(number / divisor % 10).unwrap_or(0);
        text.push(char::from(b'0' + digit));
        divisor /= 10;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_written_as_they_are_read() {
        for number in [0, 7, 9, 10, 99, 100, 4096, 10_000_000_000_000_000_000, u64::MAX] {
            let mut text = String::from("=");
            super::push(&mut text, number);
            assert_eq!(text, format!("={number}"));
        }
    }
}
