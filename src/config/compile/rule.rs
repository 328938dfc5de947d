//! `rules`.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::rc::Rc;

use super::headers::Headers;
use super::{grant, matching, payload, read, settings, tag};
use crate::caller::grant::Grant;
use crate::caller::grant::entries::Entries;
use crate::config::Environment;
use crate::config::report::{At, Report, quoted};
use crate::config::schema::{Count, RawConfig, RawCost, RawCostFrom, RawRule};
use crate::limit::cost::Cost;
use crate::limit::plan::Limit;
use crate::policy::rule::{Auth, HeaderSecret, LentKey, Rule, Traits};

/// `cost`: a rule whose requests cost nothing has no limits instead.
const COST: RangeInclusive<u64> = 1..=1_000_000_000;

/// `concurrency`.
const CONCURRENCY: RangeInclusive<u32> = 1..=1_000_000;

/// The parts of the document that a rule refers to, by position.
struct Known<'a> {
    providers: Vec<Option<&'a str>>,
    limit_names: Vec<Option<&'a str>>,
    /// All limits, or none if one of them has a problem.
    limits: &'a [Rc<Limit>],
    headers: &'a Headers<'a>,
    strict_paths: bool,
}

/// Compiles all rules; one that matches all and requires a token by default.
pub(super) fn rules(
    raw: &RawConfig,
    limits: &[Rc<Limit>],
    headers: &Headers<'_>,
    env: &dyn Environment,
    report: &mut Report,
) -> Option<Vec<Rule>> {
    let at = At::root().field("rules");
    let providers = raw.providers.iter().flatten().map(|p| p.name.as_deref()).collect();
    let limit_names = raw.limits.iter().flatten().map(|l| l.name.as_deref()).collect();
    let strict_paths = settings::reject_ambiguous_paths(raw.ambiguous_paths);
    let known = Known { providers, limit_names, limits, headers, strict_paths };
    let default = [RawRule { name: Some("default".into()), ..RawRule::default() }];
    let list = raw.rules.as_deref().unwrap_or(&default);
    if list.is_empty() {
        report.problem(&at, "is an empty list: every request would be refused; leave it out");
    }
    let mut taken = BTreeSet::new();
    read::all(list, &at, report, |raw, at, report| rule(raw, &known, &mut taken, env, at, report))
}

fn rule<'a>(
    raw: &'a RawRule,
    known: &Known<'_>,
    taken: &mut BTreeSet<&'a str>,
    env: &dyn Environment,
    at: &At,
    report: &mut Report,
) -> Option<Rule> {
    let name = read::name(raw.name.as_ref(), taken, at, report);
    let matcher =
        matching::matcher(raw.matcher.as_ref(), known.strict_paths, &at.field("match"), report);
    let named = raw.matcher.iter().flat_map(|matcher| matcher.headers.iter().flatten());
    for (name, _) in named {
        let at = at.field("match").field("headers").field(name);
        known.headers.is_absent(name, &at, report);
    }
    let auth = raw.auth.unwrap_or(Auth::Required);
    let providers = raw.providers.as_ref().map(|list| {
        let at = at.field("providers");
        if list.is_empty() {
            report.problem(&at, "is an empty list: no token would pass; leave it out for all");
        }
        indexes(list, &known.providers, "provider", &at, report)
    });
    let limits = raw.limits.as_deref().unwrap_or_default();
    let limits = indexes(limits, &known.limit_names, "limit", &at.field("limits"), report);
    let limits = limits.iter().filter_map(|index| known.limits.get(*index).cloned()).collect();
    for (member, given) in [("providers", raw.providers.is_some()), ("allow", raw.allow.is_some())]
    {
        if given && auth == Auth::None {
            report
                .problem(&at.field(member), "has no effect with auth: none, which ignores tokens");
        }
    }
    let allow = allow(raw, &at.field("allow"), report);
    let cost = cost(raw.cost.as_ref(), known.headers, &at.field("cost"), report);
    let concurrency = raw
        .concurrency
        .map(|count| read::count(Some(count), 1, CONCURRENCY, &at.field("concurrency"), report));
    let payload = payload::guard(raw, at, report);
    let upstream_authorization = upstream_authorization(raw, auth, known.headers, env, at, report);
    Some(Rule {
        name: name?,
        matcher,
        auth,
        providers,
        position: 0,
        provider_class: 0,
        traits: Traits::default(),
        limits,
        cost: cost?,
        concurrency,
        payload: payload.map(Rc::new),
        allow,
        upstream_authorization,
        body: raw.body,
        dry_run: raw.dry_run.unwrap_or(false),
    })
}

