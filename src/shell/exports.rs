//! The exports of the module as a proxy calls them, for the tests against the fake host.

#![allow(unsafe_code)]

unsafe extern "C" {
    pub fn proxy_on_context_create(context: u32, root: u32);
    pub fn proxy_on_configure(context: u32, size: usize) -> bool;
    pub fn proxy_on_tick(root: u32);
    pub fn proxy_on_http_call_response(
        root: u32,
        number: u32,
        headers: usize,
        body: usize,
        trailers: usize,
    );
    pub fn proxy_on_request_headers(context: u32, headers: usize, end: bool) -> u32;
    pub fn proxy_on_request_body(context: u32, size: usize, end: bool) -> u32;
    pub fn proxy_on_request_trailers(context: u32, trailers: usize) -> u32;
    pub fn proxy_on_response_headers(context: u32, headers: usize, end: bool) -> u32;
    pub fn proxy_on_response_body(context: u32, size: usize, end: bool) -> u32;
    pub fn proxy_on_done(context: u32) -> bool;
    pub fn proxy_on_log(context: u32);
    pub fn proxy_on_delete(context: u32);
}
