use std::rc::Rc;
use std::sync::Arc;

use super::*;
use crate::body::json::flaw::{Flaw, Malformed};
use crate::few::Few;
use crate::gate::verdict::LimitReport;
use crate::limit::Ruling;
use crate::reply::tests::policy;

/// Facts about a request of a rule with every bound, of which two limits refuse.
fn facts(policy: &Policy, refusal: Option<Refusal>) -> Facts {
    let limit = Rc::clone(&policy.limits[0]);
    let report = |ruling| LimitReport {
        limit: Rc::clone(&limit),
        quota: limit.quota,
        remaining: 0,
        reset: Duration::from_secs(2),
        ruling,
    };
    let rule = policy.rules.iter().next().unwrap();
    Facts {
        rule: Some(Rc::clone(rule)),
        refusal,
        limits: Few::Many(vec![report(Ruling::NotYet(Duration::ZERO)), report(Ruling::Never)]),
        ..Facts::default()
    }
}

#[test]
fn every_refusal_has_a_whole_sentence() {
    let policy = policy();
    let malformed = |flaw| Refusal::Malformed(Malformed { offset: 7, flaw });
    let refusals = [
        Refusal::NoBody,
        Refusal::MediaType,
        Refusal::Charset,
        Refusal::Encoded,
        Refusal::TooLarge { announced: true },
        malformed(Flaw::Colon),
        malformed(Flaw::Depth),
        Refusal::Lacking,
        Refusal::Rows(9),
        Refusal::Rows(UNKNOWN_ROWS),
        Refusal::Unfinished,
        Refusal::Unbuffered,
        Refusal::Unseen,
        Refusal::Withheld,
    ];
    let of_refusals = refusals.into_iter().map(|refusal| (refusal.reason(), Some(refusal)));
    let passes = [Reason::Ok, Reason::Anonymous, Reason::Preflight];
    let of_reasons = Reason::ALL.into_iter().filter(|reason| !passes.contains(reason));
    for (reason, refusal) in of_reasons.map(|reason| (reason, None)).chain(of_refusals) {
        for wait in [None, Some(Duration::from_millis(1_500))] {
            let scope = Some(Arc::from("a b"));
            let denial = Denial { reason, retry_after: wait, scope };
            let text = detail(&denial, &facts(&policy, refusal), &policy);
            let whole = text.ends_with('.')
                && text.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit());
            assert!(whole && !text.contains(['{', '}']), "{reason:?} {refusal:?}: {text}");
            assert!(!text.contains("  ") && !text.contains(" ;") && !text.contains(" ."), "{text}");
        }
    }
}

#[test]
fn a_sentence_names_what_cures_the_refusal() {
    let policy = policy();
    let bounds = [
        (Reason::ScopeInsufficient, None, "the scopes: a b."),
        (Reason::RateLimited, None, "The limit 'per-caller' is used up; try again in 2 seconds."),
        (Reason::CostExceedsBurst, None, "'per-caller' can ever hold, 20;"),
        (Reason::ConcurrencyLimited, None, "3 requests"),
        (Reason::KeysUnavailable, None, "in 2 seconds"),
        (Reason::TokenTooLarge, None, "16384 bytes"),
        (Reason::PayloadTooLarge, Some(Refusal::TooLarge { announced: false }), "1024 bytes"),
        (Reason::RowsExceeded, Some(Refusal::Rows(101)), "at most 100 in one request"),
        (Reason::ContentTypeNotAllowed, Some(Refusal::MediaType), "application/json or text/csv"),
        (
            Reason::PayloadMalformed,
            Some(Refusal::Malformed(Malformed { offset: 7, flaw: Flaw::Colon })),
            "expected a colon",
        ),
    ];
    for (reason, refusal, part) in bounds {
        let denial = Denial {
            reason,
            retry_after: Some(Duration::from_millis(1_001)),
            scope: Some(Arc::from("a b")),
        };
        let text = detail(&denial, &facts(&policy, refusal), &policy);
        assert!(text.contains(part), "{reason:?}: {text}");
    }
}

#[test]
fn the_sentence_for_a_missing_token_shows_the_usual_place_if_the_filter_reads_it() {
    let header =
        |name: &str, prefix: &str| Place::Header { name: name.into(), prefix: prefix.into() };
    let usual = "send one as `Authorization: Bearer <token>`.";
    for (from, end) in [
        (vec![header("authorization", "Bearer ")], usual),
        (vec![header("x-api-key", ""), header("authorization", "bearer ")], usual),
        (vec![header("authorization", "Token ")], "send one."),
        (vec![header("x-user-token", "Bearer ")], "send one."),
        (vec![Place::Cookie("session".into())], "send one."),
    ] {
        let mut policy = policy();
        policy.token.from = from;
        let denial = Denial { reason: Reason::TokenMissing, retry_after: None, scope: None };
        let text = detail(&denial, &facts(&policy, None), &policy);
        assert!(text.ends_with(end), "{:?}: {text}", policy.token.from);
    }
}
