//! The host calls of the filter: every status is a value, every byte is a byte.
//!
//! The SDK of the ABI's authors turns each status that it does not list into a panic, and reads header
//! names as UTF-8 with a panic where they are not. A panic costs the request and the VM. This is the
//! only module with `unsafe` beyond the names in [`crate::entry`]. Its obligations are the same in
//! each call: pointers come from slices that outlive the call, and a buffer that the host returns was
//! allocated by [`allocate`] with exactly the size that is returned with it.

#![allow(unsafe_code)]

mod calls;
mod headers;
mod imports;
mod memory;

use std::ptr::null_mut;
use std::time::Duration;

pub use calls::{call_foreign, http_call, send_reply};
pub use headers::{Map, header_add, header_pairs, header_remove, header_replace};
use imports::*;
pub use memory::allocate;
use memory::owned;

/// A status other than OK, as the host returned it (proxy-wasm ABI 0.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostError(pub u32);

impl HostError {
    /// What was asked for does not exist, or is not well-formed.
    pub const BAD_ARGUMENT: Self = Self(2);
}

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const CAS_MISMATCH: u32 = 8;

/// What becomes of a stream after a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Action {
    /// It goes on.
    Continue = 0,
    /// It stays where it is until the filter lets it go on, or ends it.
    Pause = 1,
}

/// What kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Metric {
    /// It only grows.
    Counter = 0,
    /// It is set.
    Gauge = 1,
}

/// Nanoseconds since the Unix epoch by the host's wall clock; 0 where it cannot tell.
pub fn now() -> u64 {
    let mut time = 0;
    // SAFETY: `time` outlives the call.
    unsafe { proxy_get_current_time_nanoseconds(&mut time) };
    time
}

/// Which buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Buffer {
    /// The request's body.
    Request = 0,
    /// The response's body.
    Response = 1,
    /// The body of the answer to a call of ours.
    CallResponse = 4,
    /// The document that configures the filter.
    Configuration = 7,
}

/// At most `length` bytes of a buffer, from `start` of what the host shows of it; empty where there
/// is nothing.
pub fn buffer(buffer: Buffer, start: usize, length: usize) -> Vec<u8> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: both out-pointers outlive the call; the buffer is ours (see the module).
    unsafe {
        match proxy_get_buffer_bytes(buffer as u32, start, length, &mut data, &mut size) {
            OK => owned(data, size),
            _ => Vec::new(),
        }
    }
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
pub fn define_metric(kind: Metric, name: &str) -> Result<u32, HostError> {
    let mut id = 0;
    // SAFETY: slice and out-pointer outlive the call.
    check(unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &mut id) })
        .map(|()| id)
}

/// Adds to a counter. A metric that the host refuses is not worth a request.
pub fn increment_metric(id: u32, by: i64) {
    // SAFETY: no pointers.
    unsafe { proxy_increment_metric(id, by) };
}

/// Sets a gauge. A metric that the host refuses is not worth a request.
pub fn record_metric(id: u32, value: u64) {
    // SAFETY: no pointers.
    unsafe { proxy_record_metric(id, value) };
}

/// Writes a line into the host's log, at a level of the ABI (0 trace … 5 critical). A line that the
/// host refuses is not worth a request.
pub fn log(level: u32, message: &str) {
    // SAFETY: the slice outlives the call.
    unsafe { proxy_log(level, message.as_ptr(), message.len()) };
}

/// Asks for a tick each `period`, in milliseconds at the least. A host that refuses ticks fetches
/// no keys, which the requests that need them are told.
pub fn set_tick(period: Duration) {
    let period = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
    // SAFETY: no pointers.
    unsafe { proxy_set_tick_period_milliseconds(period) };
}

/// Makes the calls that follow be about another context.
///
/// # Errors
/// The host's status.
pub fn enter(context: u32) -> Result<(), HostError> {
    // SAFETY: no pointers.
    check(unsafe { proxy_set_effective_context(context) })
}

/// Lets a paused request go on. One that the host does not resume stays held: it does not pass.
pub fn resume_request() {
    const REQUEST: u32 = 0;
    // SAFETY: no pointers.
    unsafe { proxy_continue_stream(REQUEST) };
}

fn check(status: u32) -> Result<(), HostError> {
    match status {
        OK => Ok(()),
        status => Err(HostError(status)),
    }
}
