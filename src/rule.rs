//! Rules: which requests need a token, and which limits they take from. First match wins.

/// One entry of `rules`.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The label in metrics, filter state and logs.
    pub name: String,
    /// Which requests it is for.
    pub matcher: Matcher,
    /// Whether a token is needed.
    pub auth: Auth,
    /// Indexes into `Policy::providers`; `None`: all.
    pub providers: Option<Vec<usize>>,
    /// Indexes into `Policy::limits`; all must have tokens.
    pub limits: Vec<usize>,
    /// How many tokens a request takes.
    pub cost: u64,
}

/// `auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// A valid token or a refusal.
    Required,
    /// A valid token or none; a bad one is refused.
    Optional,
    /// Tokens are not looked at.
    None,
}

/// `match`, compiled: every given field must match.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    // config helper: compiled hosts, paths, methods, headers
}
