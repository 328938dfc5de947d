//! Requests in flight per identity, counted across workers, in shared data.
//!
//! Each worker knows exactly which of its streams are open. What it shares is one number for each
//! identity, its *share*: how many streams of that identity it has open, with the moment at which
//! that statement expires. The requests in flight of an identity are the sum of the shares, and a
//! worker that wants one more writes its new share by compare-and-swap: of two workers after the
//! last place, one gets it.
//!
//! A share is written as a whole, never added to, so that a write that failed is mended by the next
//! one ([`Concurrency::tick`]) and nothing can drift. A stream gives its place back when it ends,
//! however it ends. A worker whose VM dies gives nothing back: its shares expire [`LEASE`] after
//! they were last renewed. Until then they count, so that a crash can refuse for a while and never
//! admits more.
//!
//! The clock is the host's. After a step forward by more than a lease, shares count as expired until
//! their workers' next tick renews them; after a step back, an expiry is brought down to one lease.

mod slot;

use std::collections::HashMap;
use std::time::Duration;

use crate::limit::owner::Owner;
use crate::limit::table::{Place, Region, Table, key_of};
use crate::limit::{Counters, TRIES, TakeError};
use crate::store::{self, CREATE, Store, StoreError, Swap};
use crate::time::Moment;
use slot::{Share, Slot};

/// How long a share counts after it was last written: 15 s. Long beside a worker's
/// longest stall, short for those who wait for a dead one.
pub const LEASE: Duration = Duration::from_secs(15);

/// A share that has stood this long is renewed by the next tick: two ticks may be late.
const RENEW: Duration = Duration::from_secs(5);

/// Slots that verified callers have at least and at most; a quarter as many are for the others. Each
/// holds up to [`slot::MAX_SHARES`] shares of 32 bytes: 10 MiB at the very most, and a few KiB while
/// few requests are in flight.
const SLOTS: (u32, u32) = (64, 4_096);

/// A place in flight. It is given back to the [`Concurrency`] that it came from.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a place that is not released is held for as long as the worker lives"]
pub struct Lease {
    place: Place,
}

/// One worker's view of the requests in flight.
#[derive(Debug)]
pub struct Concurrency {
    table: Table,
    prefix: String,
    slots: u32,
    /// This worker among the holders of shares.
    holder: u64,
    held: HashMap<Place, Held>,
}

/// What this worker holds of one identity.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// Open streams.
    count: u32,
    /// When the share was last written.
    written: Moment,
    /// The share in the store may say something else.
    dirty: bool,
}

/// How one try to write a slot ended.
enum Tried<T> {
    Done(T),
    Lost,
}

