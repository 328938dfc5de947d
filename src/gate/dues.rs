//! What a body adds to the demands of the limits: the price of its model and the reservation.

use super::body_value;
use super::scope::RequestScope;
use crate::body::json::value::Found;
use crate::limit::plan::{Limit, Planned};
use crate::limit::reserve::{Model, Price, Priced, Reserve};

impl RequestScope<'_> {
    /// Whether a body comes for the guard of the rule.
    pub(super) fn body_comes(&self) -> bool {
        self.rule.payload.is_some() && !self.request.bodyless
    }

    /// Whether a limit is asked only once the body has been read: its key is there, or it is one of a rule
    /// that reserves, and the headers wait for the body. Then all limits of the rule give tokens at once, or
    /// none does. Headers that go on before pay what they can.
    pub(super) fn waits_for_body(&self, limit: &Limit) -> bool {
        let together = self.gate.policy.hold_head && self.rule.traits.reserves;
        self.body_comes() && (together || limit.key.reads_body())
    }

    /// Adds the price and the reservation to the demand of one limit, of which `cost` is that of the rule.
    /// Until the body has been read, a request with a price takes one token, and nothing is reserved.
    pub(super) fn add_dues(&self, planned: &mut Planned, cost: u64) {
        let limit = &*planned.limit;
        if limit.price.is_none() && limit.reserve.is_none() {
            return;
        }
        if self.body.is_none() && self.body_comes() {
            let unpriced = limit.price.is_some() && limit.response_cost.is_none();
            planned.cost = if unpriced { 1 } else { cost };
            return;
        }
        let price = limit.price.as_ref().map(|price| self.priced(price)).unwrap_or_default();
        let reserved = limit.reserve.as_ref().map(|reserve| self.reservation(reserve));
        planned.demand(cost, price, reserved);
    }

    fn priced(&self, price: &Price) -> Priced {
        let named = self.named(&price.json);
        price.of(match (&named, self.found(&price.json)) {
            (Some(name), _) => Model::Named(name),
            (None, Found::Absent | Found::Null) => Model::Unnamed,
            (None, _) => Model::Unclear,
        })
    }

    fn named(&self, pointer: &[String]) -> Option<String> {
        let guard = self.rule.payload.as_deref()?;
        body_value::text(self.body?.captured(guard, pointer)?)
    }

    fn reservation(&self, reserve: &Reserve) -> u64 {
        let bytes = self.body.map_or(0, |body| body.bytes());
        reserve.of(reserve.json.iter().map(|pointer| self.found(pointer)), bytes)
    }

    /// The value at a pointer that the guard follows.
    fn found(&self, pointer: &[String]) -> Found {
        match (self.rule.payload.as_deref(), self.body) {
            (Some(guard), Some(body)) => body.found(guard, pointer),
            _ => Found::Absent,
        }
    }
}

/// Whether the tokens that a limit gives are known only once the body has been read.
pub(super) fn depends_on_body(limit: &Limit) -> bool {
    limit.reserve.is_some() || (limit.price.is_some() && limit.response_cost.is_none())
}
