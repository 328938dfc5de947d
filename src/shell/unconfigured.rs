//! Streams that begin before a configuration was accepted.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::host;
use crate::request::headers::Headers;

/// Answers a stream with 503 and holds its request: without rules nothing is allowed.
pub struct Unconfigured;

impl Context for Unconfigured {}

impl HttpContext for Unconfigured {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let headers = Headers::from_pairs(&[("retry-after", "1".to_owned())]);
        // Where the host refuses the reply, the request stays paused.
        let _ = host::send_reply(503, b"tollgate_unconfigured", headers.as_bytes(), b"", -1);
        Action::Pause
    }

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        Action::Pause
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        Action::Pause
    }
}
