//! One request on its way through its limits: judge, take, give back.

use std::time::Duration;

use super::gcra::{self, Bucket, Outcome, Taken};
use super::item::{Item, Judged, Loaded};
use super::slot::{Evicted, SLOT_BYTES, Slot, Way};
use super::table::Table;
use super::{Answer, Counters, Request, TRIES, TakeError};
use crate::store::{self, CREATE, Store, StoreError, Swap};
use crate::time::Moment;

/// What the steps of one request share.
struct Session<'a> {
    table: &'a Table,
    store: &'a dyn Store,
    clock: &'a dyn Fn() -> Moment,
    counters: &'a mut Counters,
    /// The request's own fingerprints: evicted last.
    keep: Vec<u64>,
    /// The key of the slot last touched; kept for its storage.
    key: String,
    /// The clock's reading after the last load.
    now: Moment,
    tries: u32,
}

/// Runs the two steps until one of them has the answer.
pub(super) fn run(
    table: &Table,
    store: &dyn Store,
    clock: &dyn Fn() -> Moment,
    requests: &[Request<'_>],
    counters: &mut Counters,
) -> Result<Answer, TakeError> {
    let mut items: Vec<Item<'_>> = requests
        .iter()
        .enumerate()
        .map(|(index, request)| Item::new(table, index, request))
        .collect();
    // By place, so that all requests take in one order.
    items.sort_unstable_by_key(|item| (item.place, item.index));
    let mut session = Session::new(table, store, clock, &items, counters);
    let denied = loop {
        if let Some(denied) = session.judge(&mut items)? {
            break Some(denied);
        }
        match session.take(&mut items) {
            Ok(true) => break None,
            Ok(false) => session.give_back(&mut items),
            Err(error) => {
                session.give_back(&mut items);
                return Err(error);
            }
        }
    };
    items.sort_unstable_by_key(|item| item.index);
    let standings = items.iter().map(|item| item.standing).collect();
    Ok(match denied {
        None => Answer::Allowed(standings),
        Some(Denied::Later { index, retry_after }) => {
            Answer::Denied { index, retry_after, standings }
        }
        Some(Denied::Never { index }) => Answer::Never { index, standings },
    })
}

/// Adds the cost of a response to the debt of its bucket.
pub(super) fn charge(
    table: &Table,
    store: &dyn Store,
    clock: &dyn Fn() -> Moment,
    request: &Request<'_>,
    counters: &mut Counters,
) {
    let items = [Item::new(table, 0, request)];
    let mut session = Session::new(table, store, clock, &items, counters);
    for item in &items {
        let charged = session.retry(|session| session.charge_one(item));
        session.counters.uncharged += u64::from(!charged);
    }
}

/// Why step 1 denies.
enum Denied {
    Later { index: usize, retry_after: Duration },
    Never { index: usize },
}

impl<'a> Session<'a> {
    fn new(
        table: &'a Table,
        store: &'a dyn Store,
        clock: &'a dyn Fn() -> Moment,
        items: &[Item<'_>],
        counters: &'a mut Counters,
    ) -> Self {
        let keep = items.iter().map(|item| item.place.fingerprint).collect();
        let key = String::new();
        Self { table, store, clock, counters, keep, key, now: Moment::EPOCH, tries: TRIES }
    }

    /// Step 1: judges every limit on fresh values. None when all would pass.
    fn judge(&mut self, items: &mut [Item<'_>]) -> Result<Option<Denied>, TakeError> {
        'fresh: loop {
            for item in items.iter_mut() {
                let loaded = self.load(item.place.slot)?;
                let taken = Taken { bucket: Bucket::default(), outcome: Outcome::Never };
                item.judged = Some(Judged { loaded, taken, now: Moment::EPOCH });
            }
            self.now = (self.clock)();
            let (mut never, mut longest): (Option<usize>, Option<(Duration, usize)>) = (None, None);
            for item in items.iter_mut() {
                let Some(Judged { loaded, .. }) = item.judged else { continue };
                let (taken, outdated) = item.spend(&loaded.slot, self.now);
                item.judged = Some(Judged { loaded, taken, now: self.now });
                let retry_after = match taken.outcome {
                    Outcome::Allowed { .. } => continue,
                    Outcome::Never => {
                        if !item.request.dry_run {
                            never = Some(never.map_or(item.index, |first| first.min(item.index)));
                        }
                        continue;
                    }
                    Outcome::Denied { retry_after } => retry_after,
                };
                // A clock that stepped back changes the bucket even so. Unsaved, it would be read
                // anew at the announced moment, and deny again.
                if outdated && !self.write(item, loaded, taken.bucket)? {
                    self.lose()?;
                    continue 'fresh;
                }
                let earlier = longest.is_some_and(|(wait, index)| {
                    wait > retry_after || (wait == retry_after && index < item.index)
                });
                if !earlier && !item.request.dry_run {
                    longest = Some((retry_after, item.index));
                }
            }
            let later = |(retry_after, index)| Denied::Later { index, retry_after };
            let denied = never.map(|index| Denied::Never { index }).or(longest.map(later));
            if denied.is_some() {
                items.iter_mut().for_each(|item| item.look(self.now));
            }
            return Ok(denied);
        }
    }

    /// Step 2: takes from every limit. False when one denies by now; what was taken has a receipt.
    fn take(&mut self, items: &mut [Item<'_>]) -> Result<bool, TakeError> {
        let mut written = None;
        for item in items.iter_mut() {
            // A slot that this request has just written is not the one that was loaded.
            let mut judged = item.judged.take().filter(|_| written != Some(item.place.slot));
            loop {
                let Judged { loaded, taken, now } = match judged.take() {
                    Some(judged) => judged,
                    None => {
                        let loaded = self.load_and_read_clock(item.place.slot)?;
                        let (taken, _) = item.spend(&loaded.slot, self.now);
                        Judged { loaded, taken, now: self.now }
                    }
                };
                if !matches!(taken.outcome, Outcome::Allowed { .. }) {
                    if item.request.dry_run {
                        break;
                    }
                    self.lose()?;
                    return Ok(false);
                }
                if item.amount() == 0 {
                    break;
                }
                if self.write(item, loaded, taken.bucket)? {
                    item.receipt = Some((now, taken.bucket));
                    written = Some(item.place.slot);
                    break;
                }
                self.lose()?;
            }
        }
        Ok(true)
    }

    /// Repeats a write until it wins its race. Races are bounded here as well. False: given up.
    fn retry(&mut self, mut write: impl FnMut(&mut Self) -> Result<bool, StoreError>) -> bool {
        for _ in 0..TRIES {
            match write(self) {
                Ok(true) => return true,
                Ok(false) => self.counters.retries += 1,
                Err(_) => return false,
            }
        }
        false
    }

    /// Gives back whatever has a receipt. A failure is counted, as the caller can do nothing about
    /// it, and the debt ends with the next refill.
    fn give_back(&mut self, items: &mut [Item<'_>]) {
        for item in items.iter_mut() {
            let Some((taken_at, written)) = item.receipt.take() else { continue };
            let returned = self.retry(|session| session.give_back_one(item, taken_at, written));
            self.counters.stranded += u64::from(!returned);
        }
    }

    /// One try; false when the race was lost.
    fn charge_one(&mut self, item: &Item<'_>) -> Result<bool, StoreError> {
        let loaded = self.load_and_read_clock(item.place.slot)?;
        let Request { quota, cost, .. } = item.request;
        let bucket = item.bucket(&loaded.slot);
        self.write(item, loaded, gcra::charge(bucket, quota, self.now, cost))
    }

    /// One try; false when the race was lost.
    fn give_back_one(
        &mut self,
        item: &Item<'_>,
        taken_at: Moment,
        written: Bucket,
    ) -> Result<bool, StoreError> {
        let loaded = self.load_and_read_clock(item.place.slot)?;
        let Some(way) = loaded.slot.find(item.place.fingerprint) else { return Ok(true) };
        let quota = item.request.quota;
        let elapsed = if way.bucket == written {
            Duration::ZERO
        } else if self.now < taken_at {
            // A clock that stepped back meanwhile says nothing about the time that passed.
            Duration::MAX
        } else {
            self.now.since(taken_at)
        };
        self.write(item, loaded, gcra::give_back(way.bucket, quota, item.amount(), elapsed))
    }

    /// The clock comes after the load, see [`super::take_all`].
    fn load_and_read_clock(&mut self, slot: u32) -> Result<Loaded, StoreError> {
        let loaded = self.load(slot)?;
        self.now = (self.clock)();
        Ok(loaded)
    }

    fn load(&mut self, slot: u32) -> Result<Loaded, StoreError> {
        self.table.write_key(slot, &mut self.key);
        let Some((value, version)) = store::load(self.store, &self.key)? else {
            return Ok(Loaded { slot: Slot::default(), version: CREATE });
        };
        // An empty value is a slot that nobody has written yet.
        if !value.is_empty() && value.len() != SLOT_BYTES {
            self.counters.damaged += 1;
        }
        Ok(Loaded { slot: Slot::decode(&value), version })
    }

    /// Writes the item's bucket into its slot; false when the race was lost.
    fn write(
        &mut self,
        item: &Item<'_>,
        loaded: Loaded,
        bucket: Bucket,
    ) -> Result<bool, StoreError> {
        let Loaded { mut slot, version } = loaded;
        let fingerprint = item.place.fingerprint;
        let evicted = slot.place(Way { fingerprint, bucket }, self.now, &self.keep);
        self.table.write_key(item.place.slot, &mut self.key);
        let done = self.store.swap(&self.key, &slot.encode(), version)? == Swap::Done;
        self.counters.live_evictions += u64::from(done && evicted == Evicted::Live);
        Ok(done)
    }

    fn lose(&mut self) -> Result<(), TakeError> {
        self.counters.retries += 1;
        self.tries = self.tries.saturating_sub(1);
        if self.tries == 0 { Err(TakeError::Contended) } else { Ok(()) }
    }
}
