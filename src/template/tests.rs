use std::borrow::Cow;
use std::collections::HashSet;

use super::*;

struct Sample;

impl Scope for Sample {
    fn value(&self, part: &Part) -> Option<PartValue<'_>> {
        let text: Option<Cow<'_, str>> = match part {
            Part::Claim(ClaimRef::Name(name)) if name == "tid" => Some("t1".into()),
            Part::Claim(ClaimRef::Name(name)) if name == "empty" => Some("".into()),
            Part::Claim(ClaimRef::Pointer(p)) if p == &["a", "b/c"] => Some("x,y".into()),
            Part::Identity => Some("me".into()),
            Part::Header(name) if name == "x-batch" => Some("7".into()),
            _ => None,
        };
        text.map(PartValue::Text)
    }
}

#[test]
fn a_template_has_a_value_only_if_every_part_has_one() {
    for (text, want) in [
        ("{tid}", Some("t1")),
        ("{tid}/{/a/b~1c}", Some("t1/x,y")),
        ("a{@identity}b{@header:X-Batch}c", Some("ameb7c")),
        ("text alone", Some("text alone")),
        ("{empty}", Some("")),
        ("{tid}/{oid}", None),
        ("{@rule}", None),
    ] {
        let mut out = String::from("kept:");
        let has = Template::parse(text).unwrap().render(&Sample, &mut out);
        assert_eq!(has, want.is_some(), "{text}");
        assert_eq!(out, format!("kept:{}", want.unwrap_or_default()), "{text}");
    }
}

#[test]
fn a_value_depends_on_the_token_alone_if_each_part_does() {
    for (text, part, of_token) in [
        ("text", Part::Text("text".into()), true),
        ("{tid}", Part::Claim(ClaimRef::Name("tid".into())), true),
        ("{@identity}", Part::Identity, true),
        ("{@kid}", Part::Kid, true),
        ("{@actor}", Part::Actor, true),
        ("{@provider}", Part::Provider, true),
        ("{@rule}", Part::Rule, false),
        ("{@client_address}", Part::ClientAddress, false),
        ("{@path:a}", Part::PathSegment("a".into()), false),
        ("{@header:X-A}", Part::Header("x-a".into()), false),
        ("{@body:/a/b~1c}", Part::Body(vec!["a".into(), "b/c".into()]), false),
    ] {
        let template = Template::parse(text).unwrap();
        assert_eq!(template.parts(), [part], "{text}");
        assert_eq!(template.is_of_token(), of_token, "{text}");
        assert_eq!(template.reads_body(), text.starts_with("{@body"), "{text}");
        assert!(!template.reads_body() || !template.is_of_match(), "{text}");
        let mixed = Template::parse(&format!("{{sub}}{text}")).unwrap();
        assert_eq!(mixed.is_of_token(), of_token, "{{sub}}{text}");
    }
}

#[test]
fn an_empty_part_differs_from_a_missing_one() {
    for (text, want) in [
        ("{tid}", Filled::Whole),
        ("{tid}/{empty}", Filled::WithEmptyPart),
        ("{empty}/{oid}", Filled::Absent),
    ] {
        assert_eq!(Template::parse(text).unwrap().identify(&Sample, &mut String::new()), want);
    }
}

/// One value for each `{name}` of a template, in the order of their names.
struct Named(Vec<PartValue<'static>>);

impl Scope for Named {
    fn value(&self, part: &Part) -> Option<PartValue<'_>> {
        let Part::Claim(ClaimRef::Name(name)) = part else { return None };
        self.0.get(usize::from(name.as_bytes()[0] - b'a')).cloned()
    }
}

fn text(value: &str) -> PartValue<'static> {
    PartValue::Text(Cow::Owned(value.to_owned()))
}

fn list(items: &[&str]) -> PartValue<'static> {
    PartValue::List(items.iter().map(|item| Cow::Owned((*item).to_owned())).collect())
}

