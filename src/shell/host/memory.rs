//! Buffers that change hands: the host asks for room, fills it, and the filter owns it.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, handle_alloc_error};
use std::ptr::null_mut;

/// Room for `size` bytes that the host will fill; null for no bytes, or more than can be.
///
/// Where the memory is full it does not return: a VM that sees no header any more would refuse every
/// request for ever, and one that ends is replaced (`FAIL_RELOAD`).
pub fn allocate(size: usize) -> *mut u8 {
    let Some(layout) = Layout::array::<u8>(size).ok().filter(|layout| layout.size() > 0) else {
        return null_mut();
    };
    // SAFETY: the layout's size is not zero.
    let data = unsafe { alloc(layout) };
    if data.is_null() {
        handle_alloc_error(layout);
    }
    data
}

/// Takes over a buffer that the host filled.
///
/// # Safety
/// `data` is null or came from [`allocate`] with this `size`, and nobody else owns it.
pub unsafe fn owned(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: the capacity is exactly `size`, the layout that of an array of bytes.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_for_as_many_bytes_as_can_be() {
        for size in [1, 2, 4096, 1 << 20] {
            let data = allocate(size);
            // SAFETY: just allocated with this size, and filled before it is read.
            let buffer = unsafe {
                data.write_bytes(7, size);
                owned(data, size)
            };
            assert_eq!(buffer, vec![7; size]);
        }
        for size in [0, usize::MAX] {
            assert!(allocate(size).is_null(), "{size}");
        }
    }
}
