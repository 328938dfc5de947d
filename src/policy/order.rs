//! Which of two rules is stricter.

use std::rc::Rc;

use super::rule::{Auth, Rule};
use crate::caller::grant::Grant;
use crate::limit::cost::Cost;

impl Rule {
    /// Whether the rule passes no request without a token.
    pub(super) fn closes(&self) -> bool {
        self.auth == Auth::Required && !self.dry_run
    }

    /// Whether `other` would pass every request that this rule passes, and give it at least as much.
    /// `false` means "not certain".
    pub(super) fn asks_for_all_of(&self, other: &Self) -> bool {
        // Every member is named, so that adding one is a compile error here.
        let Self {
            name: _,
            body: _,
            matcher: _,
            auth: _,
            providers,
            position: _,
            provider_class: _,
            traits: _,
            limits,
            cost,
            concurrency,
            payload,
            allow,
            upstream_authorization,
            dry_run: _,
        } = self;
        let in_flight = match (concurrency, other.concurrency) {
            (_, None) => true,
            (Some(here), Some(there)) => *here <= there,
            (None, Some(_)) => false,
        };
        self.closes()
            && within(providers.as_deref(), other.providers.as_deref())
            && within::<Grant>(allow.as_deref(), other.allow.as_deref())
            && other.limits.iter().all(|limit| limits.iter().any(|own| Rc::ptr_eq(own, limit)))
            && (other.limits.is_empty() || costs_as_much(cost, &other.cost))
            && in_flight
            && (other.payload.is_none() || *payload == other.payload)
            && (upstream_authorization.is_none()
                || *upstream_authorization == other.upstream_authorization)
    }
}

/// Whether each item of the first list is in the second; an absent list admits everything.
fn within<T: PartialEq>(list: Option<&[T]>, wide: Option<&[T]>) -> bool {
    match (list, wide) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(list), Some(wide)) => list.iter().all(|item| wide.contains(item)),
    }
}

fn costs_as_much(cost: &Cost, other: &Cost) -> bool {
    match (cost, other) {
        (Cost::Fixed(cost), Cost::Fixed(other)) => cost >= other,
        (cost, other) => cost == other,
    }
}
