//! The names that a message offers in place of an unknown one.

/// `` `a` ``, `` `a` or `b` ``, or `` one of `a`, `b`, `c` ``.
pub(super) fn alternatives(names: &[&str]) -> String {
    match names {
        [a, b] => ["`", a, "` or `", b, "`"].concat(),
        [a] => ["`", a, "`"].concat(),
        _ => ["one of `", &names.join("`, `"), "`"].concat(),
    }
}

/// The allowed name that a mistyped one probably means. The module leaves it out; the list is enough in
/// a log.
pub(super) fn nearest(name: &str, names: &[&str]) -> String {
    if cfg!(target_family = "wasm") || name.len() > 64 {
        return String::new();
    }
    let nearest = names.iter().map(|known| (distance(name, known), known)).min();
    match nearest {
        Some((1..=2, known)) => [" (is `", known, "` meant?)"].concat(),
        _ => String::new(),
    }
}

/// The number of bytes to add, remove or change until both names are equal (Levenshtein distance).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, a) in a.bytes().enumerate() {
        let mut above_left = index;
        let mut left = index.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(b.bytes()) {
            let changed = above_left.saturating_add(usize::from(a != b));
            above_left = *cell;
            left = changed.min(left.min(above_left).saturating_add(1));
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_mistyped_is_recognised() {
        let names = ["issuers", "audiences", "keys"];
        for (name, known) in [
            ("issuer", "issuers"),
            ("isuers", "issuers"),
            ("audience", "audiences"),
            ("key", "keys"),
        ] {
            assert_eq!(nearest(name, &names), format!(" (is `{known}` meant?)"));
        }
        for name in ["", "issue_time", "x", "issuers".repeat(20).as_str()] {
            assert_eq!(nearest(name, &names), "");
        }
    }

    #[test]
    fn the_distance_of_two_names_is_the_fewest_changes() {
        for (a, b, want) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("abc", "abc", 0)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (want, want), "{a} {b}");
        }
    }
}
