//! Readings, ambiguity and encoding of paths.

use super::*;

#[test]
fn the_query_and_the_fragment_are_cut() {
    for (path, want) in [
        ("/score", "/score"),
        ("/score?a=/b", "/score"),
        ("/score#x?y", "/score"),
        ("?", ""),
        ("", ""),
        ("*", "*"),
    ] {
        assert_eq!(without_query(path.as_bytes()), want.as_bytes(), "{path}");
    }
}

#[test]
fn paths_with_more_than_one_reading_are_ambiguous() {
    for path in [
        "//",
        "//admin",
        "/a//b",
        "/a//",
        "/.",
        "/..",
        "/./",
        "/../",
        "/a/./b",
        "/a/../b",
        "/a/.",
        "/a/..",
        "/a/..?x",
        "/%2e",
        "/%2E%2e/",
        "/.%2e/a",
        "/%2e./a",
        "/..;/a",
        "/..;x",
        "/.;x=1/a",
        "/..%3b/a",
        "/;/a",
        "/;x=1",
        "/%3bx",
        "/a%2Fb",
        "/a%2fb",
        "/a%5Cb",
        "/a%5cb",
        "/a\\b",
        "\\a",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a%2g",
        "/a%00",
        "/a%0d%0a",
        "/a%7f",
        "/a\0",
        "/a\tb",
        "/a\x7f",
        "/public#/../admin",
        "/a?b#c",
        "/%c0%ae%c0%ae/",
        "/%252e%252e/a",
        "/a%252Fb",
        "/a%2541",
        "/%C1%9c",
        "/public/%25%32%65%25%32%65/admin/x",
        "/%%32e",
        "/a%25%32F",
        "/a%2%35%32%46",
        "/a%25u002e",
        "/%e0%80%ae/x",
        "/%E0%9F%BF",
        "/%f0%80%80%ae/x",
        "/%F0%8F%BF%BF",
        "/%f8%80%80%80%ae",
        "/%fc%80%80%80%80%ae",
        "http://host/a",
        "..",
        ".",
    ] {
        assert!(ambiguous(path.as_bytes()), "{path:?}");
    }
}

#[test]
fn ordinary_paths_are_not_ambiguous() {
    for path in [
        "",
        "/",
        "*",
        "/score",
        "/score/",
        "/api/v1/endpoint/x/score",
        "/a.b",
        "/.well-known/x",
        "/...",
        "/..a",
        "/a..",
        "/a;x=1",
        "/a;x=../b",
        "/a%20b",
        "/%73core",
        "/a%25b",
        "/a%25z1",
        "/a%251z",
        "/s?next=//x/../%2f%zz",
        "/%E2%82%AC",
        "/%E0%A0%80",
        "/%F0%90%80%80",
        "/caf%e0",
        "/%ff",
        "/a%25uz",
        "/a%25u",
        "/~u/$&'()*+,=:@!",
        "/v1;/",
    ] {
        assert!(!ambiguous(path.as_bytes()), "{path:?}");
    }
}

#[test]
fn an_encoded_slash_separates_names_that_must_each_have_one_reading() {
    for (path, flawed) in [
        ("/m/org%2Fmodel:predict", false),
        ("/m/a%2fb%2Fc", false),
        ("/m/a;x%2Fb", false),
        ("/m/..%2Fadmin", true),
        ("/m/a%2F..%2Fb", true),
        ("/m/a%2F%2e", true),
        ("/m/a%2F..;x", true),
        ("/m/a%2F%2Fb", true),
        ("/m/%2Fa", true),
        ("/m/a%2F", true),
        ("/m/a%2F;x", true),
        ("/m/a%2Fb%5Cc", true),
        ("/m/a%252Fb", true),
        ("/m/a%2Fb%", true),
    ] {
        assert_eq!(ambiguous_but_for_slashes(path.as_bytes()), flawed, "{path}");
        assert!(ambiguous(path.as_bytes()), "{path}");
    }
    assert_eq!(with_slashes(b"/a%2fb%2Fc%2g").as_deref(), Some(&b"/a/b/c%2g"[..]));
    assert_eq!(with_slashes(b"/a%252Fb"), None);
}

#[test]
fn a_canonical_segment_encodes_what_must_be_encoded_and_nothing_else() {
    for (segment, canonical) in [
        ("score", true),
        ("a:b@c;d=1", true),
        ("a%20b%C3%A9", true),
        ("%73core", false),
        ("a%3Ab", false),
        ("caf%c3%a9", false),
        ("caf\u{e9}", false),
        ("a b", false),
        ("a%2", false),
        ("a%zz", false),
    ] {
        assert_eq!(is_canonical(segment.as_bytes()), canonical, "{segment}");
    }
}

#[test]
fn a_segment_has_the_same_units_from_either_end() {
    for segment in ["", "a", "%41", "%2541", "%%41", "%2%41", "%4", "%", "a%2Fb%5c%", "%25%32%35"] {
        let mut backwards = Vec::new();
        let mut rest = segment.as_bytes();
        while let Some((unit, before)) = last_unit(rest) {
            backwards.insert(0, unit);
            rest = before;
        }
        assert_eq!(units(segment.as_bytes()).collect::<Vec<_>>(), backwards, "{segment}");
    }
}

#[test]
fn what_stands_before_the_first_parameter_is_found() {
    assert_eq!(before_parameters(b"/a;x/b;y"), Some(&b"/a"[..]));
    assert_eq!(before_parameters(b"/a%3bx"), None);
    for path in [&b"/a%3fx;y"[..], b"/a%3F", b"/a%23x/b"] {
        assert_eq!(before_parameters(path), Some(&b"/a"[..]));
    }
}

#[test]
fn parameters_are_cut_from_each_segment() {
    for (path, want) in [
        ("/a", None),
        ("/a;x=1/b", Some("/a/b")),
        ("/a;x;y/b;z", Some("/a/b")),
        ("/a%3bx/b%3B;", Some("/a/b")),
        ("/;/", Some("//")),
        ("/a;", Some("/a")),
        ("", None),
    ] {
        let got = without_parameters(path.as_bytes());
        assert_eq!(got.as_deref(), want.map(str::as_bytes), "{path}");
    }
}

#[test]
fn no_bytes_make_it_panic_and_a_cut_query_changes_nothing() {
    for a in 0..=255_u8 {
        for b in [b'%', b'/', b'.', b';', 0, 0xFF] {
            let path = [b'/', a, b, a];
            if !path.contains(&b'#') {
                assert_eq!(ambiguous(&path), ambiguous(without_query(&path)), "{path:?}");
            }
        }
    }
}
