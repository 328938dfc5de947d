//! One stream: the state of a request and its response between callbacks.

mod body;
mod request;
mod response;

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::types::Action;

use super::body::{Body, Shown};
use super::held::heads::HeldHeads;
use super::held::keys::AwaitingKeys;
use super::histograms::{Histograms, Received};
use super::host;
use super::metering::Bill;
use super::worker::Worker;
use crate::few::Few;
use crate::gate::verdict::LimitReport;
use crate::limit::concurrency::Lease;

/// A worker and its streams that wait.
pub struct Traffic {
    /// The worker.
    pub worker: Worker,
    /// The streams that wait for keys.
    pub awaiting_keys: AwaitingKeys<Stream>,
    held_heads: HeldHeads<Stream>,
}

impl Traffic {
    /// The traffic of a worker, without a stream.
    pub fn new(worker: Worker) -> Self {
        Self { worker, awaiting_keys: AwaitingKeys::default(), held_heads: HeldHeads::default() }
    }

    /// Judges the waiting requests again whose fetch has ended or whose time is up.
    pub fn resume_waiting(&self) {
        let ended = |provider| self.worker.keys.attempts(provider);
        for (stream, wait) in self.awaiting_keys.take_ready(host::now(), ended) {
            if host::enter(stream.context).is_ok() && stream.proceed(wait) {
                host::resume_request();
            }
        }
        self.awaiting_keys.pace();
    }

    /// Refuses the requests whose body the host withholds.
    pub fn refuse_withheld(&self) {
        let now = host::now();
        for (stream, wait) in self.held_heads.take() {
            if !stream.awaits_first_piece() || host::enter(stream.context).is_err() {
                continue;
            }
            if !wait.is_withheld(now) {
                self.held_heads.watch_on(&stream, wait);
            } else if stream.refuse_withheld() {
                host::resume_request();
            }
        }
    }
}

/// One stream.
pub struct Stream {
    /// The host's number.
    context: u32,
    traffic: Rc<Traffic>,
    state: RefCell<State>,
}

/// The state between callbacks.
#[derive(Default)]
struct State {
    /// Whether the request is allowed.
    allowed: bool,
    /// Whether it has trailers that had to go and did not.
    spoiled: bool,
    /// Whether it ended with its headers.
    bodyless: bool,
    /// The body that is being judged. Most requests have none, so that it has memory of its own.
    body: Option<Box<Body>>,
    /// The part of the body that the host showed before the request was judged.
    shown: Option<Shown>,
    /// The limits for the fields of the response to an allowed request.
    limits: Few<LimitReport>,
    /// The place in flight that it holds.
    lease: Option<Lease>,
    /// The limits that its response is charged to.
    bill: Bill,
    /// The bytes of its body.
    received: Received,
    /// The rows of its body, if it was judged and has any.
    rows: Option<u64>,
    /// The histograms that record it, if it is allowed.
    histograms: Option<Histograms>,
}

impl State {
    /// Holds the request until it is allowed, in whatever order the host calls back.
    fn gate(&self) -> Action {
        if self.allowed { Action::Continue } else { Action::Pause }
    }

    /// Whether the headers may go on. By default, a host shows no body before the headers have gone on
    /// (proxy-wasm-cpp-host #143), so admitted headers go on before their body is judged.
    fn headers_gate(&self) -> Action {
        let waits_alone = self.body.as_ref().is_some_and(|body| !body.holds_head);
        if waits_alone { Action::Continue } else { self.gate() }
    }
}

impl Stream {
    /// A new stream with the host's number.
    pub fn new(context: u32, traffic: Rc<Traffic>) -> Rc<Self> {
        Rc::new(Self { context, traffic, state: RefCell::default() })
    }

    fn worker(&self) -> &Worker {
        &self.traffic.worker
    }
}
