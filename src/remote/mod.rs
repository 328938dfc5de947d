//! Remote key sets: when to fetch, who fetches, what of an answer may replace the keys in use.
//!
//! All workers of a process share one [`record`] per provider. Whoever swaps a lease into it
//! fetches for all; the others see the version grow and read the new set from the store. Nothing
//! here waits: the shell asks at each tick, and carries out what it is told.

pub mod answer;
pub mod local;
pub mod record;

use std::time::Duration;

use crate::limit::store::{CREATE, Store, StoreError, Swap};
use crate::provider::Remote;
use record::Record;

/// How often a lost race for the record is run again before the next tick is waited for.
const TRIES: usize = 16;

/// What is added to a lease beyond the fetch's own timeout, so that a slow answer is not fetched
/// twice: discovery and key set may take one timeout each.
const LEASE_GRACE: u64 = 1_000_000_000;

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
    /// The least time between fetches that an unknown kid causes.
    pub unknown_kid: u64,
    /// How long the last good keys serve.
    pub max_stale: u64,
}

/// What a fetch is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is time.
    Due,
    /// A token named a key that the set does not have.
    UnknownKid,
}

impl SharedKeys {
    /// The state of a provider; `plugin` and what is fetched are part of its name, so that two
    /// configurations never read each other's keys.
    pub fn new(plugin: &str, provider: &str, remote: &Remote) -> Self {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let name =
            format!("tollgate/{plugin}/jwks/{provider}/{}/{}", remote.cluster, remote.source.uri());
        Self {
            record_key: format!("{name}/record"),
            set_key: format!("{name}/set"),
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
        Ok(match store.load(&self.record_key)? {
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
        let until =
            now.saturating_add(self.timing.timeout.saturating_mul(2)).saturating_add(LEASE_GRACE);
        self.update(store, |record| {
            let wanted = match cause {
                Cause::Due => record.due(now),
                Cause::UnknownKid => record.admits_unknown_kid(&self.timing, now),
            };
            (wanted && !record.leased(now)).then(|| {
                let unknown_at = if cause == Cause::UnknownKid { now } else { record.unknown_at };
                Record { lease_until: until, unknown_at, ..*record }
            })
        })
    }

    /// Stores a set that was fetched and judged usable, and counts its version up. `refresh` is
    /// the time to the next fetch.
    ///
    /// # Errors
    /// The store's.
    pub fn succeed(
        &self,
        store: &dyn Store,
        set: &[u8],
        refresh: u64,
        now: u64,
    ) -> Result<Option<Record>, StoreError> {
        for _ in 0..TRIES {
            let (record, cas) = self.load(store)?;
            let next = record.succeeded(now, refresh);
            // The set goes first: whoever sees the version finds the set that it stands for.
            if self.write_set(store, next.version, set)? == Swap::Done
                && store.swap(&self.record_key, &next.encode(), cas)? == Swap::Done
            {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    fn write_set(&self, store: &dyn Store, version: u64, set: &[u8]) -> Result<Swap, StoreError> {
        let cas = store.load(&self.set_key)?.map_or(CREATE, |(_, cas)| cas);
        let mut value = version.to_le_bytes().to_vec();
        value.extend_from_slice(set);
        store.swap(&self.set_key, &value, cas)
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
        let Some((value, _)) = store.load(&self.set_key)? else { return Ok(None) };
        Ok(value
            .split_first_chunk::<8>()
            .map(|(version, set)| (u64::from_le_bytes(*version), set.to_vec())))
    }
}
