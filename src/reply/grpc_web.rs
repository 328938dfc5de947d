//! The body of a refusal in gRPC-Web.

/// The flag of a frame that has trailers (gRPC-Web: "the 8th (MSB) bit of the 1st gRPC frame byte").
const TRAILERS: u8 = 0x80;

/// The media type, and a frame with the trailers. They stand in a body, because Envoy removes the content type of
/// a local reply without one, and clients ignore a status that comes without it.
#[cold]
#[inline(never)]
pub(super) fn trailers(status: i32, message: &str, text: bool) -> (&'static str, Vec<u8>) {
    let lines = format!("grpc-status:{status}\r\ngrpc-message:{message}\r\n");
    let length = u32::try_from(lines.len()).unwrap_or_default();
    let mut frame = vec![TRAILERS];
    frame.extend(length.to_be_bytes());
    frame.extend(lines.into_bytes());
    match text {
        true => ("application/grpc-web-text+proto", base64(&frame)),
        false => ("application/grpc-web+proto", frame),
    }
}

/// Base64 with padding (RFC 4648 §4). The encoder of the crate would be 3 KiB of the module.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| DIGITS.get((bits & 63) as usize).copied().unwrap_or_default();
    let mut text = Vec::new();
    for chunk in bytes.chunks(3) {
        let at = |index: usize| chunk.get(index).copied().map_or(0, u32::from);
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        let digits = [digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), digit(bits)];
        let known = chunk.len() + 1;
        text.extend(digits.iter().take(known));
        text.extend(std::iter::repeat_n(b'=', 4 - known));
    }
    text
}