#[test]
fn the_text_between_parts_is_escaped_inside_all_parts_but_the_first() {
    for (template, values, want) in [
        (
            "{a}/{b}",
            ["https://idp.example.net", "acme/alice"],
            "https://idp.example.net/acme%2Falice",
        ),
        (
            "{a}/{b}",
            ["https://idp.example.net/acme", "alice"],
            "https://idp.example.net/acme/alice",
        ),
        ("{a}/{b}", ["t", "o"], "t/o"),
        ("{a}/{b}", ["t/o", "u"], "t/o/u"),
        ("{a}/{b}", ["t", "o/u"], "t/o%2Fu"),
        ("{a}/{b}", ["t", "o%2Fu"], "t/o%252Fu"),
        ("user/{a}", ["x/y", ""], "user/x/y"),
        ("{a}@{b}/z", ["x@y", "y@/z"], "x@y@y%40/z/z"),
        ("{a} · {b}", ["x", "y · z"], "x · y%20%C2%B7%20z"),
    ] {
        let mut out = String::new();
        let filled = Template::parse(template)
            .unwrap()
            .identify(&Named(values.map(text).to_vec()), &mut out);
        assert_eq!((filled, out.as_str()), (Filled::Whole, want), "{template} {values:?}");
    }
}

#[test]
fn an_identity_never_contains_a_list() {
    let template = Template::parse("{a}/{b}").unwrap();
    let mut out = String::from("kept");
    for values in [[list(&["x"]), text("y")], [text("x"), list(&["y"])]] {
        assert_eq!(template.identify(&Named(values.to_vec()), &mut out), Filled::Absent);
    }
    assert_eq!(out, "kept");
}

#[test]
fn parts_without_a_separator_are_not_separable() {
    for (template, separable) in [
        ("{a}", true),
        ("x{a}", true),
        ("{a}x", true),
        ("x", true),
        ("{a}/{b}", true),
        ("{a}b{b}", true),
        ("{a}1-2{b}:{c}", true),
        ("{a}{b}", false),
        ("/{a}{b}/", false),
        ("{a}/{b}{c}", false),
        ("{a}1{b}", false),
        ("{a}%{b}", false),
        ("{a}%2F{b}", false),
    ] {
        assert_eq!(Template::parse(template).unwrap().is_separable(), separable, "{template}");
    }
}

/// Fills two parts with all texts of at most three of these characters.
#[test]
fn two_fillings_never_share_an_identity_or_a_key() {
    let letters = ["", "/", "%", "2", "F", ",", "a"];
    let mut texts: Vec<String> = Vec::new();
    for one in letters {
        for two in letters {
            texts.extend(letters.map(|three| format!("{one}{two}{three}")));
        }
    }
    texts.sort();
    texts.dedup();
    for template in ["{a}/{b}", "{a}/a{b}", "{a}a2/{b}/", "{a}%a{b}"] {
        let template = Template::parse(template).unwrap();
        assert!(template.is_separable());
        let (mut identities, mut keys) = (HashSet::new(), HashSet::new());
        for a in &texts {
            for b in &texts {
                let scope = Named(vec![text(a), text(b)]);
                let (mut identity, mut key) = (String::new(), String::new());
                template.identify(&scope, &mut identity);
                assert!(template.render_key(&scope, &mut key));
                assert!(identities.insert(identity.clone()), "{a:?} {b:?}: {identity}");
                assert!(keys.insert(key.clone()), "{a:?} {b:?}: {key}");
            }
        }
    }
}

#[test]
fn lists_are_joined_and_no_item_reads_as_two() {
    let template = Template::parse("{a}").unwrap();
    for (value, rendered, key) in [
        (list(&["viewer", "admin"]), "viewer,admin", "viewer,admin"),
        (list(&["viewer,admin"]), "viewer%2Cadmin", "viewer%2Cadmin"),
        (list(&["viewer%2Cadmin"]), "viewer%252Cadmin", "viewer%252Cadmin"),
        (text("viewer,admin"), "viewer,admin", "viewer%2Cadmin"),
        (text("a/b"), "a/b", "a/b"),
    ] {
        let scope = Named(vec![value]);
        let (mut out, mut for_key) = (String::new(), String::new());
        assert!(template.render(&scope, &mut out) && template.render_key(&scope, &mut for_key));
        assert_eq!((out.as_str(), for_key.as_str()), (rendered, key));
    }
}

