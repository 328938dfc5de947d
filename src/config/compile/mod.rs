//! Compiles the document into the policy and reports every problem of meaning.
//!
//! Each section has a file. They share `read` (single values), `hints` (warnings about single values),
//! `headers` (headers that a document cannot refer to) and `warnings` (warnings about the whole
//! policy).

mod bodies;
mod body_warnings;
mod grant;
mod headers;
mod hints;
mod identity;
mod keys;
mod limit;
mod matching;
mod metadata;
mod payload;
mod provider;
mod read;
mod reserve;
mod response;
mod response_cost;
mod rule;
mod segments;
mod settings;
mod tag;
mod token;
mod warnings;

pub use tag::RESERVED_TAGS;

use self::headers::Headers;
use super::Environment;
use super::report::{At, Report};
use super::schema::RawConfig;
use crate::policy::rules::Rules;
use crate::policy::{FailureMode, FilterState, Policy};

/// Compiles every section; `None` if a section could not be built. The policy is valid only if the
/// report has no problems.
pub(super) fn policy(
    raw: &RawConfig,
    env: &dyn Environment,
    report: &mut Report,
) -> Option<Policy> {
    let root = At::root();
    // Every section is compiled even after a problem, so that all problems are reported at once.
    let providers = provider::providers(raw, env, report);
    let token = token::token(raw.token.as_ref(), report);
    let default_tags = tag::defaults();
    let tags = raw.tags.as_deref().unwrap_or(&default_tags);
    let headers = Headers::new(tags, &token, raw.rules.as_deref().unwrap_or_default());
    token::check(raw.token.as_ref(), &headers, report);
    let limits = limit::limits(raw, &headers, report);
    let mut rules = rule::rules(raw, limits.as_deref().unwrap_or_default(), &headers, env, report);
    let tags = tag::tags(tags, raw.privacy.as_ref(), &headers, env, report);
    let hold_head = raw.hold_head.unwrap_or(false);
    if let (Some(rules), Some(limits), Some(tags)) = (&mut rules, &limits, &tags) {
        bodies::capture(rules, limits, tags, hold_head, report);
    }
    let mut responses = response::responses(raw.responses.as_ref(), report);
    let sources = metadata::Sources {
        providers: providers.as_deref().unwrap_or_default(),
        rules: rules.as_deref().unwrap_or_default(),
        token: &token,
        strict_paths: settings::reject_ambiguous_paths(raw.ambiguous_paths),
    };
    responses.resource_metadata =
        metadata::resource_metadata(raw.responses.as_ref(), &sources, report);
    if !responses.resource_metadata.is_empty() {
        responses.metadata_limit = limit::of_metadata(&headers, report);
    }
    settings::privacy(raw.privacy.as_ref(), report);
    let token_cache = settings::token_cache(raw.token_cache.as_ref(), report);
    let max_identities = settings::max_identities(raw.store.as_ref(), &root, report);
    let client_address = settings::client_address(raw.client_address.as_ref(), report);
    let telemetry = raw.telemetry.as_ref();
    let policy = Policy {
        providers: providers?.into(),
        token,
        rules: Rules::new(rules?),
        limits: limits?,
        tags: tags?,
        responses,
        filter_state: telemetry.and_then(|t| t.filter_state).unwrap_or(FilterState::All),
        metrics: telemetry.and_then(|t| t.metrics).unwrap_or(true),
        histograms: settings::histograms(telemetry, report),
        crypto: settings::crypto(raw.crypto, report),
        token_cache,
        max_identities,
        failure_mode: raw.failure_mode.unwrap_or(FailureMode::Deny),
        client_address,
        hold_head,
        reject_ambiguous_paths: settings::reject_ambiguous_paths(raw.ambiguous_paths),
        dry_run: raw.dry_run.unwrap_or(false),
    };
    segments::check(&policy, report);
    warnings::warn(&policy, report);
    Some(policy)
}
