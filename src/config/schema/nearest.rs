//! The names that a message offers in place of an unknown one.

/// `` `a` ``, `` `a` or `b` ``, or `` one of `a`, `b`, `c` ``.
pub(super) fn alternatives(names: &[&str]) -> String {
    match names {
        [a, b] => ["`", a, "` or `", b, "`"].concat(),
        [a] => ["`", a, "`"].concat(),
        _ => ["one of `", &names.join("`, `"), "`"].concat(),
    }
}

/// Names of other products, and the members that they probably stand for.
const ALIASES: [(&str, &str); 10] = [
    ("jwks", "inline"),
    ("jwks_uri", "remote"),
    ("jwks_uri", "keys"),
    ("limit", "rate"),
    ("rps", "rate"),
    ("scope", "scopes_any"),
    ("secret", "env"),
    ("url", "uri"),
    ("url", "remote"),
    ("value", "env"),
];

/// The allowed name that a mistyped one probably means. The module leaves it out; the list is enough in
/// a log.
pub(super) fn nearest(name: &str, names: &[&str]) -> String {
    if cfg!(target_family = "wasm") || name.len() > 64 {
        return String::new();
    }
    let alias = ALIASES.iter().find(|(alias, known)| *alias == name && names.contains(known));
    let near = names.iter().map(|known| (distance(name, known), known)).min();
    let near = near.filter(|(distance, _)| (1..=2).contains(distance)).map(|(_, known)| *known);
    // `roles` for `roles_any`.
    let longer = || names.iter().find(|known| known.starts_with(&[name, "_"].concat())).copied();
    match near.or_else(longer).or(alias.map(|(_, known)| *known)) {
        Some(known) => [" (did you mean `", known, "`?)"].concat(),
        None => String::new(),
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
            assert_eq!(nearest(name, &names), format!(" (did you mean `{known}`?)"));
        }
        assert_eq!(nearest("roles", &["roles_any", "clients"]), " (did you mean `roles_any`?)");
        assert_eq!(nearest("jwks_uri", &["env", "remote"]), " (did you mean `remote`?)");
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
