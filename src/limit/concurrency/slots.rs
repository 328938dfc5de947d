//! The slots of places in flight in shared data.

use std::time::Duration;

use super::slot::{Share, Slot};
use crate::limit::counters::Counters;
use crate::limit::error::{TRIES, TakeError};
use crate::limit::layout::key_of;
use crate::limit::owner::Owner;
use crate::limit::region::Region;
use crate::limit::table::{Place, Table};
use crate::store::{self, CREATE, Store, StoreError, Swap};
use crate::time::Moment;

/// The time that a share counts after its last write: 15 s. This is long compared with the longest
/// stall of a worker, and short for the callers that a dead worker blocks.
pub const LEASE: Duration = Duration::from_secs(15);

/// The minimum and maximum number of slots for verified callers; other callers have a quarter as many.
/// A slot holds up to [`super::slot::MAX_SHARES`] shares of 32 bytes: at most 10 MiB in total, and a
/// few KiB while few requests are in flight.
const SLOTS: (u32, u32) = (64, 4_096);

/// The slots as one worker uses them.
#[derive(Debug)]
pub(super) struct Slots {
    table: Table,
    prefix: String,
    slots: u32,
    /// This worker among the holders of shares.
    holder: u64,
}

impl Slots {
    /// Prepares the slots before traffic, as the table does with those of the buckets.
    pub(super) fn open(
        store: &dyn Store,
        plugin: &str,
        table: &Table,
        holder: u64,
    ) -> Result<Self, StoreError> {
        let (least, most) = SLOTS;
        let opened = Self {
            table: table.clone(),
            prefix: key_of(plugin, "c") + "/",
            slots: (table.slots() / 8).clamp(least, most),
            holder,
        };
        for slot in 0..Region::all(opened.slots) {
            // After a lost race the slot exists.
            store.swap(&opened.key(slot), &[], CREATE)?;
        }
        Ok(opened)
    }

    /// The place of an owner under a rule.
    pub(super) fn place(&self, rule: &str, owner: Owner<&str>) -> Place {
        let Place { slot, fingerprint } = self.table.place(rule, None, owner);
        let region = owner.region();
        // All numbers of slots are powers of two, so the smaller divides the larger.
        let slot = match region {
            Region::Verified => slot,
            Region::Open => slot.saturating_sub(self.table.slots()),
        };
        Place { slot: region.slot(u64::from(slot), self.slots), fingerprint }
    }

    /// Sets this worker's share of a place to `count` streams, unless all workers together would have
    /// more than `most`. Returns the time of the write; `None` if it is refused.
    pub(super) fn write(
        &self,
        store: &dyn Store,
        clock: &dyn Fn() -> Moment,
        (place, count, most): (Place, u32, u32),
        counters: &mut Counters,
    ) -> Result<Option<Moment>, TakeError> {
        let key = self.key(place.slot);
        for _ in 0..TRIES {
            let (value, version) = store::load(store, &key)?.unwrap_or((Vec::new(), CREATE));
            let mut slot = Slot::decode(&value);
            let now = clock();
            let shortened = slot.expire(now, LEASE);
            let Place { fingerprint, .. } = place;
            let share = Share { fingerprint, holder: self.holder, expiry: now + LEASE, count };
            let refused = slot.others(fingerprint, self.holder).saturating_add(count) > most;
            let written = !refused && slot.put(share);
            // A shortened lease is stored in any case; otherwise it would be shortened again each
            // time, and never expire.
            if (written || shortened) && store.swap(&key, &slot.encode(), version)? == Swap::Lost {
                counters.retries += 1;
                continue;
            }
            return match (written, refused) {
                (true, _) => Ok(Some(now)),
                (false, true) => Ok(None),
                (false, false) => Err(TakeError::Crowded),
            };
        }
        Err(TakeError::Contended)
    }

    fn key(&self, slot: u32) -> String {
        [self.prefix.as_str(), itoa::Buffer::new().format(slot)].concat()
    }
}
