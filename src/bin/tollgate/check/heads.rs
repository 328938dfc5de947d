//! Checks that the headers of guarded requests wait for the verdict on the body.

use tollgate::policy::Policy;

use crate::document::{Finding, Found, Host};

/// Finds what lets headers of a guarded request pass first. `buffered` says whether another manifest
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
                Host::Istio => "leave it out, and have the buffer filter behind (an EnvoyFilter)",
                Host::Gateway => "leave it out, and use requestBuffer of a BackendTrafficPolicy",
                _ => "set allow_on_headers_stop_iteration: true beside configuration",
            };
            let why = format!(
                "is true, and the proxy holds the body of a waiting head back: such requests wait \
                 for seconds and are refused; {cure}"
            );
            vec![Finding::problem("hold_head", why)]
        }
        (false, _) if found.is_buffered || buffered => Vec::new(),
        (false, _) => {
            let cure = match found.host {
                Host::Istio => "an EnvoyFilter with the buffer filter behind",
                Host::Gateway => "requestBuffer of a BackendTrafficPolicy",
                _ => "hold_head with allow_on_headers_stop_iteration, or the buffer filter behind",
            };
            let why = format!(
                "judges the body when the program behind has the head, and may have acted on it; \
                 not seen here: {cure}"
            );
            let at = |index| Finding::warning(format!("rules[{index}].payload"), why.clone());
            guarding.into_iter().map(at).collect()
        }
    }
}
