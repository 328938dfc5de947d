//! One entry of `rules`: which requests it is for, and what it asks of them.

use std::rc::Rc;

use super::secret::HeaderSecret;
use crate::body::Guard;
use crate::caller::grant::Grant;
use crate::limit::cost::Cost;
use crate::limit::plan::Limit;
use crate::request::header_pattern::Fit;
use crate::request::matcher::{Matcher, Reading};
use crate::request::method::echoes;

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
    /// The same number for rules of one policy that admit the same providers.
    pub provider_class: u32,
    /// All of these must have tokens.
    pub limits: Vec<Rc<Limit>>,
    /// How many tokens a request takes.
    pub cost: Cost,
    /// How many requests of one identity may be in flight; `None`: any number.
    pub concurrency: Option<u32>,
    /// What is asked of the body, and what counts its rows.
    pub payload: Option<Guard>,
    /// What the claims must hold, any entry; `None`: any valid token.
    pub allow: Option<Vec<Grant>>,
    /// The authorization header that the upstream gets in place of the caller's.
    pub upstream_authorization: Option<HeaderSecret>,
    /// Whether what it would refuse passes.
    pub dry_run: bool,
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

impl Rule {
    /// How the request fits. A rule that opens the way without a token asks for a request that names
    /// a host and a path: `CONNECT`, `OPTIONS *` and HTTP/1.0 without a host pass no such rule, even
    /// if it asks for neither.
    pub(super) fn fit(&self, request: &Reading<'_>) -> Fit {
        let whole =
            request.path.is_some_and(|path| path.starts_with(b"/")) && request.host.is_some();
        match whole || self.auth == Auth::Required {
            true => self.matcher.fit(request),
            false => Fit::No,
        }
    }

    /// Whether a request may use this method by the rule. A rule must name a method that
    /// [`echoes`], and lend no key.
    pub fn admits_method(&self, method: &[u8]) -> bool {
        let named = || self.matcher.names_method(method) && self.upstream_authorization.is_none();
        !echoes(method) || named()
    }
}

#[cfg(test)]
pub(super) mod tests;
