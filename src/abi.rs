//! The host calls of the filter, without the SDK's wrappers.
//!
//! The SDK turns every status that it does not list into a panic, and reads header names as UTF-8
//! with a panic where they are not. A panic costs the request and the VM, so all calls go through
//! here but one (`proxy_http_call`, whose answer the SDK routes): every status is a value, every
//! byte is a byte. This is the only module with `unsafe`. Its obligations are the same in each call: pointers come from
//! slices that outlive the call, and a buffer that the host returns was allocated by our own
//! `proxy_on_memory_allocate` with exactly the size that is returned with it.

#![allow(unsafe_code)]

mod imports;

use std::ptr::null_mut;
use std::time::Duration;

use imports::*;

/// A status other than OK, as the host returned it (proxy-wasm ABI 0.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostError(pub u32);

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const CAS_MISMATCH: u32 = 8;

/// Which header map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Map {
    /// The request's headers.
    Request = 0,
    /// The response's headers.
    Response = 2,
    /// The headers of the answer to a call of ours.
    CallResponse = 6,
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

/// A whole header map in the host's serialisation; empty where there is none.
pub fn header_pairs(map: Map) -> Vec<u8> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: both out-pointers outlive the call; the buffer is ours (see the module).
    unsafe {
        match proxy_get_header_map_pairs(map as u32, &mut data, &mut size) {
            OK => owned(data, size),
            _ => Vec::new(),
        }
    }
}

/// Removes every header of exactly this name.
///
/// # Errors
/// The host's status.
pub fn header_remove(map: Map, name: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slice outlives the call.
    check(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// Sets a header, in place of every one of that name.
///
/// # Errors
/// The host's status.
pub fn header_replace(map: Map, name: &[u8], value: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slices outlive the call.
    check(unsafe {
        proxy_replace_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Adds a header after those that are there, of the same name or not.
///
/// # Errors
/// The host's status.
pub fn header_add(map: Map, name: &[u8], value: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slices outlive the call.
    check(unsafe {
        proxy_add_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
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

/// Answers the request ourselves. `headers` is in the host's serialisation; `grpc_status` below 0
/// leaves the mapping from the HTTP status to the host.
///
/// # Errors
/// The host's status.
pub fn send_reply(
    status: u32,
    details: &[u8],
    headers: &[u8],
    body: &[u8],
    grpc_status: i32,
) -> Result<(), HostError> {
    // SAFETY: the slices outlive the call.
    check(unsafe {
        proxy_send_local_response(
            status,
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status,
        )
    })
}

/// Calls a function that this host offers beyond the ABI.
///
/// # Errors
/// The host's status: 1 where it has no such function.
pub fn call_foreign(name: &str, arguments: &[u8]) -> Result<Vec<u8>, HostError> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: slices and out-pointers outlive the call; the buffer is ours (see the module).
    unsafe {
        check(proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            arguments.as_ptr(),
            arguments.len(),
            &mut data,
            &mut size,
        ))?;
        Ok(owned(data, size))
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

/// Takes over a buffer that the host filled.
///
/// # Safety
/// `data` is null or came from `proxy_on_memory_allocate(size)`.
unsafe fn owned(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: the allocator's capacity is exactly `size`; nobody else owns the buffer.
    unsafe { Vec::from_raw_parts(data, size, size) }
}
