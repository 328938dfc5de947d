//! Templates: text with parts in braces.

use super::claim_ref::ClaimRef;
use super::error::TemplateError;
use super::percent;

/// Text with parts to fill in, parsed at load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
    /// The characters of the text between the first part and the last that can separate two parts.
    between: Vec<char>,
    reads_body: bool,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Text that stays as it is.
    Text(String),
    /// `{sub}`, `{/realm_access/roles}`: the text of a claim.
    Claim(ClaimRef),
    /// `{@identity}`: the identity of the principal.
    Identity,
    /// `{@kid}`: the `kid` of the verified token, for audit logs.
    Kid,
    /// `{@actor}`: who acts for the subject, `act.sub` or the agent of an Entra agent token.
    Actor,
    /// `{@provider}`: the name of the provider that issued the token.
    Provider,
    /// `{@rule}`: the name of the rule that matched.
    Rule,
    /// `{@client_address}`: the address of the caller, without the port.
    ClientAddress,
    /// `{@path:NAME}`: the segment of the path that `{NAME}` in `match.paths` stands for.
    PathSegment(String),
    /// `{@header:NAME}`: the value of a request header; the name is in lower case.
    Header(String),
    /// `{@body:/POINTER}`: the text, number or boolean in the body at these reference tokens.
    Body(Vec<String>),
}

impl Template {
    /// Parses a template. Braces cannot be escaped, since no template needs literal ones.
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
            false => {
                let reads_body = parts.iter().any(|part| matches!(part, Part::Body(_)));
                let between = between(&parts);
                Ok(Self { text: text.to_owned(), parts, between, reads_body })
            }
        }
    }

    /// The template as written in the configuration.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The parts in order: at least one, and never two texts in a row.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether the value depends on the token alone, and on nothing else of the request.
    pub fn is_of_token(&self) -> bool {
        self.parts.iter().all(|part| part.is_of_token() || matches!(part, Part::Text(_)))
    }

    /// Whether the value depends on the connection, the path and the rule alone, so that every request
    /// that matched a rule has it.
    pub fn is_of_match(&self) -> bool {
        self.parts.iter().all(Part::is_of_match)
    }

    /// Whether the text between two parts has this character, and it can separate them.
    pub(super) fn is_between(&self, c: char) -> bool {
        self.between.contains(&c)
    }

    /// Whether the value depends on the body, so that it is known only when the body has ended.
    pub fn reads_body(&self) -> bool {
        self.reads_body
    }

    /// Whether the value depends on the token.
    pub fn draws_on_token(&self) -> bool {
        self.parts.iter().any(Part::is_of_token)
    }
}

/// The characters of the text between the first part and the last that can separate two parts.
fn between(parts: &[Part]) -> Vec<char> {
    let is_part = |part: &Part| !part.is_text();
    let first = parts.iter().position(is_part).unwrap_or_default();
    let last = parts.iter().rposition(is_part).unwrap_or_default();
    let mut all = Vec::new();
    for part in parts.get(first..last).unwrap_or_default() {
        let Part::Text(text) = part else { continue };
        for c in text.chars() {
            if percent::separates(c) && !all.contains(&c) {
                all.push(c);
            }
        }
    }
    all
}

impl Part {
    /// Parses the text between braces.
    fn parse(name: &str) -> Result<Self, TemplateError> {
        if name.is_empty() {
            return Err(TemplateError::EmptyPart);
        }
        // A second `{` is a forgotten `}`, not a character of a name.
        if name.contains('{') {
            return Err(TemplateError::Unclosed);
        }
        let Some(own) = name.strip_prefix('@') else {
            return ClaimRef::parse(name).map(Self::Claim);
        };
        match own {
            "identity" => Ok(Self::Identity),
            "kid" => Ok(Self::Kid),
            "actor" => Ok(Self::Actor),
            "provider" => Ok(Self::Provider),
            "rule" => Ok(Self::Rule),
            "client_address" => Ok(Self::ClientAddress),
            _ => match own.split_once(':') {
                Some(("header", header)) if is_token(header) => {
                    Ok(Self::Header(header.to_ascii_lowercase()))
                }
                Some(("header", _)) => Err(TemplateError::HeaderName),
                Some(("body", pointer)) => match ClaimRef::parse(pointer)? {
                    ClaimRef::Pointer(tokens) => Ok(Self::Body(tokens)),
                    ClaimRef::Name(_) => Err(TemplateError::BodyPointer),
                },
                Some(("path", segment)) => Ok(Self::PathSegment(segment.to_owned())),
                _ => Err(TemplateError::UnknownPart(name.to_owned())),
            },
        }
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    fn is_of_token(&self) -> bool {
        match self {
            Self::Claim(_) | Self::Identity | Self::Kid | Self::Actor | Self::Provider => true,
            Self::Text(_)
            | Self::Rule
            | Self::ClientAddress
            | Self::PathSegment(_)
            | Self::Header(_)
            | Self::Body(_) => false,
        }
    }

    /// Whether the value depends on the connection, the path and the rule alone.
    fn is_of_match(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Rule | Self::ClientAddress | Self::PathSegment(_))
    }
}

/// Whether a text is a token of HTTP, such as a header name or a method (RFC 9110 §5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
