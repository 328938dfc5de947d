//! Header maps, by bytes.

#![allow(unsafe_code)]

use std::ptr::null_mut;

use proxy_wasm::types::MapType;

use super::imports::*;
use super::status::{HostError, OK, check, owned};

/// A whole header map in the host's serialisation; empty where there is none.
pub fn header_pairs(map: MapType) -> Vec<u8> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: both out-pointers outlive the call; the buffer is ours (see the module).
    unsafe {
        match proxy_get_header_map_pairs(map, &mut data, &mut size) {
            OK => owned(data, size),
            _ => Vec::new(),
        }
    }
}

/// Removes every header of exactly this name.
///
/// # Errors
/// The host's status.
pub fn header_remove(map: MapType, name: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slice outlives the call.
    check(unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) })
}

/// Sets a header, in place of every one of that name.
///
/// # Errors
/// The host's status.
pub fn header_replace(map: MapType, name: &[u8], value: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slices outlive the call.
    check(unsafe {
        proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Adds a header after those that are there, of the same name or not.
///
/// # Errors
/// The host's status.
pub fn header_add(map: MapType, name: &[u8], value: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slices outlive the call.
    check(unsafe {
        proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}