/// The positions of the names in a list, each at most once.
fn indexes(
    list: &[String],
    known: &[Option<&str>],
    kind: &str,
    at: &At,
    report: &mut Report,
) -> Vec<usize> {
    let mut found = Vec::new();
    for (index, wanted) in list.iter().enumerate() {
        let at = at.index(index);
        match read::position(wanted, known, kind, &at, report) {
            Some(position) if found.contains(&position) => {
                report.problem(&at, format_args!("{} is given twice", quoted(wanted)));
            }
            Some(position) => found.push(position),
            None => {}
        }
    }
    found
}

fn allow(raw: &RawRule, at: &At, report: &mut Report) -> Option<Entries<Grant>> {
    let list = raw.allow.as_ref()?;
    if list.is_empty() {
        report.problem(at, "is an empty list, which admits no caller; leave it out to admit all");
    }
    let each = list.iter().enumerate();
    Some(each.map(|(index, entry)| grant::grant(entry, &at.index(index), report)).collect())
}

/// `cost`; `None` with a problem.
fn cost(
    raw: Option<&RawCost>,
    headers: &Headers<'_>,
    at: &At,
    report: &mut Report,
) -> Option<Cost> {
    match raw {
        None => Some(Cost::Fixed(1)),
        Some(RawCost::Fixed(cost)) => {
            Some(Cost::Fixed(read::count(Some(Count(*cost)), 1, COST, at, report)))
        }
        Some(RawCost::From(from)) => cost_from(from, headers, at, report),
    }
}

fn cost_from(
    raw: &RawCostFrom,
    headers: &Headers<'_>,
    at: &At,
    report: &mut Report,
) -> Option<Cost> {
    let max = read::count(raw.max, 1, COST, &at.field("max"), report);
    if raw.max.is_none() {
        report.required(&at.field("max"), "the maximum cost of one request");
    }
    match (&raw.header, &raw.json_rows) {
        (Some(header), None) => {
            let at = at.field("header");
            headers.is_absent(header, &at, report);
            let name = read::header_name(header, &at, report)?;
            Some(Cost::Header { name, max })
        }
        (None, Some(_)) => Some(Cost::Rows { max }),
        _ => {
            report.problem(at, "must have exactly one source; allowed: one of header, json_rows");
            None
        }
    }
}

fn upstream_authorization(
    raw: &RawRule,
    auth: Auth,
    headers: &Headers<'_>,
    env: &dyn Environment,
    at: &At,
    report: &mut Report,
) -> Option<LentKey> {
    let at = at.field("upstream_authorization");
    let raw = raw.upstream_authorization.as_ref()?;
    if auth != Auth::Required {
        report.warning(&at, "is also sent for callers without a token: auth is not required");
    }
    let header = match &raw.header {
        None => "authorization".to_owned(),
        Some(text) => {
            let at = at.field("header");
            let name = read::header_name(text, &at, report)?;
            if tag::is_foreign(&read::folded(&name)) && name != "authorization" {
                report.problem(&at, "names a header that proxies or servers interpret; allowed: authorization, or one of the upstream's own such as api-key");
            }
            headers.is_absent(&name, &at, report);
            name
        }
    };
    let prefix = raw.prefix.as_deref().unwrap_or_default();
    read::header_text(prefix, &at.field("prefix"), report);
    let at = at.field("env");
    let Some(name) = &raw.env else {
        report.required(&at, "the name of an environment variable");
        return None;
    };
    let value = read::variable(name, env, &at, report)?;
    // A line break at the end of a file would end the header.
    if !value.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        report.problem(&at, format_args!("the value of {name} is not allowed in a header"));
    }
    Some(LentKey { header, value: HeaderSecret::new(format!("{prefix}{value}")) })
}
