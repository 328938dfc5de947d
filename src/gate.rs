//! The decision on a request, from its headers to a verdict, without a view of the host.

use std::borrow::Cow;
use std::cell::RefCell;

use crate::concurrency::{Concurrency, Lease};
use crate::headers::Headers;
use crate::limit::store::{Store, StoreError};
use crate::limit::table::Table;
use crate::limit::{self, Answer, Counters, Ruling, Standing, TakeError};
use crate::path;
use crate::policy::{FailureMode, Policy};
use crate::principal::Principal;
use crate::quota_plan::{self, Planned};
use crate::reason::Reason;
use crate::rule::{Auth, RequestLine, Rule};
use crate::tags::sanitise;
use crate::template::{Part, Scope, Template};
use crate::token_source::{self, Found};
use crate::verdict::{Denial, Judgement, LimitReport, Verdict};
use crate::verify::engine::Engine;
use crate::verify::{Keys, Verifier};

/// When a caller may come back after the store could not answer: 1 s, in nanoseconds.
const STORE_RETRY_AFTER: u64 = 1_000_000_000;

/// When a caller may come back that has too many requests in flight: 1 s, in nanoseconds. Nobody
/// knows when one of them ends.
const CONCURRENCY_RETRY_AFTER: u64 = 1_000_000_000;

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
    /// The requests in flight; `None` while the store could not be opened, or where no rule limits
    /// them.
    pub concurrency: Option<&'a RefCell<Concurrency>>,
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
            charges: Vec::new(),
            lease: None,
            store: Counters::default(),
        };
        judgement.verdict = match self.decide(request, &mut judgement) {
            Ok(reason) => match would_deny(&judgement.limits) {
                Some(denial) => Verdict::WouldDeny(denial),
                None => Verdict::Allow(reason),
            },
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
        self.limit(request, rule, &scope, found)?;
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

    /// A place in flight first, then the tokens: a place is given back without a trace.
    fn limit(
        &self,
        request: &Request<'_>,
        rule: &Rule,
        scope: &RequestScope<'_>,
        found: &mut Judgement,
    ) -> Result<(), Denial> {
        let lease = self.occupy(request, rule, scope, &mut found.store)?;
        let taken = self.take(request, rule, scope, found);
        match (taken, lease) {
            (Ok(()), lease) => {
                found.lease = lease;
                Ok(())
            }
            (Err(denial), None) => Err(denial),
            (Err(denial), Some(lease)) => {
                if let Some(concurrency) = self.concurrency {
                    let mut concurrency = concurrency.borrow_mut();
                    concurrency.release(self.store, request.clock, lease, &mut found.store);
                }
                Err(denial)
            }
        }
    }

    fn occupy(
        &self,
        request: &Request<'_>,
        rule: &Rule,
        scope: &RequestScope<'_>,
        counters: &mut Counters,
    ) -> Result<Option<Lease>, Denial> {
        let Some(most) = rule.concurrency else { return Ok(None) };
        let owner = scope.owner(None);
        let answer = self.concurrency.and_then(|concurrency| {
            let mut concurrency = concurrency.borrow_mut();
            let whose = (rule.name.as_str(), owner.as_str());
            concurrency.acquire(self.store, request.clock, whose, most, counters).ok()
        });
        match answer {
            Some(Some(lease)) => Ok(Some(lease)),
            Some(None) => Err(Denial {
                reason: Reason::ConcurrencyLimited,
                retry_after: Some(CONCURRENCY_RETRY_AFTER),
            }),
            None => self.store_failed().map(|()| None),
        }
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
        let claims = scope.principal.map(Principal::claims);
        let cost = quota_plan::cost(&rule.cost, request.headers);
        let plan: Vec<Planned<'_>> = rule
            .limits
            .iter()
            .filter_map(|index| Some((*index, self.policy.limits.get(*index)?)))
            .map(|(index, limit)| {
                Planned::new((index, limit), scope.owner(Some(&limit.key)), claims, cost)
            })
            .collect();
        let answer = self.take_all(request, &plan, &mut found.store);
        let standings = match &answer {
            Ok(
                Answer::Allowed(standings)
                | Answer::Denied { standings, .. }
                | Answer::Never { standings, .. },
            ) => standings.as_slice(),
            Err(_) => &[],
        };
        found.limits = plan.iter().zip(standings).map(report).collect();
        match answer {
            Ok(Answer::Allowed(_)) => {
                found.charges = plan.into_iter().filter_map(Planned::response_charge).collect();
                Ok(())
            }
            Ok(Answer::Denied { retry_after_ns, .. }) => {
                Err(Denial { reason: Reason::RateLimited, retry_after: Some(retry_after_ns) })
            }
            Ok(Answer::Never { .. }) => Err(Reason::CostExceedsBurst.into()),
            Err(_) => self.store_failed(),
        }
    }

    fn take_all(
        &self,
        request: &Request<'_>,
        plan: &[Planned<'_>],
        counters: &mut Counters,
    ) -> Result<Answer, TakeError> {
        let takes: Vec<limit::Request<'_>> = plan.iter().map(Planned::request).collect();
        match self.table {
            Some(table) => limit::take_all(table, self.store, request.clock, &takes, counters),
            None => Err(TakeError::Store(StoreError::Damaged)),
        }
    }

    /// `failure_mode`.
    fn store_failed(&self) -> Result<(), Denial> {
        match self.policy.failure_mode {
            FailureMode::Allow => Ok(()),
            FailureMode::Deny => Err(Denial {
                reason: Reason::StoreUnavailable,
                retry_after: Some(STORE_RETRY_AFTER),
            }),
        }
    }
}

fn report((planned, standing): (&Planned<'_>, &Standing)) -> LimitReport {
    LimitReport {
        limit: planned.index,
        quota: planned.quota,
        remaining: standing.remaining,
        reset: standing.reset_ns,
        ruling: standing.ruling,
        dry_run: planned.limit.dry_run,
    }
}

/// What the limits that are dry runs would have answered to a request that passes.
fn would_deny(limits: &[LimitReport]) -> Option<Denial> {
    let refusing = limits.iter().filter(|report| report.ruling != Ruling::Pass);
    refusing.map(|report| report.ruling).max_by_key(|ruling| *ruling == Ruling::Never).map(
        |ruling| match ruling {
            Ruling::Never => Reason::CostExceedsBurst.into(),
            Ruling::Pass | Ruling::NotYet => Reason::RateLimited.into(),
        },
    )
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
                tags.push((index, sanitise(&value)));
            }
        }
        tags
    }

    /// Whose bucket or place a request takes: what the template says, by default the identity. The
    /// first byte keeps callers known by identity and callers known by address apart, whatever an
    /// issuer puts into its claims.
    fn owner(&self, template: Option<&Template>) -> String {
        let mut owner = String::from("i");
        let known = match template {
            Some(template) => template.render(self, &mut owner),
            None => self.principal.is_some_and(|principal| {
                owner.push_str(principal.identity());
                true
            }),
        };
        if !known {
            owner.clear();
            owner.push('a');
            owner.push_str(&(self.request.client_address)().unwrap_or_default());
        }
        owner
    }
}

impl Scope for RequestScope<'_> {
    fn value(&self, part: &Part) -> Option<Cow<'_, str>> {
        match part {
            Part::Claim(claim) => self.principal?.claims().text(claim),
            Part::Identity => Some(self.principal?.identity().into()),
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
