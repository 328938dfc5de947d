//! The parsed keys of one worker. The errors of all functions are those of the store.

use std::time::Duration;

use super::answer;
use super::record::{Cause, Record};
use super::shared::SharedKeys;
use crate::store::{Store, StoreError};
use crate::time::Moment;
use crate::verify::keyset::{Key, KeySet};
use crate::verify::provider::Remote;

/// The keys of one provider in one worker.
#[derive(Debug)]
pub struct LocalKeys {
    shared: SharedKeys,
    record: Record,
    /// The version of `set`; 0 if there is none.
    version: u64,
    set: Option<KeySet>,
    /// The time of the last request that needs a fetch for its unknown `kid`.
    unknown_kid_since: Option<Moment>,
}

/// The keys that a request lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The key that its token names.
    Kid,
    /// Any key at all.
    AllKeys,
}

/// The wait of a request, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// The arrival of the request.
    pub since: Moment,
    /// The time at which the request is decided with the keys at hand.
    pub until: Moment,
}

/// The next step of a request that lacks a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Newer keys are there: decide again.
    Judge,
    /// A fetch runs or is about to start: wait for it.
    Wait,
    /// No fetch can change the verdict: decide now.
    Final,
}

impl LocalKeys {
    /// The state of a worker that has just loaded its configuration.
    pub fn new(plugin: &str, provider: &str, remote: &Remote) -> Self {
        Self {
            shared: SharedKeys::new(plugin, provider, remote),
            record: Record::default(),
            version: 0,
            set: None,
            unknown_kid_since: None,
        }
    }

    /// The state that all workers share.
    pub fn shared(&self) -> &SharedKeys {
        &self.shared
    }

    /// The record that this worker read last.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The current keys; `None` before the first set, and if the last set is too old.
    pub fn current(&self, now: Moment) -> Option<&KeySet> {
        self.set.as_ref().filter(|_| self.record.usable(self.shared.timing(), now))
    }

    /// The version of the current set; it grows with each new set.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Reads the record and adopts a newer set; returns whether the set changed.
    pub fn refresh(&mut self, store: &dyn Store) -> Result<bool, StoreError> {
        self.record = self.shared.record(store)?;
        if self.record.version == self.version {
            return Ok(false);
        }
        let Some((version, set)) = self.shared.stored_set(store)? else { return Ok(false) };
        if version == self.version {
            return Ok(false);
        }
        // The worker that stored the set has parsed it, so that this fails only for damaged data; the
        // keys in use stay.
        let Ok((set, _)) = answer::key_set(&set) else { return Ok(false) };
        self.set = Some(set);
        self.version = version;
        Ok(true)
    }

    /// The reason to start a fetch now; `None` if there is none.
    pub fn wants_fetch(&self, now: Moment) -> Option<Cause> {
        if self.record.leased(now) {
            None
        } else if self.record.due(self.shared.timing(), now) {
            Some(Cause::Due)
        } else {
            let since = self.unknown_kid_since?;
            let admitted = self.record.admits_unknown_kid(self.shared.timing(), since, now);
            admitted.then_some(Cause::UnknownKid { since })
        }
    }

    /// Tries to acquire the lease to fetch; see [`SharedKeys::lease`].
    pub fn lease(
        &mut self,
        store: &dyn Store,
        cause: Cause,
        now: Moment,
    ) -> Result<bool, StoreError> {
        self.unknown_kid_since = None;
        let leased = self.shared.lease(store, cause, now)?;
        Ok(self.note(leased))
    }

    /// Stores and adopts a set that this worker fetched; false if the store did not accept it. `keys`
    /// are the parsed keys of `set`, `refresh` is the time to the next fetch.
    pub fn succeed(
        &mut self,
        store: &dyn Store,
        set: &[u8],
        keys: KeySet,
        refresh: Duration,
        now: Moment,
    ) -> Result<bool, StoreError> {
        let new_keys = self.lacks_some_of(&keys);
        let Some(record) = self.shared.succeed(store, set, new_keys, refresh, now)? else {
            self.refresh(store)?;
            return Ok(false);
        };
        self.record = record;
        self.version = record.version;
        self.set = Some(keys);
        Ok(true)
    }

    /// Whether a set has keys that the current one has not. Their order and other members do not
    /// count.
    fn lacks_some_of(&self, set: &KeySet) -> bool {
        let same =
            |one: &Key, other: &Key| one.kid() == other.kid() && one.public() == other.public();
        let known = |key: &Key| self.set.iter().flat_map(KeySet::iter).any(|own| same(own, key));
        !set.iter().all(known)
    }

    /// Records that this worker's fetch failed; see [`SharedKeys::fail`].
    pub fn fail(
        &mut self,
        store: &dyn Store,
        jitter: f64,
        now: Moment,
    ) -> Result<bool, StoreError> {
        let failed = self.shared.fail(store, jitter, now)?;
        Ok(self.note(failed))
    }

    fn note(&mut self, written: Option<Record>) -> bool {
        self.record = written.unwrap_or(self.record);
        written.is_some()
    }

    /// The time until the next fetch begins.
    pub fn next_fetch(&self, now: Moment) -> Duration {
        self.record.next_try(self.shared.timing(), now).since(now)
    }

    /// The next step of a request that lacks a key. A request waits for a fetch that runs or is about to
    /// start, and for no later one: a caller that is refused at once can say so to its user. Requests with a known `kid` never get here, so that
    /// unknown ones cannot slow them down. A request causes at most one fetch: a fetch that began
    /// after its arrival answers it.
    pub fn on_missing(
        &mut self,
        store: &dyn Store,
        lack: Lack,
        now: Moment,
        wait: Wait,
    ) -> Result<Missing, StoreError> {
        if self.refresh(store)? {
            return Ok(Missing::Judge);
        }
        if now >= wait.until {
            return Ok(Missing::Final);
        }
        let (record, timing) = (&self.record, self.shared.timing());
        if record.leased(now) || record.due(timing, now) {
            return Ok(Missing::Wait);
        }
        match lack {
            Lack::Kid if record.admits_unknown_kid(timing, wait.since, now) => {
                self.unknown_kid_since = self.unknown_kid_since.max(Some(wait.since));
                Ok(Missing::Wait)
            }
            _ => Ok(Missing::Final),
        }
    }
}
