//! Renewing the places in flight of this worker, those of earlier configurations included.
//!
//! Once a push is in force, the host no longer calls the ticks of the configuration before it, but
//! its streams go on, and in the same VM. So each tick looks after every configuration of the VM
//! that still has streams. When the module itself is replaced, the old VM gets no ticks, and its
//! streams' places expire.

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
