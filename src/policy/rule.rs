//! One entry of `rules`: which requests it matches, and what it requires of them.

use std::rc::Rc;

use super::responses::BodyForm;
use crate::body::Guard;
use crate::caller::grant::Grant;
use crate::caller::grant::entries::Entries;
use crate::limit::cost::Cost;
use crate::limit::plan::Limit;
use crate::request::header_pattern::Fit;
use crate::request::line::Reading;
use crate::request::matcher::Matcher;
use crate::request::method::echoes;

/// One entry of `rules`.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The label in metrics, filter state and logs.
    pub name: String,
    /// Which requests it matches.
    pub matcher: Matcher,
    /// Whether a token is required.
    pub auth: Auth,
    /// Indexes into `Policy::providers`; `None` admits all.
    pub providers: Option<Vec<usize>>,
    /// Its position in the policy; set by [`super::rules::Rules`].
    pub position: u32,
    /// Equal for rules of one policy that admit the same providers; set by [`super::rules::Rules`].
    pub provider_class: u32,
    /// What follows from the other members; set by [`super::rules::Rules`].
    pub traits: Traits,
    /// The limits; the bucket of each must have tokens left.
    pub limits: Vec<Rc<Limit>>,
    /// How many bucket tokens a request takes.
    pub cost: Cost,
    /// The most requests of one identity in flight; `None` is no bound.
    pub concurrency: Option<u32>,
    /// The requirements on the body, and where its rows are counted.
    pub payload: Option<Rc<Guard>>,
    /// Grants, one of which the claims must hold; `None` admits any valid token.
    pub allow: Option<Entries<Grant>>,
    /// The key that the upstream gets, instead of what the caller sent in that header.
    pub upstream_authorization: Option<LentKey>,
    /// The body of its refusals; `None`: that of `responses`.
    pub body: Option<BodyForm>,
    /// Whether refusals by this rule are reported and not carried out.
    pub dry_run: bool,
}

/// What follows from the other members of a rule, so that no request looks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// Whether an entry of `allow` asks for values of the body.
    pub grants_by_body: bool,
    /// Whether a limit takes reservations.
    pub reserves: bool,
    /// Whether a limit is charged by the response.
    pub charges_response: bool,
}

impl Traits {
    /// The traits of a rule.
    pub(super) fn of(rule: &Rule) -> Self {
        Self {
            grants_by_body: rule.allow.iter().flatten().any(|grant| !grant.body.is_empty()),
            reserves: rule.limits.iter().any(|limit| limit.reserve.is_some()),
            charges_response: rule.limits.iter().any(|limit| limit.response_cost.is_some()),
        }
    }
}

/// `auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// A request without a valid token is refused.
    Required,
    /// A request without a token passes; an invalid token is refused.
    Optional,
    /// Tokens are ignored.
    None,
}

impl Rule {
    /// How surely the rule matches. A rule that passes requests without a token matches only requests
    /// that name a host and a path, so `CONNECT`, `OPTIONS *` and HTTP/1.0 without a host never pass
    /// such a rule, even if it names neither.
    pub(super) fn fit(&self, request: &Reading<'_>) -> Fit {
        let whole =
            request.path.is_some_and(|path| path.starts_with(b"/")) && request.host.is_some();
        match whole || self.auth == Auth::Required {
            true => self.matcher.fit(request),
            false => Fit::No,
        }
    }

    /// The scopes that a challenge asks for: those of the first entry of `allow` that has any.
    pub fn scope_of_challenge(&self) -> Option<&str> {
        self.allow.iter().flatten().find_map(|grant| grant.scope.as_deref())
    }

    /// Whether the rule admits this method. A method that [`echoes`] must be named by the rule, and
    /// the rule must not lend a key.
    pub fn admits_method(&self, method: &[u8]) -> bool {
        let named = || self.matcher.names_method(method) && self.upstream_authorization.is_none();
        !echoes(method) || named()
    }
}

/// A key that is sent to an upstream, and the header that carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LentKey {
    /// The name of the header, in lower case.
    pub header: String,
    /// The value with its prefix.
    pub value: HeaderSecret,
}

/// A header value that only the upstream may see. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderSecret(String);

impl HeaderSecret {
    /// Wraps a value that is valid in a header.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, to be written to the header and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for HeaderSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeaderSecret")
    }
}

#[cfg(test)]
pub(super) mod tests;
