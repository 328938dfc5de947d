//! Shared data of a proxy that has just started, in which every bucket is full.

use std::cell::RefCell;
use std::collections::HashMap;

use tollgate::store::{Store, StoreError, Swap};

/// One map, versioned per key, as the host has it.
#[derive(Default)]
pub struct Memory {
    map: RefCell<HashMap<String, (Vec<u8>, u32)>>,
}

impl Store for Memory {
    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
        Ok(self.map.borrow().get(key).cloned())
    }

    fn swap(&self, key: &str, value: &[u8], version: u32) -> Result<Swap, StoreError> {
        let mut map = self.map.borrow_mut();
        let next = match map.get(key) {
            Some((_, current)) if *current != version => return Ok(Swap::Lost),
            Some((_, current)) => current.saturating_add(1),
            None => 1,
        };
        map.insert(key.to_owned(), (value.to_vec(), next));
        Ok(Swap::Done)
    }
}
