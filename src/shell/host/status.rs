//! The status of a host call, and the buffer that it returns.

#![allow(unsafe_code)]

/// A status other than OK, as the host returned it (proxy-wasm ABI 0.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostError(pub u32);

impl HostError {
    /// The host gave less than it holds.
    pub const SHORT: Self = Self(NOT_FOUND);
}

/// The call was made.
pub const OK: u32 = 0;
/// The key does not exist.
pub const NOT_FOUND: u32 = 1;
/// The CAS number is out of date.
pub const CAS_MISMATCH: u32 = 8;

/// Takes over a buffer that the host filled.
///
/// # Safety
/// `size` is 0, or `data` is null, or `data` came from `proxy_on_memory_allocate(size)` and has no
/// other owner.
pub unsafe fn owned(data: *mut u8, size: usize) -> Vec<u8> {
    // For no bytes the SDK's allocator returns a dangling pointer.
    if data.is_null() || size == 0 {
        return Vec::new();
    }
    // SAFETY: the SDK allocates a boxed slice, so the capacity is exactly `size`.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

/// A status as a result.
pub fn check(status: u32) -> Result<(), HostError> {
    match status {
        OK => Ok(()),
        status => Err(HostError(status)),
    }
}
