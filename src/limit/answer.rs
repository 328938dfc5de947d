//! The answer to a request, and where its buckets stand.

use std::time::Duration;

use crate::few::Few;

/// The answer of [`super::take_all`], with one [`Standing`] per limit in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Every limit had the tokens (except dry runs), and they are taken.
    Allowed(Few<Standing>),
    /// Not yet; nothing is taken.
    Denied {
        /// The limit with the longest wait.
        index: usize,
        /// The time until the same request passes; never zero.
        retry_after: Duration,
        /// Where each bucket stands.
        standings: Few<Standing>,
    },
    /// Never, because the burst of this limit is below the cost; nothing is taken.
    Never {
        /// The first such limit.
        index: usize,
        /// Where each bucket stands.
        standings: Few<Standing>,
    },
}

/// Where a bucket stands, and what its limit says about the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The whole tokens left.
    pub remaining: u64,
    /// The time until the bucket is full, rounded up to a nanosecond.
    pub reset: Duration,
    /// Whether this limit alone would admit the request.
    pub ruling: Ruling,
}

/// What one limit says about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// The bucket has the tokens.
    Pass,
    /// The bucket will have them after this time.
    NotYet(Duration),
    /// The bucket can never hold them.
    Never,
}
