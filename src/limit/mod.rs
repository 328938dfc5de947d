//! Token buckets per identity in shared data, exact with any number of workers.
//!
//! [`quota`] says what a limit grants, [`gcra`] does the arithmetic on one bucket, [`slot`] lays
//! buckets side by side into one value, [`table`] finds the slot of an identity, [`crate::store`] is what
//! is asked of the host. [`take_all`] puts them together for one request:
//!
//! 1. Load every slot, then read the clock, then judge every limit. If one denies, nothing has been
//!    taken, and the answer names the moment at which all would pass.
//! 2. Take from each limit by compare-and-swap, in one order for all requests, so that of two
//!    requests after the same last tokens one gets all of its limits. A lost race judges again on
//!    the fresh value. A limit that now denies gives back what the earlier ones took, and the
//!    request starts again at 1.
//!
//! Between a take and its give-back another request may be denied that need not have been; none is
//! ever admitted beyond the quota.
//!
//! A limit that is charged by the response ([`Mode::Ask`]) is only asked before: one token must be
//! there. When the response ends, [`charge`] takes what it cost, and what the bucket does not hold
//! becomes a debt. Requests that are under way at the same time are all let in by the same token:
//! what they cost together is repaid by the wait of those that come after.

pub mod concurrency;
pub mod cost;
pub mod gcra;
mod item;
pub mod owner;
pub mod plan;
pub mod quota;
pub mod rate_claim;
mod session;
pub mod slot;
pub mod table;

use crate::store::{Store, StoreError};
use crate::time::Moment;
use std::time::Duration;

use owner::Owner;
use quota::Quota;
use table::Table;

/// How many races one request may lose before it gives up.
///
/// A race is lost to a write that another worker makes to the same slot between a load and a swap,
/// about 1 µs. Were all of 16 workers to do nothing else, a try would still succeed in one of 16
/// cases, and 256 tries fail together with a chance of 10⁻⁷; real workers spend nearly all of their
/// time elsewhere. 256 tries cost the request less than half a millisecond.
pub const TRIES: u32 = 256;

/// One limit that a request must pass. A request names each bucket once.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The limit's name, without NUL.
    pub limit: &'a str,
    /// The bucket's owner.
    pub owner: Owner<&'a str>,
    /// What the bucket grants. Quotas that differ have buckets of their own, whatever their name: one
    /// bucket under two of them would be refilled by the faster and clamped to the smaller.
    pub quota: &'a Quota,
    /// Tokens to take; 0 only looks.
    pub cost: u64,
    /// What the limit does with a request.
    pub mode: Mode,
    /// A dry run: the limit is judged and takes where it can, but it denies nothing.
    pub dry_run: bool,
}

/// What a limit does with a request that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It takes the cost.
    Take,
    /// It takes nothing, but one token must be there: the response is [charged](charge).
    Ask,
    /// It takes the cost less one: the request took a token when its head came, before its cost was
    /// known. Where the rest is not there, the moment that the answer names is that of the whole.
    Rest,
}

/// Where a bucket stands, and what it says of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whole tokens left.
    pub remaining: u64,
    /// Time until the bucket is full, rounded up to a nanosecond.
    pub reset: Duration,
    /// Whether this limit alone would let the request pass.
    pub ruling: Ruling,
}

/// What one limit says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It has the tokens.
    Pass,
    /// It will have them.
    NotYet,
    /// It can never hold them.
    Never,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Every limit had the tokens, dry runs excepted, and they are taken; one standing for each, in
    /// their order.
    Allowed(Vec<Standing>),
    /// Not yet; nothing is taken.
    Denied {
        /// The limit that has to be waited for longest.
        index: usize,
        /// Time until the same request passes. Never zero.
        retry_after: Duration,
        /// Where each bucket stands.
        standings: Vec<Standing>,
    },
    /// Not ever: this limit's burst is below the cost. Nothing is taken.
    Never {
        /// The first such limit.
        index: usize,
        /// Where each bucket stands.
        standings: Vec<Standing>,
    },
}

/// Why a request could not be judged; the caller applies its failure mode. Nothing stays taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeError {
    /// [`TRIES`] races were lost.
    Contended,
    /// The store failed.
    Store(StoreError),
    /// The slot of a concurrency limit has no room for another holder.
    Crowded,
}

impl From<StoreError> for TakeError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl std::fmt::Display for TakeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Contended => f.write_str("too many workers wrote the same slot at once"),
            Self::Store(error) => error.fmt(f),
            Self::Crowded => f.write_str("too many identities are in flight in the same slot"),
        }
    }
}

impl std::error::Error for TakeError {}

/// What happened on the way; added to, so that one value can collect many requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Lost races.
    pub retries: u64,
    /// Buckets with a debt that were dropped for want of room.
    pub live_evictions: u64,
    /// Values of a length that no slot has.
    pub damaged: u64,
    /// Takes that could not be given back, because the store failed or races ran out.
    pub stranded: u64,
    /// Responses that could not be charged, for the same causes.
    pub uncharged: u64,
}

/// Takes from all limits or from none.
///
/// `clock` is asked after each load and not once per
/// request: a moment older than another worker's write would look like a clock that stepped back,
/// and the clamp for that would forgive debt.
///
/// # Errors
/// See [`TakeError`].
pub fn take_all(
    table: &Table,
    store: &dyn Store,
    clock: &dyn Fn() -> Moment,
    requests: &[Request<'_>],
    counters: &mut Counters,
) -> Result<Answer, TakeError> {
    session::run(table, store, clock, requests, counters)
}

/// Charges one limit for a response: [`Request::cost`] tokens, whether they are there or not.
///
/// The debt is bounded by the quota's own bound ([`Quota::with_debt`]). Nobody waits for the
/// answer, so a failure of the store or [`TRIES`] lost races are only counted.
pub fn charge(
    table: &Table,
    store: &dyn Store,
    clock: &dyn Fn() -> Moment,
    request: &Request<'_>,
    counters: &mut Counters,
) {
    session::charge(table, store, clock, request, counters);
}

#[cfg(test)]
mod tests {
    use super::{StoreError, TakeError};

    #[test]
    fn an_error_says_what_stood_in_the_way() {
        for (error, part) in [
            (TakeError::Contended, "same slot at once"),
            (TakeError::Crowded, "in flight in the same slot"),
            (TakeError::from(StoreError::Host(7)), "status 7"),
            (TakeError::from(StoreError::Unversioned), "no versions"),
            (TakeError::from(StoreError::Damaged), "cannot be read"),
        ] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
