//! Checks that the headers of guarded requests wait for the verdict on the body.

use tollgate::policy::Policy;

use crate::document::{Finding, Found, Host};

/// Finds settings with which the headers of a guarded request pass first. `buffered` says whether another manifest
/// makes the proxy buffer whole bodies.
pub fn check(policy: &Policy, found: &Found, buffered: bool) -> Vec<Finding> {
    let guarding = policy.rules.iter().enumerate().filter(|(_, rule)| rule.payload.is_some());
    let guarding: Vec<usize> = guarding.map(|(index, _)| index).collect();
    if guarding.is_empty() {
        return Vec::new();
    }
    let holds = match found.host {
        Host::Unknown => return Vec::new(),
        Host::Envoy { holds_heads } => holds_heads,
        Host::Istio | Host::Gateway => false,
    };
    match (policy.hold_head, holds) {
        (true, true) => Vec::new(),
        (true, false) => {
            let cure = match found.host {
                Host::Istio => "leave it out, and add the buffer filter with an EnvoyFilter",
                Host::Gateway => "leave it out, and set requestBuffer in a BackendTrafficPolicy",
                _ => "write allow_on_headers_stop_iteration: true beside configuration",
            };
            let why = format!(
                "is true, but this proxy holds back the body while the headers wait: requests with a \
                 body would time out; {cure}"
            );
            vec![Finding::problem("hold_head", why)]
        }
        (false, _) if found.is_buffered || buffered => Vec::new(),
        (false, _) => {
            let cure = match found.host {
                Host::Istio => "add the buffer filter with an EnvoyFilter",
                Host::Gateway => "set requestBuffer in a BackendTrafficPolicy",
                _ => {
                    "write hold_head: true, and allow_on_headers_stop_iteration: true beside \
                      configuration"
                }
            };
            let why = format!(
                "lets the headers of a request reach the upstream before its body is judged; {cure}"
            );
            let at = |index| Finding::warning(format!("rules[{index}].payload"), why.clone());
            guarding.into_iter().map(at).collect()
        }
    }
}
