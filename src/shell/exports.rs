//! The exports of the module as a proxy calls them, for the tests against the fake host.

#![allow(unsafe_code)]

use proxy_wasm::types::Action;

// SAFETY: the SDK defines these functions with the same signatures, and they are safe to call.
unsafe extern "C" {
    pub safe fn proxy_on_memory_allocate(size: usize) -> *mut u8;
    pub safe fn proxy_on_context_create(context: u32, root: u32);
    pub safe fn proxy_on_delete(context: u32);
    pub safe fn proxy_on_configure(root: u32, size: usize) -> bool;
    pub safe fn proxy_on_tick(root: u32);
    pub safe fn proxy_on_http_call_response(
        root: u32,
        call: u32,
        headers: usize,
        body: usize,
        trailers: usize,
    );
    pub safe fn proxy_on_request_headers(stream: u32, headers: usize, end: bool) -> Action;
    pub safe fn proxy_on_request_body(stream: u32, size: usize, end: bool) -> Action;
    pub safe fn proxy_on_request_trailers(stream: u32, trailers: usize) -> Action;
    pub safe fn proxy_on_response_headers(stream: u32, headers: usize, end: bool) -> Action;
    pub safe fn proxy_on_response_body(stream: u32, size: usize, end: bool) -> Action;
    pub safe fn proxy_on_response_trailers(stream: u32, trailers: usize) -> Action;
}
