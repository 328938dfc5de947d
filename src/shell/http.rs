//! One per request: gathers the headers, lets the core decide, applies what it said.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::state::State;
use crate::abi::{self, Map};
use crate::headers::Headers;
use crate::reply;
use crate::verdict::{Denial, Judgement, Verdict};

/// The context of one stream.
pub struct Http {
    state: Rc<State>,
    /// Fields for the response of a request that passed.
    response_fields: Vec<(&'static str, String)>,
}

impl Http {
    /// A context for a new stream.
    pub fn new(state: Rc<State>) -> Self {
        Self { state, response_fields: Vec::new() }
    }

    fn refuse(&self, denial: &Denial, judgement: &Judgement, headers: &Headers) -> Action {
        let grpc = headers
            .value("content-type")
            .is_some_and(|value| value.to_ascii_lowercase().starts_with(b"application/grpc"));
        let reply = reply::compose(denial, &judgement.limits, &self.state.policy, grpc);
        let details = format!("tollgate_{}", denial.reason.as_str());
        // A host that cannot send the reply leaves the request paused: refused all the same.
        let _ = abi::send_reply(
            reply.status,
            details.as_bytes(),
            Headers::from_pairs(&reply.headers).as_bytes(),
            reply.body.as_bytes(),
            reply.grpc_status,
        );
        Action::Pause
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let headers = Headers::from_buffer(abi::header_pairs(Map::Request));
        for name in self.state.owned.to_strip(&headers) {
            let _ = abi::header_remove(Map::Request, name);
        }
        let judgement = self.state.judge(&headers);
        self.state.report(&judgement);
        match &judgement.verdict {
            Verdict::Deny(denial) => self.refuse(denial, &judgement, &headers),
            Verdict::Allow(_) => {
                self.state.write_tags(&judgement);
                self.response_fields =
                    reply::rate_limit_fields(&judgement.limits, &self.state.policy);
                Action::Continue
            }
        }
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        for (name, value) in std::mem::take(&mut self.response_fields) {
            let _ = abi::header_replace(Map::Response, name.as_bytes(), value.as_bytes());
        }
        Action::Continue
    }
}
