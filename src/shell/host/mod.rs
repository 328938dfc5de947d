//! The host calls of the filter: every status is a value, every byte is a byte.
//!
//! The SDK's wrappers panic on a status that they do not list, and read header names as UTF-8 with a
//! panic where they are not. A panic costs every request of the VM, so the calls that a client's bytes
//! reach, or whose status matters, are made here. This is the only module with `unsafe`. Its
//! obligations are the same in each call: pointers come from slices that outlive the call, and a
//! buffer that the host returns was allocated by the SDK's `proxy_on_memory_allocate` with exactly the
//! size that is returned with it.

#![allow(unsafe_code)]

mod calls;
mod headers;
mod imports;
mod status;

use std::ptr::null_mut;
use std::time::Duration;

use proxy_wasm::types::{BufferType, LogLevel, MetricType, StreamType};

use crate::time::Moment;
pub use calls::{call_foreign, send_reply};
pub use headers::{header_add, header_pairs, header_remove, header_replace};
use imports::*;
pub use status::HostError;
use status::{CAS_MISMATCH, NOT_FOUND, OK, check, owned};

/// The host's wall clock; the epoch where the call fails.
pub fn now() -> Moment {
    let mut time = 0;
    // SAFETY: `time` outlives the call.
    unsafe { proxy_get_current_time_nanoseconds(&mut time) };
    Moment::from_nanos(time)
}

/// At most `length` bytes of a buffer, from `start`; empty where the host shows none.
pub fn buffer(buffer: BufferType, start: usize, length: usize) -> Vec<u8> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: both out-pointers outlive the call; the buffer is ours (see the module).
    unsafe {
        match proxy_get_buffer_bytes(buffer, start, length, &mut data, &mut size) {
            OK => owned(data, size),
            _ => Vec::new(),
        }
    }
}

/// Puts bytes in the place of the first `length` of a buffer.
///
/// # Errors
/// The host's status.
pub fn replace_beginning(buffer: BufferType, length: usize, bytes: &[u8]) -> Result<(), HostError> {
    set_buffer(buffer, 0, length, bytes)
}

/// Adds bytes to the end of a buffer.
///
/// # Errors
/// The host's status.
pub fn append(buffer: BufferType, bytes: &[u8]) -> Result<(), HostError> {
    // Envoy adds what is to be set behind the end.
    set_buffer(buffer, usize::MAX, 0, bytes)
}

fn set_buffer(
    buffer: BufferType,
    start: usize,
    length: usize,
    bytes: &[u8],
) -> Result<(), HostError> {
    // SAFETY: the slice outlives the call.
    check(unsafe { proxy_set_buffer_bytes(buffer, start, length, bytes.as_ptr(), bytes.len()) })
}

/// A property of the request or the plugin; the parts of `path` are separated by NUL.
pub fn property(path: &[u8]) -> Option<Vec<u8>> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: slice and out-pointers outlive the call; the buffer is ours (see the module).
    unsafe {
        match proxy_get_property(path.as_ptr(), path.len(), &mut data, &mut size) {
            OK => Some(owned(data, size)),
            _ => None,
        }
    }
}

/// A property that is a number of 64 bits.
#[inline(never)] // The copies would take half a KiB.
pub fn number(path: &[u8]) -> Option<u64> {
    property(path)?.first_chunk().copied().map(u64::from_le_bytes)
}

/// Writes filter state `wasm.<path>`.
///
/// # Errors
/// The host's status.
pub fn set_property(path: &[u8], value: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slices outlive the call.
    check(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}

/// A value of shared data and its CAS number; `None` where the key does not exist.
///
/// # Errors
/// The host's status.
pub fn shared_get(key: &[u8]) -> Result<Option<(Vec<u8>, u32)>, HostError> {
    let (mut data, mut size, mut cas) = (null_mut(), 0, 0);
    // SAFETY: slice and out-pointers outlive the call; the buffer is ours (see the module).
    unsafe {
        match proxy_get_shared_data(key.as_ptr(), key.len(), &mut data, &mut size, &mut cas) {
            OK => Ok(Some((owned(data, size), cas))),
            NOT_FOUND => Ok(None),
            status => Err(HostError(status)),
        }
    }
}

/// Writes shared data if its CAS number is still `cas`; `false` where it is not.
///
/// # Errors
/// The host's status.
pub fn shared_set(key: &[u8], value: &[u8], cas: u32) -> Result<bool, HostError> {
    // SAFETY: the slices outlive the call.
    let status =
        unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) };
    match status {
        OK => Ok(true),
        CAS_MISMATCH => Ok(false),
        status => Err(HostError(status)),
    }
}

/// Creates or finds a metric and returns its number.
///
/// # Errors
/// The host's status.
pub fn define_metric(kind: MetricType, name: &str) -> Result<u32, HostError> {
    let mut id = 0;
    // SAFETY: slice and out-pointer outlive the call.
    check(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &mut id) }).map(|()| id)
}

/// Adds to a counter. A refusal of the host is ignored.
pub fn increment_metric(id: u32, by: i64) {
    // SAFETY: no pointers.
    unsafe { proxy_increment_metric(id, by) };
}

/// Sets a gauge, or adds a value to a histogram. A refusal of the host is ignored.
pub fn record_metric(id: u32, value: u64) {
    // SAFETY: no pointers.
    unsafe { proxy_record_metric(id, value) };
}

/// Writes a line into the host's log. A refusal of the host is ignored.
pub fn log(level: LogLevel, message: &str) {
    // SAFETY: the slice outlives the call.
    unsafe { proxy_log(level, message.as_ptr(), message.len()) };
}

/// Asks for a tick each `period`, at a resolution of milliseconds. Without ticks no keys are fetched,
/// and the requests that need them are refused.
pub fn set_tick(period: Duration) {
    let period = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
    // SAFETY: no pointers.
    unsafe { proxy_set_tick_period_milliseconds(period) };
}

/// Selects the context that the next host calls act on.
///
/// # Errors
/// The host's status.
pub fn enter(context: u32) -> Result<(), HostError> {
    // SAFETY: no pointers.
    check(unsafe { proxy_set_effective_context(context) })
}

/// Lets a paused request go on. Where the call fails, the request stays paused.
pub fn resume_request() {
    // SAFETY: no pointers.
    unsafe { proxy_continue_stream(StreamType::HttpRequest) };
}
