//! Requests in flight per owner, counted across workers in shared data.
//!
//! Each worker knows which of its streams are open. It shares one number per owner, its *share*: how
//! many streams of that owner it has open, and when this statement expires. The requests in flight of
//! an owner are the sum of its shares. A worker that wants one more writes its new share by
//! compare-and-swap, so one of two workers that compete for the last place gets it.
//!
//! A share is always written as a whole, so the next write repairs a failed one
//! ([`Concurrency::tick`]), and no error adds up. A stream gives its place back when it ends, for
//! whatever reason. A worker whose VM dies gives nothing back; its shares expire [`LEASE`] after their
//! last write. Until then they count: a crash can refuse requests for a while, but it never admits
//! more.
//!
//! The clock is the host's. If it is set forward by more than a lease, shares count as expired until
//! the next tick of their workers; if it is set back, an expiry is shortened to one lease.

mod slot;
mod slots;

use std::collections::HashMap;
use std::time::Duration;

use crate::limit::counters::Counters;
use crate::limit::error::TakeError;
use crate::limit::owner::Owner;
use crate::limit::table::{Place, Table};
use crate::store::{Store, StoreError};
use crate::time::Moment;
use slots::Slots;

pub use slots::LEASE;

/// The age at which a tick renews a share: a third of a lease, so that two ticks may be late.
const RENEW: Duration = Duration::from_secs(5);

/// A place in flight, to be given back to the [`Concurrency`] that it came from.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a place that is not released is held for the life of the worker"]
pub struct Lease {
    place: Place,
}

/// The requests in flight of one worker.
#[derive(Debug)]
pub struct Concurrency {
    slots: Slots,
    held: HashMap<Place, Held>,
}

/// What this worker holds of one owner.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// Open streams.
    count: u32,
    /// The last write of the share; `None` if the store may contain another one.
    written: Option<Moment>,
}

impl Concurrency {
    /// Prepares the slots beside those of `table`, whose seed places the owners here, too. `holder` is
    /// random: two workers, or two configurations of one worker, must not have the same.
    ///
    /// # Errors
    /// The error of the store.
    pub fn open(
        store: &dyn Store,
        plugin: &str,
        table: &Table,
        holder: u64,
    ) -> Result<Self, StoreError> {
        let slots = Slots::open(store, plugin, table, holder)?;
        Ok(Self { slots, held: HashMap::new() })
    }

    /// Takes a place for `owner` under `rule`, which has `most` of them; `None` if all are taken.
    /// Callers without a token compete only with each other.
    ///
    /// `clock` is read after each load, as in [`crate::limit::take_all`].
    ///
    /// # Errors
    /// The store failed, too many races were lost, or the slot has no room for another owner.
    pub fn acquire(
        &mut self,
        store: &dyn Store,
        clock: &dyn Fn() -> Moment,
        (rule, owner): (&str, Owner<&str>),
        most: u32,
        counters: &mut Counters,
    ) -> Result<Option<Lease>, TakeError> {
        let place = self.slots.place(rule, owner);
        let held = self.held.get(&place).copied().unwrap_or(Held { count: 0, written: None });
        let count = held.count.saturating_add(1);
        let written = self.slots.write(store, clock, (place, count, most), counters);
        match written {
            Ok(None) => {}
            Ok(written) => drop(self.held.insert(place, Held { count, written })),
            // The write may have been made: the next tick repeats the share.
            Err(_) => drop(self.held.insert(place, Held { written: None, ..held })),
        }
        Ok(written?.map(|_| Lease { place }))
    }

    /// Gives a place back. If the store fails, the next tick tries again.
    pub fn release(
        &mut self,
        store: &dyn Store,
        clock: &dyn Fn() -> Moment,
        lease: Lease,
        counters: &mut Counters,
    ) {
        if let Some(held) = self.held.get_mut(&lease.place) {
            held.count = held.count.saturating_sub(1);
            self.write(store, clock, lease.place, counters);
        }
    }

    /// Renews the shares of open streams and repeats writes that failed. To be called about once a
    /// second; a late call is better than none.
    pub fn tick(&mut self, store: &dyn Store, clock: &dyn Fn() -> Moment, counters: &mut Counters) {
        let now = clock();
        let due = |held: &Held| held.written.is_none_or(|written| now.abs_diff(written) >= RENEW);
        let due = self.held.iter().filter(|(_, held)| due(held)).map(|(place, _)| *place);
        for place in due.collect::<Vec<_>>() {
            self.write(store, clock, place, counters);
        }
    }

    /// The number of streams for which this worker holds places.
    pub fn in_flight(&self) -> u64 {
        self.held.values().map(|held| u64::from(held.count)).sum()
    }

    /// Writes this worker's share of one owner as it is.
    fn write(
        &mut self,
        store: &dyn Store,
        clock: &dyn Fn() -> Moment,
        place: Place,
        counters: &mut Counters,
    ) {
        let Some(held) = self.held.get_mut(&place) else { return };
        let share = (place, held.count, u32::MAX);
        held.written = self.slots.write(store, clock, share, counters).ok().flatten();
        if held.count == 0 && held.written.is_some() {
            self.held.remove(&place);
        }
    }
}
