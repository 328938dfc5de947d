//! What the templates of a configuration are filled from.

use std::borrow::Cow;

use super::{Gate, Request};
use crate::principal::Principal;
use crate::rule::Rule;
use crate::template::{Part, Scope, Template};
use crate::verify::Claims;

/// What templates can draw from while a request is judged.
pub(super) struct RequestScope<'a> {
    pub(super) gate: &'a Gate<'a>,
    pub(super) request: &'a Request<'a>,
    pub(super) rule: &'a Rule,
    pub(super) principal: Option<&'a Principal>,
}

impl RequestScope<'_> {
    /// The tags that the request has a part in.
    pub(super) fn tags(&self) -> Vec<(usize, String)> {
        self.tags_where(|template| !template.is_of_token())
    }

    /// The tags whose template is wanted.
    pub(super) fn tags_where(&self, wanted: impl Fn(&Template) -> bool) -> Vec<(usize, String)> {
        self.gate.tags(self, wanted)
    }

    /// The name of the provider that issued the claims.
    pub(super) fn provider_name(&self, claims: &Claims) -> Option<&str> {
        Some(self.gate.policy.providers.get(claims.provider())?.name.as_str())
    }
}

impl Gate<'_> {
    /// The tags whose template is wanted: index into `Policy::tags`, and the safe value.
    pub(super) fn tags(
        &self,
        scope: &dyn Scope,
        wanted: impl Fn(&Template) -> bool,
    ) -> Vec<(usize, String)> {
        let mut value = String::new();
        let mut tags = Vec::new();
        for (index, tag) in self.policy.tags.iter().enumerate() {
            value.clear();
            if wanted(&tag.value) && tag.value.render(scope, &mut value) {
                tags.push((index, tag.safe_value(&value)));
            }
        }
        tags
    }
}

impl Scope for RequestScope<'_> {
    fn value(&self, part: &Part) -> Option<Cow<'_, str>> {
        match part {
            Part::Claim(claim) => self.principal?.claims().text(claim),
            Part::Identity => Some(self.principal?.identity().into()),
            Part::Kid => self.principal?.claims().kid().map(Cow::from),
            Part::Provider => self.provider_name(self.principal?.claims()).map(Cow::from),
            Part::Rule => Some(self.rule.name.as_str().into()),
            Part::ClientAddress => (self.request.client_address)().map(Cow::from),
            Part::Header(name) => self.request.headers.value(name).map(String::from_utf8_lossy),
            // A template writes its own text.
            Part::Text(_) => None,
        }
    }
}
