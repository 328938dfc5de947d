//! Charges a limit for a response.

use std::slice;

use super::counters::Counters;
use super::gcra;
use super::item::Item;
use super::request::Request;
use super::session::Session;
use super::table::Table;
use crate::store::Store;
use crate::time::Moment;

/// Takes [`Request::cost`] tokens from one limit, even if the bucket does not hold them.
///
/// The quota bounds the debt ([`super::quota::Quota::with_debt`]). The response does not wait for the
/// charge, so a failure of the store or [`super::TRIES`] lost races are only counted.
pub fn charge(
    table: &Table,
    store: &dyn Store,
    clock: &dyn Fn() -> Moment,
    request: &Request<'_>,
    counters: &mut Counters,
) {
    let mut item = Item::new(table, 0, request);
    let mut session = Session::new(table, store, clock, slice::from_ref(&item), counters);
    let charged = session.retry(|session| {
        session.judge(&mut item)?;
        let bucket = gcra::charge(item.bucket(), request.quota, item.now, request.cost);
        session.write(&item, bucket)
    });
    session.counters.uncharged += u64::from(!charged);
}
