//! Requests that are held until a key arrives, and how they go on.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::gate::facts::TokenReport;
use crate::gate::judged::Decision;
use crate::keys::local::{Lack, Missing, Wait};
use crate::shell::host;
use crate::shell::http::Stream;
use crate::shell::worker::State;
use crate::time::Moment;
use crate::verify::VerifyError;
use crate::verify::provider::KeysFrom;

/// How many requests one worker holds at most; the next is judged with the keys there are. At
/// 60 KiB of headers each, this bounds what a flood of unknown kids can pin in the proxy.
const MAX_WAITING: usize = 1024;

/// How often a worker looks for keys that another has fetched, for fetches that are due, and for
/// places in flight to renew.
pub const TICK: Duration = Duration::from_secs(1);

/// The same while requests wait for keys.
const TICK_WHILE_WAITING: Duration = Duration::from_millis(20);

/// The waiting requests of one worker.
#[derive(Default)]
pub struct Waiting {
    requests: RefCell<Vec<Waiter>>,
    /// Whether ticks come at the faster pace. Setting a period starts it anew, so that a stream of
    /// requests would put the tick off for ever if each of them set it.
    hurried: Cell<bool>,
}

struct Waiter {
    /// The host's number of the stream.
    context: u32,
    /// Gone when the client is.
    stream: Weak<RefCell<Stream>>,
    /// The providers whose keys it lacks, and the ended fetches of each when the wait began.
    providers: Vec<(usize, u64)>,
    wait: Wait,
}

/// What a judgement that lacks a key leads to.
pub enum Lacking {
    /// Newer keys were adopted meanwhile: judge again.
    Judge,
    /// The request is held.
    Held,
    /// The judgement stands.
    Stands,
}

impl Waiting {
    /// Takes a request in; false where there is no room.
    fn push(&self, waiter: Waiter) -> bool {
        let mut requests = self.requests.borrow_mut();
        if requests.len() >= MAX_WAITING {
            requests.retain(|waiter| waiter.stream.strong_count() > 0);
        }
        let room = requests.len() < MAX_WAITING;
        if room {
            requests.push(waiter);
        }
        room
    }

    /// Asks for ticks: the first one soon, because there is something to fetch.
    pub fn start_ticks(&self) {
        self.hurried.set(true);
        host::set_tick(TICK_WHILE_WAITING);
    }

    /// Sets the pace of ticks by whether anybody waits.
    fn pace(&self) {
        let hurry = !self.requests.borrow().is_empty();
        if self.hurried.replace(hurry) != hurry {
            host::set_tick(if hurry { TICK_WHILE_WAITING } else { TICK });
        }
    }
}

impl State {
    /// Holds a request whose decision lacks a key that may still come. `waited`: the wait of a request that
    /// has waited before.
    pub fn hold(
        &self,
        decision: &Decision,
        context: u32,
        stream: &Rc<RefCell<Stream>>,
        waited: Option<Wait>,
    ) -> Lacking {
        // A request that passes lacks nothing. One that is refused may lack the keys of another
        // provider of its issuer than the one that the denial names.
        let token = &decision.facts.token;
        if token.error.is_none() || decision.verdict.denial().is_none() {
            return Lacking::Stands;
        }
        // Keys that did not sign the token are tried once on a request: it does not wait for others to
        // be tried again with them. The fetch is asked for all the same.
        let in_vain = token.tried_in_vain();
        let now = host::now();
        let mut providers = Vec::new();
        let since = waited.map_or(now, |waited| waited.since);
        let mut last = Moment::EPOCH;
        for (provider, lack, timeout) in self.lacks(token) {
            let until = waited.map_or_else(|| now + timeout, |waited| waited.until);
            match self.keys.on_missing(provider, lack, now, Wait { since, until }) {
                Missing::Judge if !in_vain => return Lacking::Judge,
                Missing::Judge | Missing::Final => {}
                Missing::Wait => {
                    providers.push((provider, self.keys.attempts(provider)));
                    last = until.max(last);
                }
            }
        }
        let (stream, wait) = (Rc::downgrade(stream), Wait { since, until: last });
        if in_vain
            || providers.is_empty()
            || !self.waiting.push(Waiter { context, stream, providers, wait })
        {
            return Lacking::Stands;
        }
        self.waiting.pace();
        Lacking::Held
    }

    /// The providers whose key sets may yet change the verdict, what each lacks, and how long one of
    /// its fetches may take.
    fn lacks<'a>(
        &'a self,
        token: &'a TokenReport,
    ) -> impl Iterator<Item = (usize, Lack, Duration)> {
        token.attempts.iter().filter_map(|attempt| {
            let lack = match attempt.error {
                VerifyError::KeyUnknown => Lack::Kid,
                VerifyError::KeysUnavailable => Lack::AllKeys,
                _ => return None,
            };
            let keys = &self.policy.providers.get(attempt.provider)?.keys;
            let KeysFrom::Remote(remote) = keys else { return None };
            Some((attempt.provider, lack, remote.timeout))
        })
    }

    /// Judges the waiting requests again whose fetch has ended or whose time is up.
    pub fn resume_waiting(&self) {
        let now = host::now();
        let ready: Vec<Waiter> = {
            let mut requests = self.waiting.requests.borrow_mut();
            let (ready, waiting) = requests.drain(..).partition(|waiter| {
                let mut fetches = waiter.providers.iter();
                let ended =
                    |(provider, before): &(usize, u64)| self.keys.attempts(*provider) != *before;
                now >= waiter.wait.until || fetches.any(ended)
            });
            *requests = waiting;
            ready
        };
        for waiter in ready {
            let Some(stream) = waiter.stream.upgrade() else { continue };
            // The calls that follow are about the waiting request, not about this tick.
            if host::enter(waiter.context).is_err() {
                continue;
            }
            if self.proceed(waiter.context, &stream, Some(waiter.wait)) {
                host::resume_request();
            }
        }
        self.waiting.pace();
    }
}
