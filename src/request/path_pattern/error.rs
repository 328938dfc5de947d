//! Why a text is not a path pattern.

/// Why a text is not a pattern of `match.paths`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathPatternError {
    /// It does not begin with `/`.
    NoLeadingSlash,
    /// It contains `?` or `#`; queries and fragments are not compared.
    Query,
    /// A segment has more than one `*`.
    SeveralWildcards,
    /// `**` is not the last segment.
    RestNotLast,
    /// A `{` without a `}`, or the reverse.
    Brace,
    /// A text in braces that is not a name.
    SegmentName,
    /// Two segments have one name.
    SameName,
}

impl std::fmt::Display for PathPatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoLeadingSlash => "must begin with `/`",
            Self::Query => "must not contain `?` or `#`; only the path is compared",
            Self::SeveralWildcards => "has more than one `*` or {name} in a segment; allowed: one",
            Self::RestNotLast => "has `**` before the end; allowed: the last segment",
            Self::Brace => "has a brace without its other half; allowed: {name} for a segment",
            Self::SegmentName => {
                "has no name in its braces; allowed: {name} with letters, digits, `_` and `-`"
            }
            Self::SameName => "names two segments alike; allowed: each name once",
        })
    }
}
