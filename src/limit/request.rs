//! One limit that a request must pass.

use super::owner::Owner;
use super::quota::Quota;
use crate::place::Place;

/// One limit that a request must pass. A request names each bucket at most once.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The bucket.
    pub bucket: Which<'a>,
    /// The quota of the bucket. Different quotas have different buckets, even under one name: in a
    /// common bucket, the faster would refill it and the smaller would clamp it.
    pub quota: &'a Quota,
    /// The tokens to take; 0 only reads the bucket.
    pub cost: u64,
    /// What the limit takes from the request.
    pub mode: Mode,
    /// A dry run is judged and takes what it can, but it denies nothing.
    pub dry_run: bool,
}

/// A bucket, under a quota.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// Of this limit, without NUL in its name, and this owner.
    Of(&'a str, Owner<&'a str>),
    /// At this place of the table, which was found for the same limit, owner and quota, with the key of its slot.
    At(Place, &'a str),
}

/// What a limit takes from a request that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The cost.
    Take,
    /// Nothing, but one token must be there: the response is [charged](super::settle).
    Ask,
    /// The cost less one: the request took one token when its headers arrived, before its cost was
    /// known. If the rest is not there, the answer names the time at which the whole cost would be.
    Rest,
}
