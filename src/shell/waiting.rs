//! Requests that are held until a key arrives, and how they go on.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use proxy_wasm::hostcalls;

use super::http::Stream;
use super::state::State;
use crate::abi;
use crate::provider::KeysFrom;
use crate::reason::Reason;
use crate::remote::local::Missing;
use crate::verdict::Judgement;

/// How many requests one worker holds at most; the next is judged with the keys there are. At
/// 60 KiB of headers each, this bounds what a flood of unknown kids can pin in the proxy.
const MAX_WAITING: usize = 1024;

/// The waiting requests of one worker.
#[derive(Default)]
pub struct Waiting {
    requests: RefCell<Vec<Waiter>>,
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
    /// Whether anybody waits.
    pub fn any(&self) -> bool {
        !self.requests.borrow().is_empty()
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
        if !matches!(denial.reason, Reason::KeyUnknown | Reason::KeysUnavailable) {
            return Lacking::Stands;
        }
        let Some(KeysFrom::Remote(remote)) = self.policy.providers.get(provider).map(|p| &p.keys)
        else {
            return Lacking::Stands;
        };
        let now = abi::now();
        let timeout = u64::try_from(remote.timeout.as_nanos()).unwrap_or(u64::MAX);
        let deadline = deadline.unwrap_or_else(|| now.saturating_add(timeout));
        match self.keys.on_missing(provider, denial.reason == Reason::KeyUnknown, now) {
            Missing::Judge => Lacking::Judge,
            Missing::Final => Lacking::Stands,
            Missing::Wait if now >= deadline => Lacking::Stands,
            Missing::Wait => {
                let mut requests = self.waiting.requests.borrow_mut();
                if requests.len() >= MAX_WAITING {
                    return Lacking::Stands;
                }
                let attempts = self.keys.attempts(provider);
                let stream = Rc::downgrade(stream);
                requests.push(Waiter { context, stream, provider, attempts, deadline });
                Lacking::Held
            }
        }
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
            if hostcalls::set_effective_context(waiter.context).is_err() {
                continue;
            }
            if self.proceed(waiter.context, &stream, Some(waiter.deadline)) {
                let _ = hostcalls::resume_http_request();
            }
        }
    }
}
