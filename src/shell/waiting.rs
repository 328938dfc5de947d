//! Requests that are held until a key arrives, and how they go on.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::http::Stream;
use super::state::State;
use crate::abi;
use crate::provider::KeysFrom;
use crate::reason::Reason;
use crate::remote::local::{Lack, Missing};
use crate::verdict::Judgement;

/// How many requests one worker holds at most; the next is judged with the keys there are. At
/// 60 KiB of headers each, this bounds what a flood of unknown kids can pin in the proxy.
const MAX_WAITING: usize = 1024;

/// How often a worker looks for keys that another has fetched, for fetches that are due, and for
/// places in flight to renew.
pub(super) const TICK: Duration = Duration::from_secs(1);

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
    provider: usize,
    /// The ended fetches when the wait began.
    attempts: u64,
    /// Nanoseconds since the Unix epoch.
    deadline: u64,
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
        abi::set_tick(TICK_WHILE_WAITING);
    }

    /// Sets the pace of ticks by whether anybody waits.
    fn pace(&self) {
        let hurry = !self.requests.borrow().is_empty();
        if self.hurried.replace(hurry) != hurry {
            abi::set_tick(if hurry { TICK_WHILE_WAITING } else { TICK });
        }
    }
}

impl State {
    /// Holds a request whose judgement lacks a key that may still come. `deadline` is that of a
    /// request which has waited before.
    pub fn hold(
        &self,
        judgement: &Judgement,
        context: u32,
        stream: &Rc<RefCell<Stream>>,
        deadline: Option<u64>,
    ) -> Lacking {
        let (Some(denial), Some(provider)) = (judgement.verdict.denial(), judgement.provider)
        else {
            return Lacking::Stands;
        };
        let lack = match denial.reason {
            Reason::KeyUnknown => Lack::Kid,
            Reason::KeysUnavailable => Lack::AllKeys,
            _ => return Lacking::Stands,
        };
        let Some(KeysFrom::Remote(remote)) = self.policy.providers.get(provider).map(|p| &p.keys)
        else {
            return Lacking::Stands;
        };
        let now = abi::now();
        let timeout = u64::try_from(remote.timeout.as_nanos()).unwrap_or(u64::MAX);
        let deadline = deadline.unwrap_or_else(|| now.saturating_add(timeout));
        match self.keys.on_missing(provider, lack, now, deadline) {
            Missing::Judge => return Lacking::Judge,
            Missing::Final => return Lacking::Stands,
            Missing::Wait => {}
        }
        let attempts = self.keys.attempts(provider);
        let stream = Rc::downgrade(stream);
        if !self.waiting.push(Waiter { context, stream, provider, attempts, deadline }) {
            return Lacking::Stands;
        }
        self.waiting.pace();
        Lacking::Held
    }

    /// Judges the waiting requests again whose fetch has ended or whose time is up.
    pub fn resume_waiting(&self) {
        let now = abi::now();
        let ready: Vec<Waiter> = {
            let mut requests = self.waiting.requests.borrow_mut();
            let (ready, waiting) = requests.drain(..).partition(|waiter| {
                now >= waiter.deadline || self.keys.attempts(waiter.provider) != waiter.attempts
            });
            *requests = waiting;
            ready
        };
        for waiter in ready {
            let Some(stream) = waiter.stream.upgrade() else { continue };
            // The calls that follow are about the waiting request, not about this tick.
            if abi::enter(waiter.context).is_err() {
                continue;
            }
            if self.proceed(waiter.context, &stream, Some(waiter.deadline)) {
                abi::resume_request();
            }
        }
        self.waiting.pace();
    }
}
