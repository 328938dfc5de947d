//! The decision on a request, from its headers to a verdict, without a view of the host.

use std::borrow::Cow;

use crate::headers::Headers;
use crate::limit::store::Store;
use crate::limit::table::Table;
use crate::limit::{self, Answer, Counters};
use crate::path;
use crate::policy::{FailureMode, Limit, Policy};
use crate::principal::Principal;
use crate::reason::Reason;
use crate::rule::{Auth, RequestLine, Rule};
use crate::template::{Part, Scope};
use crate::token_source::{self, Found};
use crate::verdict::{Denial, Judgement, LimitReport, Verdict};
use crate::verify::engine::Engine;
use crate::verify::{Keys, Verifier};

/// When a caller may come back after the store could not answer: 1 s, in nanoseconds.
const STORE_RETRY_AFTER: u64 = 1_000_000_000;

/// What decisions are made with: the policy and the few things the host lends.
pub struct Gate<'a> {
    /// The compiled configuration.
    pub policy: &'a Policy,
    /// The providers' key sets as they are now.
    pub keys: &'a dyn Keys,
    /// Checks signatures.
    pub engine: &'a dyn Engine,
    /// The bucket table; `None` while the store could not be opened.
    pub table: Option<&'a Table>,
    /// The host's shared data.
    pub store: &'a dyn Store,
}

/// One request as it arrived.
pub struct Request<'a> {
    /// Its headers, pseudo-headers included.
    pub headers: &'a Headers,
    /// The downstream address without its port; asked only where something needs it.
    pub client_address: &'a dyn Fn() -> Option<String>,
    /// The host's clock, nanoseconds since the Unix epoch.
    pub clock: &'a dyn Fn() -> u64,
}

impl Gate<'_> {
    /// Judges a request: path, rule, token, limits, tags, in this order.
    pub fn judge(&self, request: &Request<'_>) -> Judgement {
        let mut judgement = Judgement {
            verdict: Verdict::Allow(Reason::Ok),
            rule: None,
            provider: None,
            tags: Vec::new(),
            limits: Vec::new(),
            store: Counters::default(),
        };
        judgement.verdict = match self.decide(request, &mut judgement) {
            Ok(reason) => Verdict::Allow(reason),
            Err(denial) => Verdict::Deny(denial),
        };
        judgement
    }

    fn decide(&self, request: &Request<'_>, found: &mut Judgement) -> Result<Reason, Denial> {
        let rule = self.find_rule(request.headers, found)?;
        let principal = self.authenticate(request, rule, found)?;
        let scope = RequestScope { gate: self, request, rule, principal: principal.as_ref() };
        if principal.is_some() {
            // Tags stand before the limits, so that a limited caller is named in the logs too.
            found.tags = scope.tags();
        }
        self.take(request, rule, &scope, found)?;
        Ok(if principal.is_some() { Reason::Ok } else { Reason::Anonymous })
    }

    fn find_rule(&self, headers: &Headers, found: &mut Judgement) -> Result<&Rule, Denial> {
        let whole = headers.value(":path");
        if self.policy.reject_ambiguous_paths && whole.is_some_and(path::ambiguous) {
            return Err(Reason::PathAmbiguous.into());
        }
        let line = RequestLine {
            host: headers.value(":authority"),
            path: whole.map(path::without_query),
            method: headers.value(":method").unwrap_or_default(),
            headers,
        };
        let (index, rule) = self
            .policy
            .rules
            .iter()
            .enumerate()
            .find(|(_, rule)| rule.matcher.matches(&line))
            .ok_or(Reason::NoRule)?;
        found.rule = Some(index);
        Ok(rule)
    }

    fn authenticate(
        &self,
        request: &Request<'_>,
        rule: &Rule,
        found: &mut Judgement,
    ) -> Result<Option<Principal>, Denial> {
        if rule.auth == Auth::None {
            return Ok(None);
        }
        let token = match token_source::find(request.headers, &self.policy.token) {
            Found::None if rule.auth == Auth::Optional => return Ok(None),
            Found::None => return Err(Reason::TokenMissing.into()),
            Found::Several => return Err(Reason::TokenMultiple.into()),
            Found::One(token) => token,
        };
        let verifier = Verifier {
            providers: &self.policy.providers,
            keys: self.keys,
            engine: self.engine,
            max_bytes: self.policy.token.max_bytes,
        };
        let claims = verifier.verify(token, rule.providers.as_deref(), (request.clock)()).map_err(
            |failure| {
                found.provider = failure.provider;
                Denial::from(failure.error.reason())
            },
        )?;
        found.provider = Some(claims.provider());
        let provider =
            self.policy.providers.get(claims.provider()).ok_or(Reason::IssuerNotAllowed)?;
        Ok(Some(Principal::of(claims, provider)?))
    }

    fn take(
        &self,
        request: &Request<'_>,
        rule: &Rule,
        scope: &RequestScope<'_>,
        found: &mut Judgement,
    ) -> Result<(), Denial> {
        if rule.limits.is_empty() {
            return Ok(());
        }
        let limits: Vec<(usize, &Limit)> = rule
            .limits
            .iter()
            .filter_map(|index| Some((*index, self.policy.limits.get(*index)?)))
            .collect();
        let keys: Vec<String> = limits.iter().map(|(_, limit)| scope.limit_key(limit)).collect();
        let takes: Vec<limit::Request<'_>> = limits
            .iter()
            .zip(&keys)
            .map(|((_, limit), key)| limit::Request {
                limit: &limit.name,
                identity: key,
                quota: &limit.quota,
                cost: rule.cost,
            })
            .collect();
        let answer = self.table.and_then(|table| {
            limit::take_all(table, self.store, request.clock, &takes, &mut found.store).ok()
        });
        let index = |at: usize| limits.get(at).map_or(0, |(index, _)| *index);
        match answer {
            Some(Answer::Allowed(standings)) => {
                let report = |(at, standing): (usize, limit::Standing)| LimitReport {
                    limit: index(at),
                    remaining: standing.remaining,
                    reset: standing.reset_ns,
                };
                found.limits = standings.into_iter().enumerate().map(report).collect();
                Ok(())
            }
            Some(Answer::Denied { index: at, retry_after_ns: wait }) => {
                found.limits = vec![LimitReport { limit: index(at), remaining: 0, reset: wait }];
                Err(Denial { reason: Reason::RateLimited, retry_after: Some(wait) })
            }
            Some(Answer::Never { .. }) => Err(Reason::CostExceedsBurst.into()),
            None if self.policy.failure_mode == FailureMode::Allow => Ok(()),
            None => Err(Denial {
                reason: Reason::StoreUnavailable,
                retry_after: Some(STORE_RETRY_AFTER),
            }),
        }
    }
}

