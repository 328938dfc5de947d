//! Patterns of `match.hosts`.

/// An entry of `match.hosts` in lower case, without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// Exactly this host.
    Exact(String),
    /// `*.suffix`, stored as `.suffix`: one or more labels before the suffix.
    Suffix(String),
}

impl HostPattern {
    /// Whether the pattern matches a host; ASCII case is ignored. A suffix matches any number of labels,
    /// like a domain of a virtual host in Envoy.
    pub(super) fn matches(&self, host: &[u8]) -> bool {
        match self {
            Self::Exact(name) => host.eq_ignore_ascii_case(name.as_bytes()),
            Self::Suffix(suffix) => host
                .len()
                .checked_sub(suffix.len())
                .and_then(|at| host.split_at_checked(at))
                .is_some_and(|(labels, end)| {
                    !labels.is_empty() && end.eq_ignore_ascii_case(suffix.as_bytes())
                }),
        }
    }

    /// Whether the pattern matches every host that `other` matches.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Exact(name)) => self.matches(name.as_bytes()),
            (Self::Suffix(wide), Self::Suffix(narrow)) => narrow.ends_with(wide.as_str()),
            (Self::Exact(_), Self::Suffix(_)) => false,
        }
    }
}
