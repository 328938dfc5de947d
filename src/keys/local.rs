//! What one worker holds of a remote key set: its own parsed copy of what all share.

use super::record::Record;
use super::{Cause, SharedKeys};
use crate::keys::answer;
use crate::store::{Store, StoreError};
use crate::verify::keyset::{Key, KeySet};
use crate::verify::provider::Remote;

/// One worker's view of one provider's keys.
#[derive(Debug)]
pub struct LocalKeys {
    shared: SharedKeys,
    record: Record,
    /// The version of `set`; 0 while there is none.
    version: u64,
    set: Option<KeySet>,
    /// When a request last found that it needs a fetch for a kid that is unknown.
    unknown_kid_since: Option<u64>,
}

/// What a request lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The key that its token names.
    Kid,
    /// Any key at all.
    AllKeys,
}

/// How long a request waits, nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// When it came.
    pub since: u64,
    /// When it is judged with the keys there are.
    pub until: u64,
}

/// What a request that lacks a key should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Newer keys have just been adopted: judge again.
    Judge,
    /// A fetch is under way or about to start: wait for it.
    Wait,
    /// Nothing that could change the verdict is coming.
    Final,
}

impl LocalKeys {
    /// The view of a worker that has just loaded its configuration.
    pub fn new(plugin: &str, provider: &str, remote: &Remote) -> Self {
        Self {
            shared: SharedKeys::new(plugin, provider, remote),
            record: Record::default(),
            version: 0,
            set: None,
            unknown_kid_since: None,
        }
    }

    /// What all workers share.
    pub fn shared(&self) -> &SharedKeys {
        &self.shared
    }

    /// The record as this worker saw it last.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The keys to verify with; `None` before the first set and once the last is too old.
    pub fn current(&self, now: u64) -> Option<&KeySet> {
        self.set.as_ref().filter(|_| self.record.usable(self.shared.timing(), now))
    }

    /// The version of the adopted set; it grows with each.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Reads the record and adopts a newer set; true when the set changed.
    ///
    /// # Errors
    /// The store's.
    pub fn refresh(&mut self, store: &dyn Store) -> Result<bool, StoreError> {
        self.record = self.shared.record(store)?;
        if self.record.version == self.version {
            return Ok(false);
        }
        let Some((version, set)) = self.shared.stored_set(store)? else { return Ok(false) };
        if version == self.version {
            return Ok(false);
        }
        // Whoever stored the set had parsed it, so that this fails for damaged data alone; the
        // keys in use stay.
        let Ok((set, _)) = answer::key_set(&set) else { return Ok(false) };
        self.set = Some(set);
        self.version = version;
        Ok(true)
    }

    /// Why a fetch is to be started now, if it is.
    pub fn wants_fetch(&self, now: u64) -> Option<Cause> {
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

    /// Tries to become the fetching worker for `cause`; see [`SharedKeys::lease`].
    ///
    /// # Errors
    /// The store's.
    pub fn lease(&mut self, store: &dyn Store, cause: Cause, now: u64) -> Result<bool, StoreError> {
        self.unknown_kid_since = None;
        let leased = self.shared.lease(store, cause, now)?;
        Ok(self.note(leased))
    }

    /// Stores a set that this worker fetched and adopts it; false where the store would not take
    /// it. `keys` is what was read from `set`, `refresh` the time to the next fetch.
    ///
    /// # Errors
    /// The store's.
    pub fn succeed(
        &mut self,
        store: &dyn Store,
        set: &[u8],
        keys: &KeySet,
        refresh: u64,
        now: u64,
    ) -> Result<bool, StoreError> {
        let new_keys = self.lacks_some_of(keys);
        let stored = self.shared.succeed(store, set, new_keys, refresh, now)?;
        self.refresh(store)?;
        Ok(stored.is_some())
    }

    /// Whether a set has keys that the one in use has not. One whose keys only changed their order,
    /// or that says something else beside them, has none.
    fn lacks_some_of(&self, set: &KeySet) -> bool {
        let same =
            |one: &Key, other: &Key| one.kid() == other.kid() && one.public() == other.public();
        let known = |key: &Key| self.set.iter().flat_map(KeySet::iter).any(|own| same(own, key));
        !set.iter().all(known)
    }

    /// Notes that this worker's fetch failed; see [`SharedKeys::fail`].
    ///
    /// # Errors
    /// The store's.
    pub fn fail(&mut self, store: &dyn Store, jitter: f64, now: u64) -> Result<bool, StoreError> {
        let failed = self.shared.fail(store, jitter, now)?;
        Ok(self.note(failed))
    }

    fn note(&mut self, written: Option<Record>) -> bool {
        self.record = written.unwrap_or(self.record);
        written.is_some()
    }

    /// What a request that lacks a key should do. Known kids never come here, so that unknown ones
    /// cannot slow them. For an unknown one a request causes one fetch at most: one that began after
    /// it came answers it.
    ///
    /// # Errors
    /// The store's.
    pub fn on_missing(
        &mut self,
        store: &dyn Store,
        lack: Lack,
        now: u64,
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
            Lack::AllKeys if record.next_try(timing, now) < wait.until => Ok(Missing::Wait),
            Lack::Kid if record.admits_unknown_kid(timing, wait.since, now) => {
                self.unknown_kid_since = self.unknown_kid_since.max(Some(wait.since));
                Ok(Missing::Wait)
            }
            _ => Ok(Missing::Final),
        }
    }
}
