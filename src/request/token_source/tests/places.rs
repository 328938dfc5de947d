//! Tokens in several places.

use super::*;

#[test]
fn two_headers_are_several_tokens_even_if_equal_and_another_scheme_beside_does_not_count() {
    let pairs = [("authorization", "Bearer a"), ("authorization", "Bearer a")];
    assert_eq!(find(&Headers::from_pairs(&pairs), &bearer()), Found::Several);
    let pairs = [("authorization", "Basic a"), ("authorization", "Bearer a")];
    assert_eq!(find(&Headers::from_pairs(&pairs), &bearer()), one("a"));
}

/// One line: a header, what is found in it, and what is left of it.
type Line = (&'static str, &'static str, Option<&'static str>, Option<&'static str>);

#[test]
fn each_place_gives_its_token_and_loses_nothing_else() {
    let lines: [Line; 37] = [
        ("authorization", "Bearer a.b.c", Some("a.b.c"), None),
        ("authorization", "Basic x", None, Some("Basic x")),
        ("x-user-token", "a.b.c", Some("a.b.c"), None),
        ("cookie", "access_token=a.b.c", Some("a.b.c"), None),
        ("cookie", "x=1; access_token=a.b.c; y=2", Some("a.b.c"), Some("x=1; y=2")),
        ("cookie", "access_token=a.b.c; y=2", Some("a.b.c"), Some("y=2")),
        ("cookie", "x=1; access_token=a.b.c", Some("a.b.c"), Some("x=1")),
        ("cookie", "x=1;access_token=a.b.c;y=2", Some("a.b.c"), Some("x=1;y=2")),
        ("cookie", "x=\"a b\" ;  access_token=\"a.b.c\" ; y", Some("a.b.c"), Some("x=\"a b\" ; y")),
        ("cookie", "access_token =a.b.c", Some("a.b.c"), None),
        ("cookie", "access_token=a.b.c; access_token=a.b.c", Some("a.b.c"), None),
        ("cookie", "access_token=", None, None),
        ("cookie", "access_token", None, Some("access_token")),
        ("cookie", "Access_Token=a", None, Some("Access_Token=a")),
        (
            "cookie",
            "xaccess_token=a; access_token2=b",
            None,
            Some("xaccess_token=a; access_token2=b"),
        ),
        ("cookie", "x=access_token=a", None, Some("x=access_token=a")),
        ("cookie", ";; ;", None, Some(";; ;")),
        (":path", "/a", None, Some("/a")),
        (":path", "/a?", None, Some("/a?")),
        (":path", "/a?access_token=a.b.c", Some("a.b.c"), Some("/a")),
        (":path", "/a?x=1&access_token=a.b.c&y=%2F&&z", Some("a.b.c"), Some("/a?x=1&y=%2F&&z")),
        (":path", "/a?access_token=a.b.c&y=2", Some("a.b.c"), Some("/a?y=2")),
        (":path", "/a?access_token=a.b.c&access_token=a.b.c", Some("a.b.c"), Some("/a")),
        (":path", "/a?access%5Ftoken=a%2Eb.c&y", Some("a.b.c"), Some("/a?y")),
        (":path", "/a?access_token", None, Some("/a")),
        (
            ":path",
            "/a?ACCESS_TOKEN=a&xaccess_token=b",
            None,
            Some("/a?ACCESS_TOKEN=a&xaccess_token=b"),
        ),
        (":path", "/access_token=a/b?c", None, Some("/access_token=a/b?c")),
        (":path", "/a?x=?access_token=a", None, Some("/a?x=?access_token=a")),
        ("sec-websocket-protocol", "chat, bearer.a.b.c", Some("a.b.c"), Some("chat")),
        ("sec-websocket-protocol", "bearer.a.b.c, chat", Some("a.b.c"), Some("chat")),
        ("sec-websocket-protocol", "x,bearer.a.b.c,chat", Some("a.b.c"), Some("x,chat")),
        ("sec-websocket-protocol", "bearer.a.b.c", Some("a.b.c"), None),
        (
            "sec-websocket-protocol",
            "base64url.bearer.authorization.k8s.io.YS5iLmM, v4.channel.k8s.io",
            Some("a.b.c"),
            Some("v4.channel.k8s.io"),
        ),
        (
            "sec-websocket-protocol",
            "base64url.bearer.authorization.k8s.io.!, chat",
            Some("."),
            Some("chat"),
        ),
        ("sec-websocket-protocol", "chat", None, Some("chat")),
        ("sec-websocket-protocol", "Bearer.a", None, Some("Bearer.a")),
        ("x-other", "Bearer a.b.c", None, Some("Bearer a.b.c")),
    ];
    for (name, value, token, left) in lines {
        let headers = Headers::from_pairs(&[(name, value)]);
        assert_eq!(find(&headers, &everywhere()), token.map_or(Found::None, one), "{value}");
        let rewrites = removal(&headers, &everywhere(), true);
        if left == Some(value) {
            assert_eq!(rewrites, [], "{value}");
            continue;
        }
        let values = left.iter().map(|left| left.as_bytes().to_vec()).collect();
        assert_eq!(rewrites, [Rewrite { name: name.into(), values }], "{value}");
    }
}

