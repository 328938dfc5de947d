//! The callbacks of a stream.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::request::headers::Headers;
use crate::shell::host;
use crate::shell::stream::{Stream, Traffic};

/// The context of one stream.
pub struct Http {
    stream: Rc<Stream>,
}

impl Http {
    /// A context with the host's number.
    pub fn new(context: u32, traffic: Rc<Traffic>) -> Self {
        Self { stream: Stream::new(context, traffic) }
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        self.stream.take_headers(end)
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        self.stream.body_grew(size, end)
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        self.stream.take_trailers(count)
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        self.stream.take_response_headers(end);
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        self.stream.read_response(size, end);
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        self.stream.read_response(0, true);
        Action::Continue
    }
}

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
