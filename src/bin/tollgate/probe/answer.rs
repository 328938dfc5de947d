//! An answer, and the reason in it if it is one of tollgate's refusals.

use hyper::HeaderMap;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE};
use serde_json::Value;
use tollgate::reason::Reason;

/// The answer of an endpoint, and the start of its body.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or its start.
    pub body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The reason for which tollgate refused the request, if tollgate answered. It is in the document, or
    /// in the challenge where `responses.body` is `empty`. A challenge for a missing token has no attribute
    /// for it.
    pub fn reason(&self) -> Option<Reason> {
        if matches!(self.header(CONTENT_TYPE), "application/json" | "application/problem+json") {
            let document: Value = serde_json::from_slice(&self.body).ok()?;
            let places = ["/reason", "/error/data/reason"];
            let word = places.iter().find_map(|place| document.pointer(place))?;
            return Reason::from_word(word.as_str()?);
        }
        let attributes = self.header(WWW_AUTHENTICATE).strip_prefix("Bearer")?;
        let is_ours = self.body.is_empty() && self.header(CACHE_CONTROL) == "no-store";
        match attributes.split_once("error_description=\"") {
            _ if !is_ours => None,
            Some((_, rest)) => Reason::from_word(rest.split('"').next()?),
            None => (self.status == 401).then_some(Reason::TokenMissing),
        }
    }
}
