//! The core's store on the host's shared data.

use super::host::{self, HostError};
use crate::store::{Store, StoreError, Swap};

/// Shared data: one map for all workers of a process and a `vm_id`.
#[derive(Clone, Copy, Debug)]
pub struct SharedData;

impl Store for SharedData {
    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
        host::shared_get(key.as_bytes()).map_err(|HostError(status)| StoreError::Host(status))
    }

    fn swap(&self, key: &str, value: &[u8], cas: u32) -> Result<Swap, StoreError> {
        match host::shared_set(key.as_bytes(), value, cas) {
            Ok(true) => Ok(Swap::Done),
            Ok(false) => Ok(Swap::Lost),
            Err(HostError(status)) => Err(StoreError::Host(status)),
        }
    }
}
