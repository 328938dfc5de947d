//! References to claims.

use super::error::TemplateError;

/// A reference to a claim in the payload of a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClaimRef {
    /// A top-level claim by its exact name; `a.b` and `https://example.com/role` are names.
    Name(String),
    /// The unescaped reference tokens of a JSON Pointer (RFC 6901 §3), at least one.
    Pointer(Vec<String>),
}

impl ClaimRef {
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

    /// The name of the claim if it is a top-level one.
    pub fn top_level(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Pointer(tokens) => match tokens.as_slice() {
                [name] => Some(name),
                _ => None,
            },
        }
    }
}

/// A JSON Pointer in its own notation (RFC 6901 §3).
pub fn pointer(tokens: &[String]) -> String {
    tokens.iter().map(|token| format!("/{}", escape(token))).collect()
}

/// A name as a reference token of a JSON Pointer (RFC 6901 §3).
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Replaces `~1` and `~0` in a reference token (RFC 6901 §4).
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
