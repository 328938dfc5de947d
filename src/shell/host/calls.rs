//! Local replies, and calls of the host's own functions.

#![allow(unsafe_code)]

use std::ptr::null_mut;

use super::imports::*;
use super::status::{HostError, check, owned};

/// Answers the request in the upstream's place. `headers` is in the host's serialisation; `grpc_status` below 0
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
