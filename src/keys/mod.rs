//! Remote key sets: when to fetch, who fetches, what of an answer may replace the keys in use.
//!
//! All workers of a process share one [`record`] per provider. Whoever swaps a lease into it
//! fetches for all; the others see the version grow and read the new set from the store. Nothing
//! here waits: the shell asks at each tick, and carries out what it is told.

pub mod answer;
pub mod local;
pub mod record;

use std::time::Duration;

use crate::store::{self, CREATE, Store, StoreError, Swap};
use crate::verify::provider::{Remote, RemoteSource};
use record::{LAYOUT, Record};

/// How often a lost race for the record is run again before the next tick is waited for.
const TRIES: usize = 16;

/// The shared state of one provider's key set.
#[derive(Debug)]
pub struct SharedKeys {
    record_key: String,
    set_key: String,
    timing: Timing,
}

/// The durations of [`Remote`] in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long one fetch may take.
    pub timeout: u64,
    /// The usual time between fetches.
    pub refresh: u64,
    /// The mean time between fetches that unknown kids cause.
    pub unknown_kid: u64,
    /// How long the last good keys serve.
    pub max_stale: u64,
}

/// What a fetch is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is time.
    Due,
    /// A token names a key that the set does not have.
    UnknownKid {
        /// When that was found: a fetch that begins later answers it.
        since: u64,
    },
}

impl SharedKeys {
    /// The state of a provider; the layout, `plugin` and what is fetched through which clusters are
    /// part of its name, so that neither two modules nor two configurations ever read each other's
    /// keys. None of the parts but `plugin`, which stands first, has a space in it.
    pub fn new(plugin: &str, provider: &str, remote: &Remote) -> Self {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let source = match &remote.source {
            RemoteSource::Uri(_) => "uri",
            RemoteSource::Discovery(_) => "discovery",
        };
        let name = format!(
            "{provider} {source} {} {} {}",
            remote.source.uri(),
            remote.cluster,
            remote.keys_cluster.as_deref().unwrap_or_default(),
        );
        Self {
            record_key: format!("tollgate/{plugin}/k{LAYOUT}/record {name}"),
            set_key: format!("tollgate/{plugin}/k{LAYOUT}/set {name}"),
            timing: Timing {
                timeout: nanos(remote.timeout),
                refresh: nanos(remote.refresh_interval),
                unknown_kid: nanos(remote.unknown_kid_interval),
                max_stale: nanos(remote.max_stale),
            },
        }
    }

    /// The durations that the record is judged by.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// The record as it is now; the empty one where nobody has written yet.
    ///
    /// # Errors
    /// The store's.
    pub fn record(&self, store: &dyn Store) -> Result<Record, StoreError> {
        Ok(self.load(store)?.0)
    }

    fn load(&self, store: &dyn Store) -> Result<(Record, u32), StoreError> {
        Ok(match store::load(store, &self.record_key)? {
            Some((bytes, cas)) => (Record::decode(&bytes), cas),
            None => (Record::default(), CREATE),
        })
    }

    /// Applies `change` to the record until it is written or `change` has nothing to say.
    /// Returns the record that was written.
    fn update(
        &self,
        store: &dyn Store,
        change: impl Fn(&Record) -> Option<Record>,
    ) -> Result<Option<Record>, StoreError> {
        for _ in 0..TRIES {
            let (record, cas) = self.load(store)?;
            let Some(next) = change(&record) else { return Ok(None) };
            if store.swap(&self.record_key, &next.encode(), cas)? == Swap::Done {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// Tries to become the one who fetches now. `Some` is the leased record: the caller fetches
    /// and then calls [`Self::succeed`] or [`Self::fail`].
    ///
    /// # Errors
    /// The store's.
    pub fn lease(
        &self,
        store: &dyn Store,
        cause: Cause,
        now: u64,
    ) -> Result<Option<Record>, StoreError> {
        self.update(store, |record| {
            let wanted = match cause {
                Cause::Due => record.due(&self.timing, now),
                Cause::UnknownKid { since } => record.admits_unknown_kid(&self.timing, since, now),
            };
            (wanted && !record.leased(now)).then(|| record.fetching(&self.timing, cause, now))
        })
    }

    /// Gives a lease back whose fetch will never end, so that nobody waits for it to expire.
    ///
    /// # Errors
    /// The store's.
    pub fn release(&self, store: &dyn Store) -> Result<Option<Record>, StoreError> {
        self.update(store, |record| Some(Record { lease_until: 0, ..*record }))
    }

    /// Stores a set that was fetched and judged usable. Its version is a new one only if the set
    /// is: nobody parses again what has not changed. `new_keys`: it has keys that the set before it
    /// had not. `refresh` is the time to the next fetch.
    ///
    /// # Errors
    /// The store's.
    pub fn succeed(
        &self,
        store: &dyn Store,
        set: &[u8],
        new_keys: bool,
        refresh: u64,
        now: u64,
    ) -> Result<Option<Record>, StoreError> {
        for _ in 0..TRIES {
            let (record, cas) = self.load(store)?;
            // The set goes first: whoever sees a version in the record finds that set.
            let Some(version) = self.store_set(store, &record, set, now)? else { continue };
            let next = record.succeeded(&self.timing, version, new_keys, now, refresh);
            if store.swap(&self.record_key, &next.encode(), cas)? == Swap::Done {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// The version that `set` is stored as; `None` after a lost race.
    fn store_set(
        &self,
        store: &dyn Store,
        record: &Record,
        set: &[u8],
        now: u64,
    ) -> Result<Option<u64>, StoreError> {
        let stored = store::load(store, &self.set_key)?;
        let cas = stored.as_ref().map_or(CREATE, |(_, cas)| *cas);
        let version = match stored.as_ref().and_then(|(bytes, _)| versioned(bytes)) {
            Some((version, same)) if same == set => return Ok(Some(version)),
            Some((version, _)) => version.max(record.version),
            None => record.version,
        };
        // A version is the time at which it was made, so that none is used twice: not by two
        // workers that fetched at the same time, nor after shared data was lost.
        let version = version.saturating_add(1).max(now);
        let value = [&version.to_le_bytes(), set].concat();
        let swap = store.swap(&self.set_key, &value, cas)?;
        Ok((swap == Swap::Done).then_some(version))
    }

    /// Notes that a fetch failed: the keys in use stay, the next try comes after a pause.
    ///
    /// # Errors
    /// The store's.
    pub fn fail(
        &self,
        store: &dyn Store,
        jitter: f64,
        now: u64,
    ) -> Result<Option<Record>, StoreError> {
        self.update(store, |record| Some(record.failed(&self.timing, jitter, now)))
    }

    /// The stored set and its version.
    ///
    /// # Errors
    /// The store's.
    pub fn stored_set(&self, store: &dyn Store) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let value = store::load(store, &self.set_key)?;
        let value = value.as_ref().and_then(|(bytes, _)| versioned(bytes));
        Ok(value.map(|(version, set)| (version, set.to_vec())))
    }
}

/// Takes a stored set apart: its version, and the JSON.
fn versioned(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (version, set) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*version), set))
}

#[cfg(test)]
mod tests;
