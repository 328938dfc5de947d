//! The buckets that a request takes from, and their owners.

use std::rc::Rc;

use super::scope::RequestScope;
use crate::few::Few;
use crate::limit::owner::Owner;
use crate::limit::plan::{Limit, Planned};
use crate::template::Template;

impl RequestScope<'_> {
    /// The tokens that the request takes from the limits of its rule by its headers, or once the body has been
    /// read, from those whose key is in it.
    pub(super) fn plan(&self, cost: u64) -> Few<Planned> {
        let now = |limit: &&Rc<Limit>| self.waits_for_body(limit) == self.body.is_some();
        match self.rule.limits.as_slice() {
            [limit] if now(&limit) => Few::One(self.planned(limit, cost)),
            [_] => Few::default(),
            limits => {
                let planned = |limit| self.planned(limit, cost);
                Few::Many(limits.iter().filter(now).map(planned).collect())
            }
        }
    }

    fn planned(&self, limit: &Rc<Limit>, cost: u64) -> Planned {
        let known = self.principal.and_then(|caller| Planned::again(limit, caller, cost));
        let mut planned = match known {
            Some(planned) => planned,
            None => self.first(limit, cost),
        };
        self.add_dues(&mut planned, cost);
        planned
    }

    /// The same with the names of the buckets and their owners; with a body, from all limits.
    pub(super) fn named_plan(&self, cost: u64) -> Few<Planned> {
        let asked = |limit: &&Rc<Limit>| self.body.is_some() || !self.waits_for_body(limit);
        let planned = |limit: &Rc<Limit>| {
            let mut planned = self.by_name(limit, cost);
            self.add_dues(&mut planned, cost);
            planned
        };
        Few::Many(self.rule.limits.iter().filter(asked).map(planned).collect())
    }

    /// The plan of a limit with the name of the bucket.
    fn by_name(&self, limit: &Rc<Limit>, cost: u64) -> Planned {
        Planned::new(limit, self.owner(Some(&limit.key)), self.principal, cost)
    }

    /// The plan of a limit whose bucket is not known.
    #[inline(never)]
    fn first(&self, limit: &Rc<Limit>, cost: u64) -> Planned {
        match (self.gate.table, self.principal) {
            (Some(table), Some(caller)) => {
                let owner = self.owner(Some(&limit.key));
                Planned::found(table, limit, &owner, caller, cost)
            }
            _ => self.by_name(limit, cost),
        }
    }

    /// The owner of the bucket or place that a request takes: by the template, or by default the
    /// identity. A key that draws on claims contains its provider, so that no issuer can name the
    /// callers of another.
    pub(super) fn owner(&self, template: Option<&Template>) -> Owner {
        let mut key = String::new();
        let of_token = template.is_none_or(Template::draws_on_token);
        let provider = self.principal.and_then(|caller| self.provider_name(caller.claims()));
        if let Some(provider) = provider.filter(|_| of_token) {
            key.push_str(provider);
            key.push('/');
        }
        let known = match template {
            Some(template) => template.render_key(self, &mut key),
            None => self.principal.is_some_and(|principal| {
                key.push_str(principal.identity());
                true
            }),
        };
        match (known, of_token) {
            (true, true) => Owner::Identity(key),
            (true, false) => Owner::Unverified(key),
            (false, _) => {
                Owner::Address(self.gate.client_address(self.request).unwrap_or_default())
            }
        }
    }
}
