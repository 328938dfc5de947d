//! Where the token of a request is found.

use crate::headers::Headers;
use crate::policy::TokenRules;

/// What a look for tokens brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// No credentials of ours.
    None,
    /// One candidate, not judged yet; it may be empty.
    One(&'a [u8]),
    /// More than one: which of them a backend would believe is anybody's guess.
    Several,
}

/// Looks for the token in the header that the configuration names.
///
/// Credentials of another scheme (`Basic …`) are no token. A header that comes twice, or that a
/// proxy on the way joined with a comma (RFC 9110 §5.3), is several tokens even if they are equal.
pub fn find<'a>(headers: &'a Headers, rules: &'a TokenRules) -> Found<'a> {
    let prefix = rules.prefix.as_bytes();
    let mut found = Found::None;
    for value in headers.all(&rules.header) {
        let mut parts = value.split(|byte| *byte == b',');
        let first = parts.next().and_then(|part| after_prefix(part, prefix));
        let joined = match first {
            Some(_) => parts.next().is_some(),
            None => parts.any(|part| after_prefix(part, prefix).is_some()),
        };
        match first {
            _ if joined => return Found::Several,
            Some(_) if found != Found::None => return Found::Several,
            Some(candidate) => found = Found::One(candidate),
            None => {}
        }
    }
    found
}

/// What follows the prefix. `Bearer` alone, its space lost to trimming, is an empty token; spaces
/// beyond the one of the prefix are allowed (RFC 9110 §11.4: `1*SP`).
fn after_prefix<'a>(value: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let value = value.trim_ascii();
    let word = prefix.trim_ascii();
    let (head, rest) = value.split_at_checked(word.len())?;
    if !head.eq_ignore_ascii_case(word) {
        return None;
    }
    let spaced = word.len() < prefix.len();
    match rest.first() {
        Some(b' ') if spaced => Some(rest.trim_ascii_start()),
        None => Some(rest),
        Some(_) if spaced => None,
        Some(_) => Some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer() -> TokenRules {
        TokenRules { header: "authorization".into(), prefix: "Bearer ".into(), max_bytes: 16384 }
    }

    #[test]
    fn the_scheme_compares_without_case_and_other_schemes_are_no_token() {
        for (value, found) in [
            ("Bearer a.b.c", Found::One(b"a.b.c")),
            ("bEARER a.b.c", Found::One(b"a.b.c")),
            ("Bearer   a.b.c ", Found::One(b"a.b.c")),
            ("Bearer", Found::One(b"")),
            ("Bearer ", Found::One(b"")),
            ("Bearera.b.c", Found::None),
            ("Basic dXNlcjpwYXNz", Found::None),
            ("", Found::None),
            ("a.b.c", Found::None),
            ("Bearer a.b.c,Bearer a.b.c", Found::Several),
            ("Bearer a.b.c, d.e.f", Found::Several),
            ("Basic abc, Bearer a.b.c", Found::Several),
            ("Digest a=b, c=d", Found::None),
            ("Bearer Bearer a.b.c", Found::One(b"Bearer a.b.c")),
        ] {
            let headers = Headers::from_pairs(&[("authorization", value)]);
            assert_eq!(find(&headers, &bearer()), found, "{value}");
        }
    }

    #[test]
    fn a_header_without_prefix_is_taken_whole() {
        let rules = TokenRules { header: "x-user-token".into(), prefix: String::new(), ..bearer() };
        let headers = Headers::from_pairs(&[("x-user-token", "a.b.c"), ("authorization", "x")]);
        assert_eq!(find(&headers, &rules), Found::One(b"a.b.c"));
    }

    #[test]
    fn two_headers_are_several_tokens_even_if_equal_and_another_scheme_beside_does_not_count() {
        let pairs = [("authorization", "Bearer a"), ("authorization", "Bearer a")];
        assert_eq!(find(&Headers::from_pairs(&pairs), &bearer()), Found::Several);
        let pairs = [("authorization", "Basic a"), ("authorization", "Bearer a")];
        assert_eq!(find(&Headers::from_pairs(&pairs), &bearer()), Found::One(b"a"));
    }
}
