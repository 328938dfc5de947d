//! Requests that servers read in several ways.

use super::*;
use proptest::prelude::*;

#[test]
fn an_encoded_query_or_fragment_leads_past_no_rule() {
    let rules = [
        with_role(rule("strict", paths(&["/secret"]), Auth::Required), "Admin"),
        rule("open", Matcher::default(), Auth::None),
    ];
    for (path, want) in [
        ("/secret%3fx", "path"),
        ("/secret%3F", "path"),
        ("/secret%23x", "path"),
        ("/other%3fx", "open"),
    ] {
        let request = request(Some("h"), Some(path), "GET");
        assert_eq!(choice(&rules, &request, true), want, "{path}");
    }
}

#[test]
fn readings_of_several_parts_at_once_are_looked_at_together() {
    let both = Matcher { methods: methods(&["DELETE"]).methods, ..paths(&["/secret"]) };
    let rules = [
        rule("public", hosts(&["public"]), Auth::None),
        with_role(rule("strict", both, Auth::Required), "Admin"),
        rule("rest", Matcher::default(), Auth::Required),
    ];
    let ask = |host, path, method| choice(&rules, &request(Some(host), Some(path), method), false);
    assert_eq!(ask("public", "/secret", "GET"), "public");
    assert_eq!(ask("public:1", "/secret", "GET"), "host");
    assert_eq!(ask("other:1", "/secret", "delete"), "strict");
    assert_eq!(ask("other:1", "/%73ecret;x", "delete"), "strict");
}

#[test]
fn a_header_with_more_than_one_reading_chooses_neither_a_weaker_nor_a_stricter_rule() {
    let by = |name: &str, value, auth| rule(name, headers("x-a", value), auth);
    let all = || rule("all", Matcher::default(), Auth::Required);
    let opened = [by("open", Some("1"), Auth::None), all()];
    let only = [by("open", Some("1"), Auth::None)];
    let watched = [by("maybe", None, Auth::Optional), all()];
    let closed = [with_role(by("strict", Some("1"), Auth::Required), "admin"), all()];
    let weaker = [by("weak", Some("1"), Auth::Required), with_role(all(), "admin")];
    let sides = [
        with_role(by("blue", Some("1"), Auth::Required), "blue"),
        with_role(by("green", Some("2"), Auth::Required), "green"),
        all(),
    ];
    type Case<'a> = (&'a [Rule], &'static [(&'static str, &'static str)], &'static str);
    let cases: [Case<'_>; 23] = [
        (&opened, &[("x-a", "1")], "open"),
        (&opened, &[("x_a", "1")], "all"),
        (&opened, &[("x-a", "1"), ("x-a", "1")], "all"),
        (&opened, &[("x-a", "1"), ("X-A", "2")], "all"),
        (&opened, &[("x-a", "1,2")], "all"),
        (&only, &[("x_a", "1")], "header"),
        (&only, &[("x_a", "2")], "none"),
        (&watched, &[("x-a", "")], "maybe"),
        (&watched, &[("x+a", "")], "all"),
        (&closed, &[("x-a", "1")], "strict"),
        (&closed, &[("x-a", "2")], "all"),
        (&closed, &[("x_a", "2")], "all"),
        (&closed, &[("x_a", "1")], "strict"),
        (&closed, &[("x-a", "2"), ("x-a", "1")], "strict"),
        (&closed, &[("x-a", "2"), ("x!a", "1")], "strict"),
        (&closed, &[("x-a", "2,1")], "strict"),
        (&weaker, &[("x-a", "1")], "weak"),
        (&weaker, &[("x_a", "1")], "all"),
        (&sides, &[("x-a", "1")], "blue"),
        (&sides, &[("x-a", "2")], "green"),
        (&sides, &[("x-a", "1"), ("x-a", "2")], "header"),
        (&sides, &[("x-a", "1"), ("x_a", "2")], "header"),
        (&sides, &[("x_a", "1")], "blue"),
    ];
    for (rules, given, want) in cases {
        let given = Headers::from_pairs(given);
        for path in ["/", "/a;x", "/%61"] {
            let line = request(Some("h"), Some(path), "GET");
            let line = RequestLine { headers: &given, ..line };
            for strict in [false, true] {
                assert_eq!(choice(rules, &line, strict), want, "{:?} {path} {strict}", given);
            }
        }
    }
}

proptest! {
    /// 50 requests for each list of rules.
    #[test]
    fn the_index_of_many_rules_leads_to_the_rule_that_a_walk_finds(
        rules in prop::collection::vec((index::matcher(), any::<bool>()), 9..24),
        requests in prop::collection::vec(
            (index::host(), any::<bool>(), index::path(), index::method()), 50,
        ),
        headers in prop::collection::vec(index::header(), 0..8),
    ) {
        let headers = Headers::from_pairs(&headers);
        let rules = rules.into_iter().enumerate().map(|(number, (matcher, open))| {
            let auth = if open { Auth::None } else { Auth::Required };
            rule(&number.to_string(), matcher, auth)
        });
        let rules: Vec<Rule> = rules.collect();
        let (indexed, walked) = (Rules::new(rules.clone()), Rules::new(rules).without_index());
        let name = |choice: Choice<'_>| match choice {
            Choice::None => Ok("none".to_owned()),
            Choice::One(rule) => Ok(rule.name.clone()),
            Choice::Ambiguous(part) => Err(part),
        };
        for (host, port, path, method) in requests {
            let host = if port { host + ":80" } else { host };
            let line = request(Some(&host), Some(&path), &method);
            let line = RequestLine { headers: &headers, ..line };
            for strict in [true, false] {
                let [found, want] = [&indexed, &walked].map(|r| name(choose(r, &line, strict)));
                prop_assert_eq!(found, want, "{} {}", host, path);
            }
        }
    }
}