#[test]
fn parts_without_text_between_them_stay_apart_in_a_key() {
    let template = Template::parse("{a}{b}").unwrap();
    let key = |values: [PartValue<'static>; 2]| {
        let mut out = String::from("i");
        template.render_key(&Named(values.to_vec()), &mut out).then_some(out)
    };
    assert_eq!(key([text("x"), text("yz")]).as_deref(), Some("ix/yz"));
    assert_eq!(key([text("xy"), text("z")]).as_deref(), Some("ixy/z"));
    assert_eq!(key([text("x/y"), text("z")]).as_deref(), Some("ix%2Fy/z"));
    assert_eq!(key([list(&[]), text("z")]).as_deref(), Some("i/z"));
    let mut out = String::from("i");
    let global = Template::parse("all").unwrap();
    assert!(global.render_key(&Named(vec![]), &mut out));
    assert_eq!(out, "iall");
    assert!(!template.render_key(&Named(vec![text("x")]), &mut out));
    assert_eq!(out, "iall");
}

/// Whoever leaves the value out would get the bucket of an address besides that of its identity.
#[test]
fn a_missing_value_of_the_body_leaves_the_other_parts_of_a_key() {
    struct Without(Option<&'static str>);
    impl Scope for Without {
        fn value(&self, part: &Part) -> Option<PartValue<'_>> {
            match part {
                Part::Body(_) => self.0.map(text),
                Part::Header(_) => None,
                _ => Some(text("alice")),
            }
        }
    }
    for (template, value, key) in [
        ("{sub}/{@body:/model}", Some("large"), Some("alice/large")),
        ("{sub}/{@body:/model}", Some(""), Some("alice/")),
        ("{sub}/{@body:/model}", Some("%"), Some("alice/%25")),
        ("{sub}/{@body:/model}", None, Some("alice/%")),
        ("{@body:/model}/{sub}", None, Some("%/alice")),
        ("{@body:/model}", None, None),
        ("{@body:/a}/{@body:/b}", None, None),
        ("{@header:x}/{@body:/model}", None, None),
    ] {
        let mut out = String::new();
        let known = Template::parse(template).unwrap().render_key(&Without(value), &mut out);
        assert_eq!(known.then_some(out.as_str()), key, "{template} {value:?}");
        assert!(known || out.is_empty());
    }
}

#[test]
fn an_invalid_template_is_refused_with_its_cause() {
    for (text, want) in [
        ("", TemplateError::Empty),
        ("{", TemplateError::Unclosed),
        ("a{b", TemplateError::Unclosed),
        ("{a{b}", TemplateError::Unclosed),
        ("a}", TemplateError::StrayBrace),
        ("{a}}", TemplateError::StrayBrace),
        ("{{a}}", TemplateError::Unclosed),
        ("{}", TemplateError::EmptyPart),
        ("{@who}", TemplateError::UnknownPart("@who".into())),
        ("{@}", TemplateError::UnknownPart("@".into())),
        ("{@header:}", TemplateError::HeaderName),
        ("{@header:a b}", TemplateError::HeaderName),
        ("{@header::path}", TemplateError::HeaderName),
        ("{@body:}", TemplateError::Empty),
        ("{@body:model}", TemplateError::BodyPointer),
        ("{@body:/a~2}", TemplateError::PointerEscape),
        ("{/a~2}", TemplateError::PointerEscape),
        ("{/a~}", TemplateError::PointerEscape),
    ] {
        assert_eq!(Template::parse(text), Err(want), "{text}");
    }
}

#[test]
fn a_claim_reference_is_a_name_unless_it_begins_with_a_slash() {
    let name = |text: &str| Ok(ClaimRef::Name(text.into()));
    let pointer =
        |tokens: &[&str]| Ok(ClaimRef::Pointer(tokens.iter().map(|t| (*t).into()).collect()));
    assert_eq!(ClaimRef::parse("a.b"), name("a.b"));
    assert_eq!(ClaimRef::parse("https://example.com/role"), name("https://example.com/role"));
    assert_eq!(ClaimRef::parse("@x"), name("@x"));
    assert_eq!(ClaimRef::parse("/"), pointer(&[""]));
    assert_eq!(ClaimRef::parse("/a~01~10/b"), pointer(&["a~1/0", "b"]));
    assert_eq!(ClaimRef::parse(""), Err(TemplateError::Empty));
}
