//! What the filter sends: replies, requests to clusters, calls of the host's own functions.

#![allow(unsafe_code)]

use std::ptr::{null, null_mut};
use std::time::Duration;

use super::imports::*;
use super::memory::owned;
use super::{HostError, check};

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

/// Starts an HTTP request without a body to a cluster, and returns its number. `headers` is in the
/// host's serialisation; the answer comes to the context that the call was made in.
///
/// # Errors
/// The host's status: [`HostError::BAD_ARGUMENT`] where it has no such cluster.
pub fn http_call(cluster: &str, headers: &[u8], timeout: Duration) -> Result<u32, HostError> {
    const NO_TRAILERS: [u8; 4] = [0; 4];
    let timeout = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
    let mut number = 0;
    // SAFETY: the slices and the out-pointer outlive the call; the body is empty.
    check(unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            null(),
            0,
            NO_TRAILERS.as_ptr(),
            NO_TRAILERS.len(),
            timeout,
            &mut number,
        )
    })
    .map(|()| number)
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
