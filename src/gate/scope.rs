//! The values for the templates of a configuration.

use std::borrow::Cow;

use super::body_value;
use super::resources::{Gate, Request};
use crate::body::Check;
use crate::caller::actor::actor;
use crate::caller::principal::Principal;
use crate::policy::rule::Rule;
use crate::request::headers::Headers;
use crate::request::path;
use crate::template::{Part, PartValue, Scope, Template};
use crate::verify::Claims;

/// The values that templates can use while a request is judged.
pub(super) struct RequestScope<'a> {
    pub(super) gate: &'a Gate<'a>,
    pub(super) request: &'a Request<'a>,
    pub(super) rule: &'a Rule,
    pub(super) principal: Option<&'a Principal>,
    /// The body, once it has been read.
    pub(super) body: Option<&'a Check>,
}

impl RequestScope<'_> {
    /// The tags that depend on the request.
    pub(super) fn tags(&self) -> Vec<(usize, String)> {
        self.tags_where(|template| !template.is_of_token())
    }

    /// The tags with a wanted template.
    pub(super) fn tags_where(&self, wanted: fn(&Template) -> bool) -> Vec<(usize, String)> {
        self.gate.tags(self, wanted)
    }

    /// The name of the provider that issued the claims.
    pub(super) fn provider_name(&self, claims: &Claims) -> Option<&str> {
        Some(self.gate.policy.providers.get(claims.provider())?.name.as_str())
    }
}

impl Gate<'_> {
    /// The caller's address, masked as `client_address` of the configuration says.
    pub(super) fn client_address(&self, request: &Request<'_>) -> Option<String> {
        let address = (request.client_address)()?;
        Some(self.policy.client_address.masked(address))
    }

    /// The tags with a wanted template: index into `Policy::tags`, and the safe value.
    pub(super) fn tags(
        &self,
        scope: &dyn Scope,
        wanted: fn(&Template) -> bool,
    ) -> Vec<(usize, String)> {
        let tags = self.policy.tags.iter().enumerate().filter(|(_, tag)| wanted(&tag.value));
        tags.filter_map(|(index, tag)| Some((index, tag.fill(scope)?))).collect()
    }
}

impl Scope for RequestScope<'_> {
    fn value(&self, part: &Part) -> Option<PartValue<'_>> {
        let text: Cow<'_, str> = match part {
            Part::Claim(claim) => return self.principal?.claims().part(claim),
            Part::Identity => self.principal?.identity().into(),
            Part::Kid => self.principal?.claims().kid()?.into(),
            Part::Actor => actor(self.principal?.claims())?.into(),
            Part::Provider => self.provider_name(self.principal?.claims())?.into(),
            Part::Rule => self.rule.name.as_str().into(),
            Part::ClientAddress => self.gate.client_address(self.request)?.into(),
            Part::PathSegment(name) => {
                let path = path::without_query(self.request.headers.value(":path")?);
                self.rule.matcher.segment(name, path)?.into()
            }
            Part::Header(name) => header(self.request.headers, name)?.into(),
            Part::Body(pointer) => {
                let guard = self.rule.payload.as_deref()?;
                body_value::text(self.body?.captured(guard, pointer)?)?.into()
            }
            // Templates write their text themselves.
            Part::Text(_) => return None,
        };
        Some(PartValue::Text(text))
    }
}

/// The value of a header with a single reading: it occurs once, in this spelling, and is UTF-8.
fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    let mut lines = headers.spellings(name);
    match (lines.next(), lines.next()) {
        (Some((given, value)), None) if given == name.as_bytes() => std::str::from_utf8(value).ok(),
        _ => None,
    }
}
