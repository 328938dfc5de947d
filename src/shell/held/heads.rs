//! Heads that wait for the verdict on their body, and hosts that show no body meanwhile.
//!
//! `hold_head` says that the host honours `allow_on_headers_stop_iteration`. Where it does not, a
//! request whose head waits would wait for ever: the host takes the body in and shows none of it.
//! Such a request is refused, and the log says what to set. What the host has received of a request
//! tells it from one whose client is slow.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::body::Refusal;
use crate::shell::host;
use crate::shell::http::Stream;
use crate::shell::worker::State;
use crate::time::Moment;

/// How long a head waits at least before the host is suspected: 5 s. A filter before
/// ours may hold a body back for a while, too.
const SUSPECT_AFTER: Duration = Duration::from_secs(5);

/// How many requests are watched at most; one that stays unwatched ends with the proxy's timeouts.
const MAX_WATCHED: usize = 1024;

/// The requests of one worker whose head waits.
#[derive(Default)]
pub struct Holding {
    watched: RefCell<Vec<Watched>>,
    /// The host has shown the body of a head that waited: there is nothing to suspect.
    proven: Cell<bool>,
}

struct Watched {
    /// The host's number of the stream.
    context: u32,
    /// Gone when the client is.
    stream: Weak<RefCell<Stream>>,
    /// When the head began to wait.
    since: Moment,
    /// What the host had received of the request by then, bytes.
    received: u64,
}

impl Holding {
    /// The host showed a piece of the body of a head that waits.
    pub fn shown(&self) {
        if !self.proven.replace(true) {
            self.watched.take();
        }
    }
}

impl State {
    /// Whether heads wait for the verdict on their body.
    pub fn holds_heads(&self) -> bool {
        self.policy.hold_head && self.policy.rules.iter().any(|rule| rule.payload.is_some())
    }

    /// Watches whether the host shows the body of this request, whose head waits.
    pub fn watch_held(&self, context: u32, stream: &Rc<RefCell<Stream>>) {
        if self.holding.proven.get() {
            return;
        }
        let Some(received) = received() else { return };
        let mut watched = self.holding.watched.borrow_mut();
        if watched.len() >= MAX_WATCHED {
            watched.retain(|held| held.stream.strong_count() > 0);
        }
        if watched.len() < MAX_WATCHED {
            let stream = Rc::downgrade(stream);
            watched.push(Watched { context, stream, since: host::now(), received });
        }
    }

    /// Refuses the requests whose body the host has received in part and shows nothing of.
    pub fn refuse_withheld(&self) {
        let now = host::now();
        let watched = self.holding.watched.take();
        for held in watched {
            let Some(stream) = held.stream.upgrade() else { continue };
            let waits = stream.borrow().body.as_ref().is_some_and(|body| !body.seen());
            if !waits || host::enter(held.context).is_err() {
                continue;
            }
            let long = now.since(held.since) >= SUSPECT_AFTER;
            if !long || received().is_none_or(|received| received <= held.received) {
                self.holding.watched.borrow_mut().push(held);
                continue;
            }
            let body = stream.borrow_mut().body.take();
            let Some(body) = body else { continue };
            self.conclude_body(&stream, body, Err(Refusal::Withheld));
            if stream.borrow().allowed {
                host::resume_request();
            }
        }
    }
}

/// What the host has received of the request, its headers included, bytes.
fn received() -> Option<u64> {
    let bytes = host::property(b"request\0total_size")?;
    Some(u64::from_le_bytes(*bytes.first_chunk()?))
}
