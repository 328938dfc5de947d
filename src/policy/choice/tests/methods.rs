//! Methods.

use super::*;

#[test]
fn neither_letter_case_of_a_method_nor_a_header_that_names_one_chooses_a_weaker_rule() {
    let overridden = Headers::from_pairs(&[("x-http-method-override", " delete ")]);
    let get = Headers::from_pairs(&[("x-method-override", "GET")]);
    let two = Headers::from_pairs(&[("x-http-method", "GET"), ("x-http-method", "GET")]);
    let list = Headers::from_pairs(&[("x-http-method-override", "DELETE,")]);
    let open_list = Headers::from_pairs(&[("x-http-method-override", "GET, DELETE")]);
    let trace = Headers::from_pairs(&[("x-http-method-override", "trace")]);
    let none = Headers::default();
    let delete = with_role(rule("delete", methods(&["DELETE"]), Auth::Required), "Admin");
    let read = rule("read", methods(&["GET"]), Auth::None);
    let rest = rule("rest", Matcher::default(), Auth::Required);
    let rules = [delete.clone(), read.clone(), rest];
    for (method, headers, want) in [
        ("DELETE", &none, "delete"),
        ("delete", &none, "delete"),
        ("Delete", &none, "delete"),
        ("GET", &none, "read"),
        ("get", &none, "rest"),
        ("POST", &none, "rest"),
        ("POST", &overridden, "delete"),
        ("GET", &overridden, "delete"),
        ("POST", &get, "rest"),
        ("DELETE", &get, "delete"),
        ("GET", &get, "read"),
        ("POST", &two, "method"),
        ("POST", &list, "method"),
        ("POST", &open_list, "method"),
        ("POST", &trace, "method"),
    ] {
        let request = RequestLine { headers, ..request(Some("h"), Some("/"), method) };
        assert_eq!(choice(&rules, &request, true), want, "{method} {:?}", headers);
    }
    // Without a rule for the rest, what opens is ambiguous.
    let request = RequestLine { headers: &get, ..request(Some("h"), Some("/"), "POST") };
    assert_eq!(choice(&rules[..2], &request, true), "method");
    // No rule asks for methods: nothing depends on them.
    let request = RequestLine { headers: &two, ..request };
    assert_eq!(choice(&rules[2..], &request, true), "rest");
}

#[test]
fn a_method_that_a_header_names_is_not_one_that_servers_echo_where_a_key_is_lent() {
    let trace = Headers::from_pairs(&[("x-method-override", "TRACE")]);
    let mut lends = rule("lends", Matcher::default(), Auth::Required);
    lends.upstream_authorization = Some(lent("Bearer key"));
    let request = RequestLine { headers: &trace, ..request(Some("h"), Some("/"), "POST") };
    assert_eq!(choice(&[lends], &request, true), "method");
}

/// Servers answer HEAD by what they have for GET.
#[test]
fn head_passes_by_no_rule_that_is_weaker_than_that_for_get() {
    let strict = Matcher { methods: methods(&["GET"]).methods, ..paths(&["/admin"]) };
    let strict = with_role(rule("strict", strict, Auth::Required), "Admin");
    let open = rule("open", Matcher::default(), Auth::None);
    let read = rule("read", methods(&["GET"]), Auth::None);
    for (rules, path, want) in [
        (vec![strict.clone(), open.clone()], "/admin", "strict"),
        (vec![strict, open], "/other", "open"),
        // And a rule for GET opens nothing for it.
        (vec![read], "/", "none"),
    ] {
        let request = request(Some("h"), Some(path), "HEAD");
        assert_eq!(choice(&rules, &request, true), want, "{path}");
    }
}
