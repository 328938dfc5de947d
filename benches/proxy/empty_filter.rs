//! The smallest Wasm filter: the cost that every Wasm filter has.

/// A module that exports what the host requires and `proxy_on_request_headers`, which lets every
/// request continue. Written out in the binary format, so that no toolchain takes part.
pub const MODULE: &[&[u8]] = &[
    b"\0asm\x01\0\0\0",
    // Types: () -> (), (i32) -> i32, (i32, i32) -> (), (i32, i32, i32) -> i32.
    b"\x01\x15\x04",
    b"\x60\x00\x00",
    b"\x60\x01\x7f\x01\x7f",
    b"\x60\x02\x7f\x7f\x00",
    b"\x60\x03\x7f\x7f\x7f\x01\x7f",
    // Four functions, one of each type; one memory of two pages.
    b"\x03\x05\x04\x00\x01\x02\x03",
    b"\x05\x03\x01\x00\x02",
    // Exports.
    b"\x07\x62\x05",
    b"\x06memory\x02\x00",
    b"\x17proxy_abi_version_0_2_1\x00\x00",
    b"\x06malloc\x00\x01",
    b"\x17proxy_on_context_create\x00\x02",
    b"\x18proxy_on_request_headers\x00\x03",
    // Bodies: nothing; the address of the second page; nothing; Action::Continue.
    b"\x0a\x13\x04",
    b"\x02\x00\x0b",
    b"\x06\x00\x41\x80\x80\x04\x0b",
    b"\x02\x00\x0b",
    b"\x04\x00\x41\x00\x0b",
];
