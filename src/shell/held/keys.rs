//! Requests that wait for a key, and the pace of ticks while they do.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::waiters::Waiters;
use crate::keys::local::Wait;
use crate::shell::host;
use crate::time::Moment;

/// How often a worker looks for keys that another worker fetched, starts fetches and renews its places in
/// flight.
pub const TICK: Duration = Duration::from_secs(1);

/// The same while requests wait for keys.
const TICK_WHILE_WAITING: Duration = Duration::from_millis(20);

/// The wait of one request.
pub struct KeyWait {
    /// The providers whose keys it lacks, and the number of fetches of each that had ended before.
    pub providers: Vec<(usize, u64)>,
    /// Since when, and until when.
    pub wait: Wait,
}

/// The requests `S` of one worker that wait for keys.
pub struct AwaitingKeys<S> {
    requests: Waiters<S, KeyWait>,
    /// Whether ticks come at the faster pace. Setting a period restarts it, so that many requests would put
    /// the tick off for ever if each of them set it.
    hurried: Cell<bool>,
}

impl<S> Default for AwaitingKeys<S> {
    fn default() -> Self {
        Self { requests: Waiters::default(), hurried: Cell::new(false) }
    }
}

impl<S> AwaitingKeys<S> {
    /// Holds a request; false if too many wait.
    pub fn hold(&self, request: &Rc<S>, wait: KeyWait) -> bool {
        let held = self.requests.push(request, wait);
        if held {
            self.pace();
        }
        held
    }

    /// Takes the requests out whose time is up, or for which a fetch has ended. `ended`: the number of
    /// fetches of a provider that have ended.
    pub fn take_ready(&self, now: Moment, ended: impl Fn(usize) -> u64) -> Vec<(Rc<S>, Wait)> {
        let ready = self.requests.take(|KeyWait { providers, wait }| {
            now >= wait.until
                || providers.iter().any(|(provider, before)| ended(*provider) != *before)
        });
        ready.into_iter().map(|(request, KeyWait { wait, .. })| (request, wait)).collect()
    }

    /// Starts the ticks: the first one comes soon, because there are keys to fetch.
    pub fn start_ticks(&self) {
        self.hurried.set(true);
        host::set_tick(TICK_WHILE_WAITING);
    }

    /// Sets the pace of ticks: faster while requests wait.
    pub fn pace(&self) {
        let hurry = !self.requests.is_empty();
        if self.hurried.replace(hurry) != hurry {
            host::set_tick(if hurry { TICK_WHILE_WAITING } else { TICK });
        }
    }
}
