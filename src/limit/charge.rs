//! Charges a limit for a response.

use std::slice;

use super::counters::Counters;
use super::gcra;
use super::item::Item;
use super::request::Request;
use super::session::Session;
use super::table::Table;
use crate::store::{Store, Swap};
use crate::time::Moment;

/// Takes [`Request::cost`] tokens from one limit for a response, even if the bucket does not hold them. Of
/// these, the request has taken `held` when it was let in, and gets back what it did not use.
///
/// The quota bounds the debt ([`super::quota::Quota::with_debt`]). The response does not wait for the
/// charge, so a failure of the store or [`super::TRIES`] lost races are only counted.
pub fn settle(
    table: &Table,
    store: &dyn Store,
    clock: &dyn Fn() -> Moment,
    request: &Request<'_>,
    held: u64,
    counters: &mut Counters,
) {
    let used = request.cost;
    if held == used {
        return;
    }
    let mut item = Item::new(table, 0, *request);
    let mut session = Session::new(store, clock, slice::from_ref(&item), counters);
    let charged = session.retry(|session| {
        session.judge(&mut item)?;
        // A bucket that is no longer there is full.
        if item.stored().is_none() && used < held {
            return Ok(Swap::Done);
        }
        let bucket = gcra::settle(item.bucket(), request.quota, item.now, held, used);
        session.write(&mut item, bucket)
    });
    session.counters.uncharged += u64::from(!charged);
}
