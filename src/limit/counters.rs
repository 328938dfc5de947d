//! Counters of unusual events.

/// Counters of unusual events. Calls add to them, so that one value can collect many requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Lost races.
    pub retries: u64,
    /// Buckets with a debt that were evicted from a full slot.
    pub live_evictions: u64,
    /// Values of a length that no slot has.
    pub damaged: u64,
    /// Takes that could not be given back because the store failed or too many races were lost.
    pub stranded: u64,
    /// Responses that could not be charged or settled for the same reasons.
    pub uncharged: u64,
}
