//! Templates and claim references: text of the configuration that is filled from a request.

use std::borrow::Cow;
use std::fmt;

/// Where a claim stands in the payload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClaimRef {
    /// A top-level claim, its name taken exactly: `a.b` and `https://example.com/role` are names.
    Name(String),
    /// The unescaped reference tokens of a JSON Pointer (RFC 6901 §3), at least one.
    Pointer(Vec<String>),
}

/// Text with parts that are filled in; compiled once at load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

/// One piece of a template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Text as it stands.
    Text(String),
    /// `{sub}`, `{/realm_access/roles}`: the text of a claim.
    Claim(ClaimRef),
    /// `{@identity}`: the identity of the principal.
    Identity,
    /// `{@kid}`: the `kid` of the verified token, for audit lines.
    Kid,
    /// `{@provider}`: the name of the provider that issued the token.
    Provider,
    /// `{@rule}`: the name of the rule that matched.
    Rule,
    /// `{@client_address}`: the address of the caller, without the port.
    ClientAddress,
    /// `{@header:NAME}`: the value of a request header; the name is lower case.
    Header(String),
}

/// What a template is filled from.
pub trait Scope {
    /// The value of a part; `None` when it has none. Never asked for [`Part::Text`].
    fn value(&self, part: &Part) -> Option<Cow<'_, str>>;
}

/// How filling a template ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// Every part has a value and none of them is empty.
    Whole,
    /// Every part has a value, at least one of them the empty text.
    WithEmptyPart,
    /// A part has no value; nothing was written.
    Absent,
}

/// Why a text is not a template or not a claim reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// The text is empty.
    Empty,
    /// A `{` has no `}`.
    Unclosed,
    /// A `}` has no `{` before it.
    StrayBrace,
    /// `{}`: a part without a name.
    EmptyPart,
    /// `{@…}` is none of those that exist.
    UnknownPart(String),
    /// `{@header:…}` does not hold a header name (RFC 9110 §5.1).
    HeaderName,
    /// A `~` of a JSON Pointer is not followed by `0` or `1` (RFC 6901 §3).
    PointerEscape,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty; allowed: text with {claim} parts",
            Self::Unclosed => "has a `{` without a `}`",
            Self::StrayBrace => "has a `}` without a `{`",
            Self::EmptyPart => "has an empty part `{}`; allowed: {claim} or {/json/pointer}",
            Self::UnknownPart(part) => {
                return write!(
                    f,
                    "has the unknown part {{{part}}}; allowed: {{@identity}}, {{@kid}}, \
                     {{@provider}}, {{@rule}}, {{@client_address}}, {{@header:NAME}}"
                );
            }
            Self::HeaderName => "names no valid header in {@header:NAME}",
            Self::PointerEscape => "is no JSON Pointer: `~` stands only in `~0` and `~1`",
        })
    }
}

impl std::error::Error for TemplateError {}

impl ClaimRef {
    /// Reads a claim reference: a JSON Pointer when it begins with `/`, else a name.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        match text.strip_prefix('/') {
            Some(tokens) => {
                tokens.split('/').map(unescape).collect::<Result<_, _>>().map(Self::Pointer)
            }
            None if text.is_empty() => Err(TemplateError::Empty),
            None => Ok(Self::Name(text.to_owned())),
        }
    }
}

/// Undoes `~1` and `~0` in one reference token.
fn unescape(token: &str) -> Result<String, TemplateError> {
    let mut pieces = token.split('~');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (escaped, rest) = match (piece.strip_prefix('0'), piece.strip_prefix('1')) {
            (Some(rest), _) => ('~', rest),
            (_, Some(rest)) => ('/', rest),
            _ => return Err(TemplateError::PointerEscape),
        };
        out.push(escaped);
        out.push_str(rest);
    }
    Ok(out)
}