/// What templates can draw from while a request is judged.
struct RequestScope<'a> {
    gate: &'a Gate<'a>,
    request: &'a Request<'a>,
    rule: &'a Rule,
    principal: Option<&'a Principal>,
}

impl RequestScope<'_> {
    fn tags(&self) -> Vec<(usize, String)> {
        let mut value = String::new();
        let mut tags = Vec::new();
        for (index, tag) in self.gate.policy.tags.iter().enumerate() {
            value.clear();
            if tag.value.render(self, &mut value) {
                tags.push((index, tag.safe_value(&value)));
            }
        }
        tags
    }

    /// The bucket's owner. The first byte keeps callers known by identity and callers known by
    /// address apart, whatever an issuer puts into its claims.
    fn limit_key(&self, limit: &Limit) -> String {
        let mut key = String::from("i");
        if !limit.key.render(self, &mut key) {
            key.clear();
            key.push('a');
            key.push_str(&(self.request.client_address)().unwrap_or_default());
        }
        key
    }
}

impl Scope for RequestScope<'_> {
    fn value(&self, part: &Part) -> Option<Cow<'_, str>> {
        match part {
            Part::Claim(claim) => self.principal?.claims().text(claim),
            Part::Identity => Some(self.principal?.identity().into()),
            Part::Kid => self.principal?.claims().kid().map(Cow::from),
            Part::Provider => {
                let provider = self.principal?.claims().provider();
                Some(self.gate.policy.providers.get(provider)?.name.as_str().into())
            }
            Part::Rule => Some(self.rule.name.as_str().into()),
            Part::ClientAddress => (self.request.client_address)().map(Cow::from),
            Part::Header(name) => self.request.headers.value(name).map(String::from_utf8_lossy),
            // A template writes its own text.
            Part::Text(_) => None,
        }
    }
}
