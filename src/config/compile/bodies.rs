//! `{@body:/pointer}`: the rules that read it guard their body.

use std::rc::Rc;

use crate::body::json::pointers::MAX_POINTERS;
use crate::body::{IncludeUsage, usage};
use crate::caller::grant::BodyTest;
use crate::caller::tags::Tag;
use crate::config::report::{At, Report, quoted};
use crate::limit::plan::Limit;
use crate::limit::reserve::Reserve;
use crate::policy::rule::{Auth, Rule};
use crate::template::Part;

/// Tells the guard of each rule which values of the body its templates use. Reports templates that no rule can
/// fill, and headers that would be too late.
#[inline(never)]
pub(super) fn capture(
    rules: &mut [Rule],
    limits: &[Rc<Limit>],
    tags: &[Tag],
    hold_head: bool,
    report: &mut Report,
) {
    let message =
        "is in the body, and no rule that uses it guards the body; add payload to such a rule";
    let guards = |rule: &Rule| rule.payload.is_some();
    for (index, tag) in tags.iter().enumerate().filter(|(_, tag)| tag.value.reads_body()) {
        let at = At::root().field("tags").index(index);
        if !rules.iter().any(|rule| guards(rule) && has_tags(rule)) {
            report.problem(&at.field("value"), message);
        }
        if tag.header.is_some() && !hold_head {
            report.problem(
                &at.field("header"),
                "needs hold_head: true, because the value is in the body; set that, or remove the header",
            );
        }
    }
    for (index, limit) in limits.iter().enumerate().filter(|(_, limit)| limit.key.reads_body()) {
        let at = At::root().field("limits").index(index).field("key");
        let uses = |rule: &&Rule| rule.limits.iter().any(|own| Rc::ptr_eq(own, limit));
        let mut guarded = false;
        let mut bare = None;
        for rule in rules.iter().filter(uses) {
            match guards(rule) {
                true => guarded = true,
                false => bare = Some(rule),
            }
        }
        match bare {
            Some(_) if !guarded => report.problem(&at, message),
            Some(rule) => report.warning(
                &at,
                format_args!(
                    "has no value for the rule {}, which guards no body: there, the address is the key; add payload to it",
                    quoted(&rule.name)
                ),
            ),
            None => {}
        }
    }
    for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| !guards(rule)) {
        for (entry, _) in tests(rule).filter(|(_, tests)| !tests.is_empty()) {
            report.problem(
                &At::rule(index).field("allow").index(entry).field("body"),
                "needs the body, which the rule does not guard; add payload to it",
            );
        }
    }
    for (index, rule) in rules.iter_mut().enumerate() {
        let at = At::rule(index);
        let noted = noted(rule);
        let pointers = pointers(rule, tags);
        let Some(guard) = rule.payload.as_mut().and_then(Rc::get_mut) else {
            let mut limits = rule.limits.iter();
            if let Some(limit) = limits.find(|limit| measures_body(limit)) {
                report.problem(&at.field("payload"), format_args!("is required, because the limit {} reads the body (price, reserve); allowed: {{content_types: [application/json]}}, or any other guard", quoted(&limit.name)));
            }
            continue;
        };
        guard.reads |= !pointers.is_empty() || !noted.is_empty();
        guard.pointers.note(&noted);
        guard.pointers.capture(&pointers);
        if guard.pointers.len() > MAX_POINTERS {
            report.problem(
                &at.field("payload"),
                format_args!(
                    "has too many pointers with those of templates, limits and allow[].body; allowed: {MAX_POINTERS}"
                ),
            );
        }
    }
}

/// Whether requests of a rule can have tags, because they can have a verified caller.
fn has_tags(rule: &Rule) -> bool {
    rule.auth != Auth::None
}

/// Whether a limit needs the body for what it takes.
fn measures_body(limit: &Limit) -> bool {
    limit.price.is_some() || limit.reserve.as_ref().is_some_and(Reserve::reads_body)
}

/// The pointers at which the limits of a rule look for the kind of a value, each once: reservations, and models,
/// because a model that is no text is not absent.
fn noted(rule: &Rule) -> Vec<Vec<String>> {
    let mut pointers: Vec<Vec<String>> = Vec::new();
    for limit in &rule.limits {
        let reserve = limit.reserve.iter().flat_map(|reserve| &reserve.json);
        for pointer in reserve.chain(limit.price.iter().map(|price| &price.json)) {
            if !pointers.contains(pointer) {
                pointers.push(pointer.clone());
            }
        }
    }
    pointers
}

/// The tests of the body in each entry of `allow`, with its position.
fn tests(rule: &Rule) -> impl Iterator<Item = (usize, &[BodyTest])> {
    rule.allow.iter().flatten().map(|entry| entry.body.as_slice()).enumerate()
}

/// The pointers of the templates that a rule fills, of the models that it prices, and of its tests of the
/// body, each once.
fn pointers(rule: &Rule, tags: &[Tag]) -> Vec<Vec<String>> {
    let asks = rule.payload.as_ref().is_some_and(|guard| guard.include_usage != IncludeUsage::Off);
    let usage = if asks { usage::pointers() } else { Vec::new() };
    let tags = tags.iter().filter(|_| has_tags(rule)).map(|tag| &tag.value);
    let keys = rule.limits.iter().map(|limit| &limit.key);
    let mut pointers = usage;
    let models = rule.limits.iter().filter_map(|limit| limit.price.as_ref());
    let models = models.map(|price| &price.json);
    let tests = tests(rule).flat_map(|(_, tests)| tests);
    for pointer in tests.map(|test| &test.pointer).chain(models) {
        if !pointers.contains(pointer) {
            pointers.push(pointer.clone());
        }
    }
    for template in tags.chain(keys).filter(|template| template.reads_body()) {
        for part in template.parts() {
            if let Part::Body(pointer) = part
                && !pointers.contains(pointer)
            {
                pointers.push(pointer.clone());
            }
        }
    }
    pointers
}
