//! Finding and removing tokens in each place.

mod places;

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