#[test]
fn the_same_token_in_two_places_is_one_and_another_makes_several() {
    let places = [
        ("authorization", "Bearer a.b.c"),
        ("x-user-token", "a.b.c"),
        ("cookie", "access_token=a.b.c"),
        (":path", "/?access_token=a.b.c"),
        ("sec-websocket-protocol", "bearer.a.b.c"),
    ];
    assert_eq!(find(&Headers::from_pairs(&places), &everywhere()), one("a.b.c"));
    for at in 0..places.len() {
        let mut changed = places.map(|(name, value)| (name, value.to_owned()));
        changed[at].1 = changed[at].1.replace("a.b.c", "d.e.f");
        assert_eq!(find(&Headers::from_pairs(&changed), &everywhere()), Found::Several, "{at}");
        changed[at].1 = places[at].1.replace("a.b.c", "");
        // A scheme without a token is malformed, an empty value is none.
        let want = if at == 0 { Found::Several } else { one("a.b.c") };
        assert_eq!(find(&Headers::from_pairs(&changed), &everywhere()), want, "{at}");
    }
    for (name, value) in [
        ("cookie", "access_token=a; access_token=b"),
        (":path", "/?access_token=a&access_token=b"),
        ("sec-websocket-protocol", "bearer.a, bearer.b"),
        ("x-user-token", "a, b"),
    ] {
        assert_eq!(find(&Headers::from_pairs(&[(name, value)]), &everywhere()), Found::Several);
    }
}

#[test]
fn lines_beside_the_one_with_the_token_stay_in_their_order() {
    let pairs = [("cookie", "a=1"), ("cookie", "access_token=t"), ("cookie", "b=2")];
    let want = [Rewrite { name: "cookie".into(), values: vec![b"a=1".to_vec(), b"b=2".to_vec()] }];
    assert_eq!(removal(&Headers::from_pairs(&pairs), &everywhere(), true), want);
    let pairs = [("sec-websocket-protocol", "bearer.a, base64url.bearer.authorization.k8s.io.YQ")];
    let want = [Rewrite { name: "sec-websocket-protocol".into(), values: vec![] }];
    assert_eq!(removal(&Headers::from_pairs(&pairs), &everywhere(), true), want);
}

#[test]
fn ten_thousand_cookies_are_looked_through_once() {
    let many = (0..10_000).map(|n| format!("c{n}=v")).collect::<Vec<_>>().join("; ");
    let value = format!("{many}; access_token=a.b.c");
    let headers = Headers::from_pairs(&[("cookie", &value)]);
    assert_eq!(find(&headers, &everywhere()), one("a.b.c"));
    let rewrites = removal(&headers, &everywhere(), true);
    assert_eq!(rewrites[0].values, [many.into_bytes()]);
}

#[test]
fn no_bytes_make_it_panic_and_what_was_removed_is_not_found_again() {
    let rules = everywhere();
    for a in 0..=255_u8 {
        for b in [b'=', b';', b',', b'&', b'?', b'%', b'"', b' ', b'#'] {
            for name in
                ["authorization", "x-user-token", "cookie", ":path", "sec-websocket-protocol"]
            {
                let value =
                    [&[b][..], b"access_token=", &[a, b], b"access_token=x", &[b, a]].concat();
                let headers = Headers::from_pairs(&[(name.as_bytes(), value)]);
                let mut left: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
                for rewrite in removal(&headers, &rules, true) {
                    left.extend(rewrite.values.into_iter().map(|v| (rewrite.name.clone(), v)));
                }
                assert_eq!(
                    find(&Headers::from_pairs(&left), &rules),
                    Found::None,
                    "{name} {a} {b}"
                );
            }
        }
    }
}

#[test]
fn every_copy_of_the_token_goes_with_it_and_nothing_else_does() {
    let token = "a.b.c";
    let own_header = ("authorization", "Bearer a.b.c");
    for (name, value, left) in [
        ("api-key", "a.b.c", Some(&[][..])),
        ("x-api-key", "Bearer  a.b.c", Some(&[])),
        ("api_key", " a.b.c ", Some(&[])),
        ("x-list", "one, a.b.c, two", Some(&[&b"one, two"[..]])),
        ("cookie", "s=1; t=a.b.c; u=2", Some(&[b"s=1; u=2"])),
        ("cookie", "t=\"a.b.c\"", Some(&[])),
        ("cookie", "s=1; t=Bearer a.b.c", Some(&[b"s=1"])),
        ("x-json", "{\"t\":\"a.b.c\"}", Some(&[])),
        ("x-coded", "a%2Eb%2ec", Some(&[])),
        ("referer", "https://h/app?access_token=a.b.c", Some(&[])),
        (":path", "/x?k=Bearer%20a.b.c&l=1", Some(&[b"/x?l=1"])),
        (":path", "/x?k=a.b.c&l=1#k=a.b.c", Some(&[b"/x?l=1#k=a.b.c"])),
        (":path", "/x?k=a%2Eb.c", Some(&[b"/x"])),
        (":path", "/a.b.c", None),
        (":authority", token, None),
        ("content-type", "a.b.c", None),
        ("connection", "upgrade, a.b.c", None),
        ("api-key", "a.b.", None),
    ] {
        let headers = Headers::from_pairs(&[own_header, (name, value)]);
        let rewrites = removal(&headers, &bearer(), true);
        let own = Rewrite { name: own_header.0.into(), values: vec![] };
        let copy = left.map(|left| Rewrite {
            name: name.into(),
            values: left.iter().map(|line| line.to_vec()).collect(),
        });
        let want: Vec<Rewrite> = [own].into_iter().chain(copy).collect();
        assert_eq!(rewrites, want, "{name}: {value}");
        // What is not verified may be the text of any header.
        let unverified = removal(&headers, &bearer(), false);
        assert_eq!(unverified.len(), 1, "{name}: {value}");
    }
}
