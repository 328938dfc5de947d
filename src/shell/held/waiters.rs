//! A bounded list of waiting requests.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// How many requests of one worker wait at most. At 60 KiB of headers each, this bounds the memory that
/// callers can pin in the proxy.
const MOST: usize = 1024;

/// Waiting requests `S`, each with its wait `W`. A request leaves the list when its stream ends.
pub struct Waiters<S, W> {
    list: RefCell<Vec<(Weak<S>, W)>>,
}

impl<S, W> Default for Waiters<S, W> {
    fn default() -> Self {
        Self { list: RefCell::default() }
    }
}

impl<S, W> Waiters<S, W> {
    /// Adds a request; false if the list is full.
    pub fn push(&self, request: &Rc<S>, wait: W) -> bool {
        let mut list = self.list.borrow_mut();
        if list.len() >= MOST {
            list.retain(|(request, _)| request.strong_count() > 0);
        }
        let room = list.len() < MOST;
        if room {
            list.push((Rc::downgrade(request), wait));
        }
        room
    }

    /// Whether no request waits.
    pub fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// Takes the requests out whose wait is over by `over`.
    pub fn take(&self, over: impl Fn(&W) -> bool) -> Vec<(Rc<S>, W)> {
        let mut list = self.list.borrow_mut();
        let (taken, left) = list.drain(..).partition::<Vec<_>, _>(|(_, wait)| over(wait));
        *list = left;
        let alive = |(request, wait): (Weak<S>, W)| Some((request.upgrade()?, wait));
        taken.into_iter().filter_map(alive).collect()
    }
}
