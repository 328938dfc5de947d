//! Renewing the places in flight of this worker, those of earlier configurations included.
//!
//! After a push, the streams of the configuration before it go on in the same VM. Their places must
//! not hang on whether the host still calls the ticks of a configuration that it has replaced, so
//! each tick looks after every configuration of the VM that still has streams.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use super::state::State;

thread_local! {
    /// The configurations of this VM that count requests in flight.
    static COUNTING: RefCell<Vec<Weak<State>>> = const { RefCell::new(Vec::new()) };
}

/// Notes a configuration. True when ticks are needed.
pub fn watch(state: &Rc<State>) -> bool {
    COUNTING.with_borrow_mut(|counting| {
        counting.retain(|state| state.strong_count() > 0);
        if state.counts_concurrency() {
            counting.push(Rc::downgrade(state));
        }
        !counting.is_empty()
    })
}

/// Renews what is due; to be called at each tick.
pub fn tend() {
    COUNTING.with_borrow(|counting| {
        for state in counting.iter().filter_map(Weak::upgrade) {
            state.tend_concurrency();
        }
    });
}
