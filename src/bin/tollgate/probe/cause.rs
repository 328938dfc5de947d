//! The usual cause of an answer that is not tollgate's.

use super::answer::Answer;

/// For no answer at all.
pub const UNREACHABLE: &str =
    "the address, the network, the certificate, or a proxy that is not ready";

/// The usual cause of an answer that is not tollgate's.
pub fn of(answer: &Answer) -> &'static str {
    let is_rbac = answer.body.starts_with(b"RBAC: access denied");
    match (answer.status, answer.body.is_empty()) {
        (200..=299, _) => {
            "the request passed: the rule of this path needs no token (probe a path that needs one), or the \
             filter is absent or disabled (FAIL_OPEN, failOpen, a policy without effect)"
        }
        (300..=399, _) => "a redirect: probe the address that it names",
        (401, _) => "another filter or the upstream asks for a token of its own",
        (403, _) if is_rbac => {
            "an RBAC filter refused it: Istio could not fetch the module, or a policy runs before the \
             filter"
        }
        (403, _) => "another filter or the upstream refused it",
        (404, _) => "no route for this host and path, or the request reached the upstream",
        (500, true) => "the filter has no accepted configuration, as in Istio with a new pod",
        (503, _) => {
            "the filter's VM does not run (its module or its configuration does not load), or the \
             upstream is unavailable and the filter absent"
        }
        _ => "a proxy in front or the upstream answered",
    }
}
