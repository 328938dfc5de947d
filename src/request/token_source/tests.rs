//! Finding and removing tokens in each place.

use std::borrow::Cow;

use super::parts::continues_name;
use super::*;
use crate::request::headers::Headers;
use crate::verify::base64url;

fn header(name: &str, prefix: &str) -> Place {
    Place::Header { name: name.into(), prefix: prefix.into() }
}

fn rules(from: Vec<Place>) -> TokenRules {
    TokenRules { from, forward: false, max_bytes: 16384 }
}

fn bearer() -> TokenRules {
    rules(vec![header("authorization", "Bearer ")])
}

fn everywhere() -> TokenRules {
    rules(vec![
        header("authorization", "Bearer "),
        header("x-user-token", ""),
        Place::Cookie("access_token".into()),
        Place::Query("access_token".into()),
        Place::WebsocketProtocol("base64url.bearer.authorization.k8s.io.".into()),
        Place::WebsocketProtocol("bearer.".into()),
    ])
}

fn one(token: &str) -> Found<'static> {
    Found::One(Cow::Owned(token.as_bytes().to_vec()))
}

#[test]
fn the_scheme_compares_without_case_and_other_schemes_are_no_token() {
    for (value, found) in [
        ("Bearer a.b.c", one("a.b.c")),
        ("bEARER a.b.c", one("a.b.c")),
        ("Bearer   a.b.c ", one("a.b.c")),
        ("Bearer", one("")),
        ("Bearer ", one("")),
        ("Bearera.b.c", Found::None),
        ("Basic dXNlcjpwYXNz", Found::None),
        ("", Found::None),
        ("a.b.c", Found::None),
        ("Bearer a.b.c,Bearer a.b.c", Found::Several),
        ("Bearer a.b.c, d.e.f", Found::Several),
        ("Basic abc, Bearer a.b.c", Found::Several),
        ("Digest a=b, c=d", Found::None),
        ("Bearer Bearer a.b.c", one("Bearer a.b.c")),
        ("Bearer-Token a.b.c", Found::None),
        ("Bearer\ta.b.c", one(".")),
        ("Bearer \ta.b.c", one(".")),
        ("Bearer\t a.b.c", one(".")),
        ("bearer\x0ba.b.c", one(".")),
        ("Bearer\u{a0}a.b.c", one(".")),
        ("Bearer:a.b.c", one(".")),
        ("Bearer=a.b.c", one(".")),
        ("\u{a0}Bearer a.b.c", one(".")),
        ("\"Bearer a.b.c\"", one(".")),
        ("Basic x, Bearer\ta.b.c", Found::Several),
    ] {
        let headers = Headers::from_pairs(&[("authorization", value)]);
        assert_eq!(find(&headers, &bearer()), found, "{value}");
    }
}

#[test]
fn what_a_server_could_split_at_another_space_is_malformed_and_goes_with_the_token() {
    for byte in (0..=255_u8).filter(|byte| !continues_name(*byte) && !b" ,".contains(byte)) {
        let values = [
            [b"Bearer", &[byte][..], b"YQ.b.c"].concat(),
            [b"bearer ", &[byte][..], b"YQ.b.c"].concat(),
            [b"BEARER", &[byte][..], b" YQ.b.c"].concat(),
        ];
        for value in values {
            let headers = Headers::from_pairs(&[("authorization", &value)]);
            let Found::One(token) = find(&headers, &bearer()) else {
                panic!("{}", value.escape_ascii());
            };
            let header = token.split(|byte| *byte == b'.').next().unwrap();
            let is_token = !header.is_empty() && base64url::decode(header).is_some();
            assert!(!is_token, "{}", value.escape_ascii());
            let gone = [Rewrite { name: b"authorization".to_vec(), values: vec![] }];
            assert_eq!(removal(&headers, &bearer(), true), gone, "{}", value.escape_ascii());
        }
    }
}

#[test]
fn an_empty_value_is_no_token() {
    let rules = everywhere();
    for (name, empty) in [
        ("x-user-token", ""),
        ("x-user-token", " "),
        ("X_User_Token", ""),
        ("cookie", "access_token="),
        ("cookie", "access_token=\"\""),
        (":path", "/a?access_token="),
        (":path", "/a?access_token"),
        ("sec-websocket-protocol", "bearer."),
        ("sec-websocket-protocol", "base64url.bearer.authorization.k8s.io."),
        ("authorization", ""),
    ] {
        assert_eq!(find(&Headers::from_pairs(&[(name, empty)]), &rules), Found::None, "{name}");
        for beside in [("authorization", "Bearer a.b.c"), ("x-user-token", "a.b.c")] {
            let headers = Headers::from_pairs(&[(name, empty), beside]);
            assert_eq!(find(&headers, &rules), one("a.b.c"), "{name} {beside:?}");
        }
    }
}