impl Template {
    /// Reads a template. Braces have no escape: the contract has no use for literal ones.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (before, inside) = match rest.split_once('{') {
                Some((before, inside)) => (before, Some(inside)),
                None => (rest, None),
            };
            if before.contains('}') {
                return Err(TemplateError::StrayBrace);
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let Some(inside) = inside else { break };
            let (name, after) = inside.split_once('}').ok_or(TemplateError::Unclosed)?;
            parts.push(Part::parse(name)?);
            rest = after;
        }
        match parts.is_empty() {
            true => Err(TemplateError::Empty),
            false => Ok(Self { text: text.to_owned(), parts }),
        }
    }

    /// The template as it stands in the configuration.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The pieces in order; never empty, and never two texts in a row.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether the token alone decides the value: no part is drawn from the request.
    pub fn is_of_token(&self) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Text(_) | Part::Claim(_) | Part::Identity | Part::Kid | Part::Provider => true,
            Part::Rule | Part::ClientAddress | Part::Header(_) => false,
        })
    }

    /// Appends the filled template to `out`; `false`, with `out` as it was, when a part has no
    /// value.
    pub fn render(&self, scope: &dyn Scope, out: &mut String) -> bool {
        self.fill(scope, out) != Filled::Absent
    }

    /// Like [`Template::render`], and tells whether a part was empty: an identity must not be
    /// built from an empty part.
    pub fn fill(&self, scope: &dyn Scope, out: &mut String) -> Filled {
        let start = out.len();
        let mut filled = Filled::Whole;
        for part in &self.parts {
            if let Part::Text(text) = part {
                out.push_str(text);
                continue;
            }
            let Some(value) = scope.value(part) else {
                out.truncate(start);
                return Filled::Absent;
            };
            if value.is_empty() {
                filled = Filled::WithEmptyPart;
            }
            out.push_str(&value);
        }
        filled
    }
}

impl Part {
    /// Reads what stands between braces.
    fn parse(name: &str) -> Result<Self, TemplateError> {
        if name.is_empty() {
            return Err(TemplateError::EmptyPart);
        }
        // A second `{` is a forgotten `}`, not part of a name.
        if name.contains('{') {
            return Err(TemplateError::Unclosed);
        }
        let Some(own) = name.strip_prefix('@') else {
            return ClaimRef::parse(name).map(Self::Claim);
        };
        match own {
            "identity" => Ok(Self::Identity),
            "kid" => Ok(Self::Kid),
            "provider" => Ok(Self::Provider),
            "rule" => Ok(Self::Rule),
            "client_address" => Ok(Self::ClientAddress),
            _ => match own.strip_prefix("header:") {
                Some(header) if is_token(header) => Ok(Self::Header(header.to_ascii_lowercase())),
                Some(_) => Err(TemplateError::HeaderName),
                None => Err(TemplateError::UnknownPart(name.to_owned())),
            },
        }
    }
}

/// Whether a text is a `token` of HTTP: a header name or a method (RFC 9110 §5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sample;

    impl Scope for Sample {
        fn value(&self, part: &Part) -> Option<Cow<'_, str>> {
            match part {
                Part::Claim(ClaimRef::Name(name)) if name == "tid" => Some("t1".into()),
                Part::Claim(ClaimRef::Name(name)) if name == "empty" => Some("".into()),
                Part::Claim(ClaimRef::Pointer(p)) if p == &["a", "b/c"] => Some("x,y".into()),
                Part::Identity => Some("me".into()),
                Part::Header(name) if name == "x-batch" => Some("7".into()),
                _ => None,
            }
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
    fn a_value_is_the_tokens_alone_if_each_of_its_parts_is() {
        for (text, part, of_token) in [
            ("text", Part::Text("text".into()), true),
            ("{tid}", Part::Claim(ClaimRef::Name("tid".into())), true),
            ("{@identity}", Part::Identity, true),
            ("{@kid}", Part::Kid, true),
            ("{@provider}", Part::Provider, true),
            ("{@rule}", Part::Rule, false),
            ("{@client_address}", Part::ClientAddress, false),
            ("{@header:X-A}", Part::Header("x-a".into()), false),
        ] {
            let template = Template::parse(text).unwrap();
            assert_eq!(template.parts(), [part], "{text}");
            assert_eq!(template.is_of_token(), of_token, "{text}");
            let mixed = Template::parse(&format!("{{sub}}{text}")).unwrap();
            assert_eq!(mixed.is_of_token(), of_token, "{{sub}}{text}");
        }
    }

    #[test]
    fn an_empty_part_is_told_apart_from_a_missing_one() {
        for (text, want) in [
            ("{tid}", Filled::Whole),
            ("{tid}/{empty}", Filled::WithEmptyPart),
            ("{empty}/{oid}", Filled::Absent),
        ] {
            assert_eq!(Template::parse(text).unwrap().fill(&Sample, &mut String::new()), want);
        }
    }

    #[test]
    fn a_text_that_is_no_template_is_refused_with_its_cause() {
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
}
