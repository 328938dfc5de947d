//! Requests whose headers wait for the verdict on their body, and hosts that withhold the body meanwhile.
//!
//! `hold_head` requires a host that honours `allow_on_headers_stop_iteration`. Any other host receives the body
//! and shows none of it while the headers wait, so that the request would wait for ever. Such a request is
//! refused, and the log names the setting. The number of bytes that the host has received tells it from a
//! request of a slow client.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::waiters::Waiters;
use crate::shell::host;
use crate::time::Moment;

/// How long headers wait before the host is suspected: 5 s. An earlier filter may hold the body for a while.
const SUSPECT_AFTER: Duration = Duration::from_secs(5);

/// The wait of one request.
pub struct HeadWait {
    since: Moment,
    /// What the host had received of the request by then, bytes.
    received: u64,
}

/// The requests `S` of one worker whose headers wait.
pub struct HeldHeads<S> {
    requests: Waiters<S, HeadWait>,
    /// Whether the host has shown the body of such a request: it does not withhold bodies.
    proven: Cell<bool>,
}

impl<S> Default for HeldHeads<S> {
    fn default() -> Self {
        Self { requests: Waiters::default(), proven: Cell::new(false) }
    }
}

impl<S> HeldHeads<S> {
    /// Notes that the host shows the body of a request whose headers wait.
    pub fn shown(&self) {
        if !self.proven.replace(true) {
            self.requests.take(|_| true);
        }
    }

    /// Watches a request from now on. If too many are watched, the proxy's timeouts end it.
    pub fn watch(&self, request: &Rc<S>) {
        if self.proven.get() {
            return;
        }
        if let Some(received) = received() {
            self.requests.push(request, HeadWait { since: host::now(), received });
        }
    }

    /// Continues to watch a request.
    pub fn watch_on(&self, request: &Rc<S>, wait: HeadWait) {
        self.requests.push(request, wait);
    }

    /// Takes all watched requests out.
    pub fn take(&self) -> Vec<(Rc<S>, HeadWait)> {
        self.requests.take(|_| true)
    }
}

impl HeadWait {
    /// Whether the host withholds the body of the selected stream: it has received more of the request, and
    /// has not shown it in time.
    pub fn is_withheld(&self, now: Moment) -> bool {
        let long = now.since(self.since) >= SUSPECT_AFTER;
        long && received().is_some_and(|received| received > self.received)
    }
}

/// What the host has received of the selected request, headers included, bytes.
fn received() -> Option<u64> {
    host::number(b"request\0total_size")
}
