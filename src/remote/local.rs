//! What one worker holds of a remote key set: its own parsed copy of what all share.

use super::record::Record;
use super::{Cause, SharedKeys};
use crate::limit::store::{Store, StoreError};
use crate::provider::Remote;
use crate::remote::answer;
use crate::verify::keyset::KeySet;

/// One worker's view of one provider's keys.
#[derive(Debug)]
pub struct LocalKeys {
    shared: SharedKeys,
    record: Record,
    /// The version of `set`; 0 while there is none.
    version: u64,
    set: Option<KeySet>,
    unknown_kid_waits: bool,
}

/// What a request lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The key that its token names.
    Kid,
    /// Any key at all.
    AllKeys,
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
            unknown_kid_waits: false,
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
            let admitted = self.record.admits_unknown_kid(self.shared.timing(), now);
            (self.unknown_kid_waits && admitted).then_some(Cause::UnknownKid)
        }
    }

    /// Tries to become the fetching worker for `cause`; see [`SharedKeys::lease`].
    ///
    /// # Errors
    /// The store's.
    pub fn lease(&mut self, store: &dyn Store, cause: Cause, now: u64) -> Result<bool, StoreError> {
        self.unknown_kid_waits = false;
        let leased = self.shared.lease(store, cause, now)?;
        Ok(self.note(leased))
    }

    /// Stores a set that this worker fetched and adopts it; false where the store would not take
    /// it. `refresh` is the time to the next fetch.
    ///
    /// # Errors
    /// The store's.
    pub fn succeed(
        &mut self,
        store: &dyn Store,
        set: &[u8],
        refresh: u64,
        now: u64,
    ) -> Result<bool, StoreError> {
        let stored = self.shared.succeed(store, set, refresh, now)?;
        self.refresh(store)?;
        Ok(stored.is_some())
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

    /// What a request that lacks a key and cannot wait past `deadline` should do. Known kids never
    /// come here, so that unknown ones cannot slow them.
    ///
    /// # Errors
    /// The store's.
    pub fn on_missing(
        &mut self,
        store: &dyn Store,
        lack: Lack,
        now: u64,
        deadline: u64,
    ) -> Result<Missing, StoreError> {
        if self.refresh(store)? {
            return Ok(Missing::Judge);
        }
        if now >= deadline {
            return Ok(Missing::Final);
        }
        let (record, timing) = (&self.record, self.shared.timing());
        if record.leased(now) || record.due(timing, now) {
            return Ok(Missing::Wait);
        }
        match lack {
            Lack::AllKeys if record.next_try(timing, now) < deadline => Ok(Missing::Wait),
            Lack::Kid if record.admits_unknown_kid(timing, now) => {
                self.unknown_kid_waits = true;
                Ok(Missing::Wait)
            }
            _ => Ok(Missing::Final),
        }
    }
}