#[test]
fn every_spelling_of_a_token_header_is_that_header() {
    for name in ["x_user_token", "X.User.Token", "x~user+token"] {
        let alone = Headers::from_pairs(&[(name, "a.b.c")]);
        assert_eq!(find(&alone, &everywhere()), one("a.b.c"), "{name}");
        let gone = [Rewrite { name: name.into(), values: vec![] }];
        assert_eq!(removal(&alone, &everywhere(), true), gone, "{name}");
        for token in ["a.b.c", "d.e.f"] {
            let beside = Headers::from_pairs(&[("x-user-token", "a.b.c"), (name, token)]);
            assert_eq!(find(&beside, &everywhere()), Found::Several, "{name}");
            let gone =
                ["x-user-token", name].map(|name| Rewrite { name: name.into(), values: vec![] });
            assert_eq!(removal(&beside, &everywhere(), true), gone, "{name}");
        }
    }
    let pairs = [("sec_websocket_protocol", "chat, bearer.a.b.c"), ("sec-websocket-protocol", "x")];
    let headers = Headers::from_pairs(&pairs);
    assert_eq!(find(&headers, &everywhere()), one("a.b.c"));
    let left = [Rewrite { name: pairs[0].0.into(), values: vec![b"chat".to_vec()] }];
    assert_eq!(removal(&headers, &everywhere(), true), left);
}

#[test]
fn a_protocol_after_a_word_is_the_token_and_goes_with_the_word() {
    let rules = rules(vec![Place::WebsocketProtocolAfter("bearer".into())]);
    type Case = (&'static [&'static str], Found<'static>, Option<&'static [&'static str]>);
    let cases: [Case; 18] = [
        (&["bearer, a.b.c"], one("a.b.c"), Some(&[])),
        (&["bearer,a.b.c"], one("a.b.c"), Some(&[])),
        (&["chat, bearer, a.b.c, v2"], one("a.b.c"), Some(&["chat, v2"])),
        (&["bearer, a.b.c, v2"], one("a.b.c"), Some(&["v2"])),
        (&["bearer", "a.b.c"], one("a.b.c"), Some(&[])),
        (&["chat, bearer", "a.b.c, v2"], one("a.b.c"), Some(&["chat", "v2"])),
        (&["bearer,", " ,a.b.c"], one("a.b.c"), Some(&[])),
        (&["bearer,,a.b.c"], one("a.b.c"), Some(&[])),
        (&["bearer, a.b.c, bearer, a.b.c"], one("a.b.c"), Some(&[])),
        (&["bearer, a.b.c, bearer, d.e.f"], Found::Several, Some(&[])),
        (&["bearer, bearer, a.b.c"], Found::Several, Some(&[])),
        (&["bearer"], Found::None, None),
        (&["chat, bearer"], Found::None, None),
        (&["a.b.c, bearer"], Found::None, None),
        (&["Bearer, a.b.c"], Found::None, None),
        (&["bearer.a.b.c"], Found::None, None),
        (&["chat"], Found::None, None),
        (&[""], Found::None, None),
    ];
    for (lines, found, left) in cases {
        let pairs: Vec<_> = lines.iter().map(|line| ("sec-websocket-protocol", *line)).collect();
        let headers = Headers::from_pairs(&pairs);
        assert_eq!(find(&headers, &rules), found, "{lines:?}");
        let rewrites = removal(&headers, &rules, true);
        let left = left.map(|left| Rewrite {
            name: b"sec-websocket-protocol".to_vec(),
            values: left.iter().map(|line| line.as_bytes().to_vec()).collect(),
        });
        assert_eq!(rewrites, left.into_iter().collect::<Vec<_>>(), "{lines:?}");
    }
}

#[test]
fn a_header_without_prefix_is_taken_whole() {
    let rules = rules(vec![header("x-user-token", "")]);
    let headers = Headers::from_pairs(&[("x-user-token", "a.b.c"), ("authorization", "x")]);
    assert_eq!(find(&headers, &rules), one("a.b.c"));
}

#[test]
fn only_a_prefix_that_ends_in_a_space_takes_further_ones() {
    let headers = Headers::from_pairs(&[("x-user-token", "key=  a"), ("authorization", "x")]);
    for (prefix, want) in [("key=", "  a"), ("key= ", "a")] {
        let rules = rules(vec![header("x-user-token", prefix)]);
        assert_eq!(find(&headers, &rules), one(want), "{prefix:?}");
    }
}

#[test]
fn a_line_without_a_token_stays_byte_for_byte() {
    let line = " a=1;; b=2,,c ";
    for (name, token) in [("cookie", "access_token=t"), ("sec-websocket-protocol", "bearer.t")] {
        let pairs = [(name, line), (name, token)];
        let want = [Rewrite { name: name.into(), values: vec![line.into()] }];
        assert_eq!(removal(&Headers::from_pairs(&pairs), &everywhere(), true), want);
    }
}

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
