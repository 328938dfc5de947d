//! The state of a remote key set that all workers share: a record and the set itself. The errors of
//! all functions are those of the store.

use std::time::Duration;

use super::record::Timing;
use super::record::{Cause, LAYOUT, Record};
use crate::store::{self, CREATE, Store, StoreError, Swap};
use crate::time::Moment;
use crate::verify::provider::{Remote, RemoteSource};

/// How often an update is retried after a lost race; then it waits for the next tick.
const TRIES: usize = 16;

/// The shared state of one provider's key set.
#[derive(Debug)]
pub struct SharedKeys {
    pub(super) record_key: String,
    pub(super) set_key: String,
    timing: Timing,
}

impl SharedKeys {
    /// The state of a provider. Its name contains the layout, `plugin`, the address and the clusters,
    /// so that two modules or two configurations never read each other's keys. Only `plugin`, the
    /// first part, can contain a space.
    pub fn new(plugin: &str, provider: &str, remote: &Remote) -> Self {
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
            timing: Timing::of(remote),
        }
    }

    /// The durations of the provider.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// The current record; an empty one if no worker has written it yet.
    pub fn record(&self, store: &dyn Store) -> Result<Record, StoreError> {
        Ok(self.load(store)?.0)
    }

    fn load(&self, store: &dyn Store) -> Result<(Record, u32), StoreError> {
        Ok(match store::load(store, &self.record_key)? {
            Some((bytes, cas)) => (Record::decode(&bytes), cas),
            None => (Record::default(), CREATE),
        })
    }

    /// Applies `change` to the record until the result is written or `change` returns `None`. Returns
    /// the written record.
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

    /// Tries to acquire the lease to fetch. With the leased record, the caller fetches and then calls
    /// [`Self::succeed`] or [`Self::fail`]; `None` means that no fetch is wanted or that another
    /// worker fetches.
    pub fn lease(
        &self,
        store: &dyn Store,
        cause: Cause,
        now: Moment,
    ) -> Result<Option<Record>, StoreError> {
        self.update(store, |record| {
            let wanted = match cause {
                Cause::Due => record.due(&self.timing, now),
                Cause::UnknownKid { since } => record.admits_unknown_kid(&self.timing, since, now),
            };
            (wanted && !record.leased(now)).then(|| record.fetching(&self.timing, cause, now))
        })
    }

    /// Returns the lease of a fetch that will never end, so that the other workers need not wait for it
    /// to expire.
    pub fn release(&self, store: &dyn Store) -> Result<Option<Record>, StoreError> {
        self.update(store, |record| Some(Record { lease_until: Moment::EPOCH, ..*record }))
    }

    /// Stores a usable set. An unchanged set keeps its version, so that no worker parses it again.
    /// `new_keys`: whether the set has keys that the previous one had not. `refresh` is the time to
    /// the next fetch.
    pub fn succeed(
        &self,
        store: &dyn Store,
        set: &[u8],
        new_keys: bool,
        refresh: Duration,
        now: Moment,
    ) -> Result<Option<Record>, StoreError> {
        for _ in 0..TRIES {
            let (record, cas) = self.load(store)?;
            // The set is written first, so that a worker that reads the version finds the set.
            let Some(version) = self.store_set(store, &record, set, now)? else { continue };
            let next = record.succeeded(&self.timing, version, new_keys, now, refresh);
            if store.swap(&self.record_key, &next.encode(), cas)? == Swap::Done {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// Stores `set` and returns its version; `None` after a lost race.
    fn store_set(
        &self,
        store: &dyn Store,
        record: &Record,
        set: &[u8],
        now: Moment,
    ) -> Result<Option<u64>, StoreError> {
        let stored = store::load(store, &self.set_key)?;
        let cas = stored.as_ref().map_or(CREATE, |(_, cas)| *cas);
        let version = match stored.as_ref().and_then(|(bytes, _)| versioned(bytes)) {
            Some((version, same)) if same == set => return Ok(Some(version)),
            Some((version, _)) => version.max(record.version),
            None => record.version,
        };
        // A version is a time, so that no version is used twice: not by two workers that fetch at the
        // same time, and not after a loss of the shared data.
        let version = version.saturating_add(1).max(now.as_nanos());
        let value = [&version.to_le_bytes(), set].concat();
        let swap = store.swap(&self.set_key, &value, cas)?;
        Ok((swap == Swap::Done).then_some(version))
    }

    /// Records a failed fetch: the keys stay in use, and the next attempt follows after a pause.
    pub fn fail(
        &self,
        store: &dyn Store,
        jitter: f64,
        now: Moment,
    ) -> Result<Option<Record>, StoreError> {
        self.update(store, |record| Some(record.failed(&self.timing, jitter, now)))
    }

    /// The stored set and its version.
    pub fn stored_set(&self, store: &dyn Store) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let value = store::load(store, &self.set_key)?;
        let value = value.as_ref().and_then(|(bytes, _)| versioned(bytes));
        Ok(value.map(|(version, set)| (version, set.to_vec())))
    }
}

/// Splits a stored set into its version and the JSON.
fn versioned(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (version, set) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*version), set))
}
