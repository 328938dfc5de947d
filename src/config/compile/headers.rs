//! Headers that a document cannot refer to.

use super::read;
use crate::config::report::{At, Report};
use crate::config::schema::{RawRule, RawTag};
use crate::policy::owned::is_reserved;
use crate::request::headers::same_name;
use crate::request::token_source::{Place, TokenRules};
use crate::template::{Part, Template};

/// Headers that always contain credentials.
const SECRET: [&str; 3] = ["cookie", "proxy-authorization", "authorization"];

/// The headers that the filter writes, and those that contain credentials.
pub(super) struct Headers<'a> {
    written: Vec<&'a str>,
    secret: Vec<&'a str>,
}

impl<'a> Headers<'a> {
    /// The filter writes the headers of the tags; tokens and the keys of upstreams are credentials.
    pub(super) fn new(tags: &'a [RawTag], token: &'a TokenRules, rules: &'a [RawRule]) -> Self {
        let lent = rules.iter().filter_map(|rule| rule.upstream_authorization.as_ref());
        let lent = lent.filter_map(|lent| lent.header.as_deref());
        let written = tags.iter().filter_map(|tag| tag.header.as_deref()).collect();
        let places = token.from.iter().filter_map(Place::field);
        Self { written, secret: places.chain(lent).chain(SECRET).collect() }
    }

    /// Notes a header that is always absent, because the filter removes it from every request and
    /// writes it itself; returns whether it is.
    pub(super) fn is_absent(&self, name: &str, at: &At, report: &mut Report) -> bool {
        let is = |written: &&str| same_name(name.as_bytes(), written.as_bytes());
        let absent = is_reserved(name.as_bytes()) || self.written.iter().any(is);
        if absent {
            report.problem(
                at,
                "names a header that the filter writes and removes from every request: it is always absent",
            );
        }
        absent
    }

    /// A template, whose headers must be present and without credentials.
    pub(super) fn template(&self, text: &str, at: &At, report: &mut Report) -> Option<Template> {
        let template = read::template(text, at, report)?;
        for part in template.parts() {
            let Part::Header(name) = part else { continue };
            let is = |secret: &&str| same_name(name.as_bytes(), secret.as_bytes());
            if !self.is_absent(name, at, report) && self.secret.iter().any(is) {
                report.problem(
                    at,
                    format_args!(
                        "{{@header:{name}}} contains credentials; allowed: a header other than authorization, cookie and those that token reads"
                    ),
                );
            }
        }
        Some(template)
    }
}
