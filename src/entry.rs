//! The callbacks of the module, by the names that a proxy looks for (proxy-wasm ABI 0.2.1).
//!
//! Those alone that the filter has something to do in: a proxy calls every one that is there, and a
//! filter that exports all of the ABI costs a request 2.5 µs more. No SDK is in between: that of the
//! ABI's authors panics where a callback names a stream or a call that it does not know, and a panic
//! costs the VM with every request in it. What is not known is nobody's here, and its request does
//! not pass.

#![allow(unsafe_code)] // The names must reach the host unmangled.

use crate::shell::contexts;
use crate::shell::host::{self, Action};

/// Tells the host which ABI this is; nothing calls it.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// The VM begins. What a program runs before `main`, a library must run itself.
#[cfg(target_family = "wasm")]
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    unsafe extern "C" {
        fn __wasm_call_ctors();
    }
    // SAFETY: the linker's own function, called once, before anything else.
    unsafe { __wasm_call_ctors() };
    crate::shell::start();
}

/// The host needs room for what it returns; see [`host::allocate`].
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    host::allocate(size)
}

/// A configuration is about to be tried (`root` is 0), or a stream begins.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    contexts::create(context, root);
}

/// A configuration or a stream is over.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_delete(context: u32) {
    contexts::delete(context);
}

/// Whether the configuration is good.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_configure(root: u32, size: usize) -> bool {
    contexts::root(root, |root| root.on_configure(size)).unwrap_or(false)
}

/// Time went by.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_tick(root: u32) {
    contexts::root(root, |root| root.on_tick());
}

/// A call of ours ended, well or not.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_http_call_response(
    root: u32,
    call: u32,
    _headers: usize,
    body: usize,
    _trailers: usize,
) {
    contexts::root(root, |root| root.on_answer(call, body));
}

/// The headers of a request came.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_request_headers(stream: u32, _count: usize, end: u32) -> Action {
    contexts::stream(stream, |http| http.on_request_headers(end != 0)).unwrap_or(Action::Pause)
}

/// More of a request's body came; `size` is what the host holds of it.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_request_body(stream: u32, size: usize, end: u32) -> Action {
    contexts::stream(stream, |http| http.on_request_body(size, end != 0)).unwrap_or(Action::Pause)
}

/// A request ended with trailers.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_request_trailers(stream: u32, count: usize) -> Action {
    contexts::stream(stream, |http| http.on_request_trailers(count)).unwrap_or(Action::Pause)
}

/// The headers of a response are about to go to the client.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_response_headers(stream: u32, _count: usize, _end: u32) -> Action {
    contexts::stream(stream, |http| http.on_response_headers());
    Action::Continue
}

/// More of a response's body is about to go to the client.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_response_body(stream: u32, size: usize, end: u32) -> Action {
    contexts::stream(stream, |http| http.on_response_body(size, end != 0));
    Action::Continue
}
