//! The promise of every end-to-end test: no request that the filter refused reached the program
//! behind it, not even its head.

use serde_json::Value;

use crate::upstream::Witness;

/// The requests that must not reach the program behind.
pub(super) struct Promise {
    /// The heads that reached the program.
    pub(super) witness: Option<Witness>,
    /// Heads wait for the verdict on their bodies; otherwise the promise is for those alone that are
    /// refused before.
    pub(super) whole: bool,
}

/// Reasons that depend on the body, the cost of its rows included.
const BY_BODY: [&str; 9] = [
    "body_not_allowed",
    "cost_exceeds_burst",
    "depth_exceeded",
    "payload_malformed",
    "payload_too_large",
    "rate_limited",
    "rows_exceeded",
    "store_unavailable",
    "usage_required",
];

impl Promise {
    /// The first entry of an access log that breaks the promise.
    pub(super) fn broken(&self, log: &[Value]) -> Option<String> {
        let witness = self.witness.as_ref()?;
        let refused = log.iter().filter(|entry| entry["decision"] == "deny");
        // A test may have sent several requests with one id.
        let alone = |id: &str| log.iter().filter(|entry| entry["id"] == id).count() == 1;
        let seen = |entry: &&Value| {
            let id = entry["id"].as_str().unwrap_or_default();
            witness.saw(id) && alone(id)
        };
        let excused = |entry: &&Value| {
            let reason = entry["reason"].as_str().unwrap_or_default();
            !self.whole && BY_BODY.contains(&reason) && entry["method"] != "GET"
        };
        let entry = refused.filter(|entry| !excused(entry)).find(seen)?;
        Some(format!("the program behind saw the head of a request that was refused: {entry}"))
    }
}
