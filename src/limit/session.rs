//! Access to the slots for one request: load, write, and the races that it may lose.

use super::counters::Counters;
use super::error::{TRIES, TakeError};
use super::gcra::Bucket;
use super::item::Item;
use super::slot::{Evicted, SLOT_BYTES, Slot, Way};
use crate::few::Few;
use crate::store::{self, CREATE, Store, StoreError, Swap};
use crate::time::Moment;

/// Access to the slots for one request.
pub(super) struct Session<'a> {
    store: &'a dyn Store,
    clock: &'a dyn Fn() -> Moment,
    pub(super) counters: &'a mut Counters,
    /// The fingerprints of the request, which are evicted last.
    keep: Few<u64>,
    /// The races that the request may still lose.
    tries: u32,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        store: &'a dyn Store,
        clock: &'a dyn Fn() -> Moment,
        items: &[Item<'_>],
        counters: &'a mut Counters,
    ) -> Self {
        let keep = Few::of(items, |item| item.place.fingerprint);
        Self { store, clock, counters, keep, tries: TRIES }
    }

    pub(super) fn now(&self) -> Moment {
        (self.clock)()
    }

    /// Loads the slot of an item.
    pub(super) fn load(&mut self, item: &mut Item<'_>) -> Result<(), StoreError> {
        let loaded = store::load(self.store, &item.key)?;
        let (value, version) = loaded.unwrap_or((Vec::new(), CREATE));
        // An empty value is a slot that has not been written yet.
        if !value.is_empty() && value.len() != SLOT_BYTES {
            self.counters.damaged += 1;
        }
        (item.slot, item.version) = (Slot::decode(value), version);
        Ok(())
    }

    /// Loads the slot of an item, then reads the clock (see [`super::take_all`]) and judges the item.
    pub(super) fn judge(&mut self, item: &mut Item<'_>) -> Result<(), StoreError> {
        self.load(item)?;
        item.judge(self.now());
        Ok(())
    }

    /// Writes a bucket into the slot of an item as loaded. Before the item writes again, it loads the slot.
    pub(super) fn write(
        &mut self,
        item: &mut Item<'_>,
        bucket: Bucket,
    ) -> Result<Swap, StoreError> {
        let way = Way { fingerprint: item.place.fingerprint, bucket };
        let evicted = item.slot.place(way, item.now, &self.keep);
        let swap = self.store.swap(&item.key, item.slot.encode(), item.version)?;
        self.counters.live_evictions += u64::from(swap == Swap::Done && evicted == Evicted::Live);
        Ok(swap)
    }

    /// Counts a lost race of the request.
    pub(super) fn lose(&mut self) -> Result<(), TakeError> {
        self.counters.retries += 1;
        self.tries = self.tries.saturating_sub(1);
        if self.tries == 0 { Err(TakeError::Contended) } else { Ok(()) }
    }

    /// Repeats a write that may not fail the request until it wins its race; `false` after [`TRIES`]
    /// lost races or an error of the store.
    pub(super) fn retry(
        &mut self,
        mut write: impl FnMut(&mut Self) -> Result<Swap, StoreError>,
    ) -> bool {
        for _ in 0..TRIES {
            match write(self) {
                Ok(Swap::Done) => return true,
                Ok(Swap::Lost) => self.counters.retries += 1,
                Err(_) => return false,
            }
        }
        false
    }
}
