//! The host's shared data as a map in this process, for the command line tool and for tests.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Store, StoreError, Swap};

/// One map for all its users. As in Envoy, each write gives a key a new version, which is never 0.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Values>);

#[derive(Debug, Default)]
struct Values {
    map: HashMap<String, (Vec<u8>, u32)>,
    version: u32,
}

impl Values {
    fn put(&mut self, key: &str, value: &[u8]) {
        self.version = self.version.wrapping_add(1).max(1);
        self.map.insert(key.to_owned(), (value.to_vec(), self.version));
    }
}

impl Memory {
    fn values(&self) -> MutexGuard<'_, Values> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a value without comparing versions.
    pub fn put(&self, key: &str, value: &[u8]) {
        self.values().put(key, value);
    }

    /// Removes a key.
    pub fn remove(&self, key: &str) {
        self.values().map.remove(key);
    }

    /// Every key with its value, sorted by key.
    pub fn dump(&self) -> Vec<(String, Vec<u8>)> {
        let values = self.values();
        let mut all: Vec<_> = values.map.iter().map(|(k, (v, _))| (k.clone(), v.clone())).collect();
        all.sort();
        all
    }
}

impl Store for Memory {
    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
        Ok(self.values().map.get(key).cloned())
    }

    fn swap(&self, key: &str, value: &[u8], version: u32) -> Result<Swap, StoreError> {
        debug_assert_ne!(version, 0, "Envoy would overwrite whatever is there");
        let mut values = self.values();
        if values.map.get(key).is_some_and(|(_, current)| *current != version) {
            return Ok(Swap::Lost);
        }
        values.put(key, value);
        Ok(Swap::Done)
    }
}
