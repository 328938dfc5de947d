//! What requests are judged by, and the request itself.

use std::cell::RefCell;

use crate::caller::cache::TokenCache;
use crate::limit::concurrency::Concurrency;
use crate::limit::table::Table;
use crate::policy::Policy;
use crate::request::headers::Headers;
use crate::store::Store;
use crate::time::Moment;
use crate::verify::Keys;
use crate::verify::engine::Engine;

/// The policy and the host resources by which requests are judged.
pub struct Gate<'a> {
    /// The compiled configuration.
    pub policy: &'a Policy,
    /// The providers' key sets as they are now.
    pub keys: &'a dyn Keys,
    /// Checks signatures.
    pub engine: &'a dyn Engine,
    /// The cache of verified tokens.
    pub cache: &'a TokenCache,
    /// The bucket table; `None` while it could not be opened.
    pub table: Option<&'a Table>,
    /// The requests in flight; `None` while the store could not be opened, or if no rule limits them.
    pub concurrency: Option<&'a RefCell<Concurrency>>,
    /// The host's shared data.
    pub store: &'a dyn Store,
}

/// One request as it arrived.
pub struct Request<'a> {
    /// Its headers, pseudo-headers included.
    pub headers: &'a Headers,
    /// Whether it ended with its headers.
    pub bodyless: bool,
    /// The downstream address without its port; called only if needed.
    pub client_address: &'a dyn Fn() -> Option<String>,
    /// When it arrived.
    pub now: Moment,
    /// The SHA-256 of the client's certificate in hexadecimal, if it proved possession in a mutual TLS
    /// handshake.
    pub peer_certificate: &'a dyn Fn() -> Option<Vec<u8>>,
    /// The host's clock: a bucket is judged by a moment after it was read.
    pub clock: &'a dyn Fn() -> Moment,
}
