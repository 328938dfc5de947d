//! Templates and claim references: text of the configuration that is filled from a request.

mod fill;

use std::fmt;

pub use fill::{Filled, PartValue, Piece, Scope};

/// The location of a claim in the payload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClaimRef {
    /// A top-level claim by its exact name: `a.b` and `https://example.com/role` are names.
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
    /// Literal text.
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
    /// `{@…}` with an unknown name.
    UnknownPart(String),
    /// `{@header:…}` without a valid header name (RFC 9110 §5.1).
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
    /// The name of the claim, if the reference is to a top-level one.
    pub fn top_level(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Pointer(tokens) => match tokens.as_slice() {
                [name] => Some(name),
                _ => None,
            },
        }
    }

    /// Parses a claim reference: a JSON Pointer if it begins with `/`, otherwise a name.
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
    /// Parses a template. Braces have no escape, because no value needs a literal one.
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

    /// The template as written in the configuration.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The pieces in order; never empty, and never two texts in a row.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether the value depends on the token alone and not on the request.
    pub fn is_of_token(&self) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Text(_) | Part::Claim(_) | Part::Identity | Part::Kid | Part::Provider => true,
            Part::Rule | Part::ClientAddress | Part::Header(_) => false,
        })
    }

    /// Whether the value depends on the token.
    pub fn draws_on_token(&self) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Claim(_) | Part::Identity | Part::Kid | Part::Provider => true,
            Part::Text(_) | Part::Rule | Part::ClientAddress | Part::Header(_) => false,
        })
    }

    /// Whether [`Template::identify`] produces different texts for different values. It does not if no
    /// text separates two parts, or if the text could be part of an escape: `{a}{b}`, `{a}1{b}`,
    /// `{a}%{b}`.
    pub fn is_separable(&self) -> bool {
        let mut separated = true;
        self.parts.iter().all(|part| match part {
            Part::Text(text) => {
                separated |= text.chars().any(fill::separates);
                true
            }
            _ => std::mem::replace(&mut separated, false),
        })
    }
}

impl Part {
    /// Parses the text between braces.
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
mod tests;