impl Concurrency {
    /// Prepares the slots beside those of `table`, whose seed places identities here, too. `holder`
    /// is random: no two workers, and no two configurations of one worker, may have the same.
    ///
    /// # Errors
    /// What the store answered.
    pub fn open(
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
            held: HashMap::new(),
        };
        for slot in 0..Region::all(opened.slots) {
            // Before traffic, like the buckets. Lost means that the slot is there.
            store.swap(&opened.key(slot), &[], CREATE)?;
        }
        Ok(opened)
    }

    /// Takes a place for `owner` under the rule `rule`, of which there are `most`. `None`: all
    /// are taken. Callers without a token crowd only each other out, see [`Region`].
    ///
    /// `clock` is asked after each load, as in
    /// [`crate::limit::take_all`].
    ///
    /// # Errors
    /// The store failed, [`TRIES`] races were lost, or the slot has no room for one more holder.
    pub fn acquire(
        &mut self,
        store: &dyn Store,
        clock: &dyn Fn() -> Moment,
        (rule, owner): (&str, Owner<&str>),
        most: u32,
        counters: &mut Counters,
    ) -> Result<Option<Lease>, TakeError> {
        let place = self.place(rule, owner);
        let mine = self.held.get(&place).map_or(0, |held| held.count);
        let outcome = retry(counters, || {
            let (mut slot, version) = self.load(store, place.slot)?;
            let now = clock();
            let changed = slot.expire(now, LEASE);
            if slot.others(place.fingerprint, self.holder).saturating_add(mine) >= most {
                // A clock that stepped back left expiries too far ahead: unsaved, they would not
                // come nearer.
                return match changed {
                    true => self.store(store, place.slot, &slot, version, None),
                    false => Ok(Tried::Done(None)),
                };
            }
            let share = self.share(place, mine.saturating_add(1), now);
            if !slot.put(share) {
                return self.crowded(store, place.slot, &slot, version, changed);
            }
            self.store(store, place.slot, &slot, version, Some(now))
        });
        match outcome {
            Ok(None) => Ok(None),
            Ok(Some(now)) => {
                let count = mine.saturating_add(1);
                self.held.insert(place, Held { count, written: now, dirty: false });
                Ok(Some(Lease { place }))
            }
            Err(error) => {
                // Nobody knows whether a write that failed was made: the next tick says it again.
                if let Some(held) = self.held.get_mut(&place) {
                    held.dirty = true;
                } else {
                    self.held.insert(place, Held { count: 0, written: Moment::EPOCH, dirty: true });
                }
                Err(error)
            }
        }
    }

    /// Gives a place back. Should the store fail, the next tick tries again.
    pub fn release(
        &mut self,
        store: &dyn Store,
        clock: &dyn Fn() -> Moment,
        lease: Lease,
        counters: &mut Counters,
    ) {
        if let Some(held) = self.held.get_mut(&lease.place) {
            held.count = held.count.saturating_sub(1);
            held.dirty = true;
            self.write(store, clock, lease.place, counters);
        }
    }

    /// Renews the shares of open streams and repeats writes that failed. To be called once a second
    /// or so, and to be called late rather than never.
    pub fn tick(&mut self, store: &dyn Store, clock: &dyn Fn() -> Moment, counters: &mut Counters) {
        let now = clock();
        let due: Vec<Place> = self
            .held
            .iter()
            .filter(|(_, held)| held.dirty || now.abs_diff(held.written) >= RENEW)
            .map(|(place, _)| *place)
            .collect();
        for place in due {
            self.write(store, clock, place, counters);
        }
    }

    /// How many streams this worker holds places for.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.held.values().map(|held| u64::from(held.count)).sum()
    }

    /// Writes this worker's share of one identity as it is.
    fn write(
        &mut self,
        store: &dyn Store,
        clock: &dyn Fn() -> Moment,
        place: Place,
        counters: &mut Counters,
    ) {
        let Some(count) = self.held.get(&place).map(|held| held.count) else { return };
        let written = retry(counters, || {
            let (mut slot, version) = self.load(store, place.slot)?;
            let now = clock();
            let changed = slot.expire(now, LEASE);
            if !slot.put(self.share(place, count, now)) {
                return self.crowded(store, place.slot, &slot, version, changed);
            }
            self.store(store, place.slot, &slot, version, now)
        });
        match (written, count) {
            (Ok(_), 0) => {
                self.held.remove(&place);
            }
            (Ok(now), _) => {
                self.held.insert(place, Held { count, written: now, dirty: false });
            }
            (Err(_), _) => {
                self.held.insert(place, Held { count, written: Moment::EPOCH, dirty: true });
            }
        }
    }

    fn share(&self, place: Place, count: u32, now: Moment) -> Share {
        let expiry = now + LEASE;
        Share { fingerprint: place.fingerprint, holder: self.holder, expiry, count }
    }

    fn place(&self, rule: &str, owner: Owner<&str>) -> Place {
        let Place { slot, fingerprint } = self.table.place(rule, None, owner);
        let region = owner.region();
        // All numbers of slots are powers of two, so the smaller divides the larger.
        let slot = match region {
            Region::Verified => slot,
            Region::Open => slot.saturating_sub(self.table.slots()),
        };
        Place { slot: region.slot(u64::from(slot), self.slots), fingerprint }
    }

    fn key(&self, slot: u32) -> String {
        format!("{}{slot}", self.prefix)
    }

    fn load(&self, store: &dyn Store, slot: u32) -> Result<(Slot, u32), TakeError> {
        Ok(match store::load(store, &self.key(slot))? {
            Some((value, version)) => (Slot::decode(&value), version),
            None => (Slot::default(), CREATE),
        })
    }

    /// There is no room; an expiry that was brought down is kept before the next try says so.
    fn crowded<T>(
        &self,
        store: &dyn Store,
        slot: u32,
        value: &Slot,
        version: u32,
        changed: bool,
    ) -> Result<Tried<T>, TakeError> {
        if !changed {
            return Err(TakeError::Crowded);
        }
        self.store(store, slot, value, version, ())?;
        Ok(Tried::Lost)
    }

    fn store<T>(
        &self,
        store: &dyn Store,
        slot: u32,
        value: &Slot,
        version: u32,
        done: T,
    ) -> Result<Tried<T>, TakeError> {
        Ok(match store.swap(&self.key(slot), &value.encode(), version)? {
            Swap::Done => Tried::Done(done),
            Swap::Lost => Tried::Lost,
        })
    }
}

/// Repeats what lost its race, [`TRIES`] times at most.
fn retry<T>(
    counters: &mut Counters,
    mut attempt: impl FnMut() -> Result<Tried<T>, TakeError>,
) -> Result<T, TakeError> {
    for _ in 0..TRIES {
        match attempt()? {
            Tried::Done(result) => return Ok(result),
            Tried::Lost => counters.retries += 1,
        }
    }
    Err(TakeError::Contended)
}
