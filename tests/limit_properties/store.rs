//! Shared data that refuses writes, and a stage on which its callers take turns.

#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use tollgate::store::memory::Memory;
use tollgate::store::{Store, StoreError, Swap};
use tollgate::time::{Moment, nanos};

/// A store that calls `refuse` before each write; a `Some` replaces the result of the write.
pub struct Unreliable<'a, F> {
    pub inner: &'a Memory,
    pub refuse: F,
}

impl<F: Fn(&str) -> Option<Result<Swap, StoreError>>> Store for Unreliable<'_, F> {
    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
        self.inner.load(key)
    }

    fn swap(&self, key: &str, value: &[u8], version: u32) -> Result<Swap, StoreError> {
        (self.refuse)(key).unwrap_or_else(|| self.inner.swap(key, value, version))
    }
}

/// Takes turns: workers are threads, but each store call waits for its turn, and the turns come from
/// a script. Every interleaving of loads and swaps can so be written down and shrunk.
pub struct Stage {
    state: Mutex<StageState>,
    wake: Condvar,
    clock: AtomicU64,
}

pub struct StageState {
    turn: Option<usize>,
    waiting: Vec<bool>,
    done: Vec<bool>,
}

impl Stage {
    pub fn new(workers: usize, now: Moment) -> Self {
        let state =
            StageState { turn: None, waiting: vec![false; workers], done: vec![false; workers] };
        Self {
            state: Mutex::new(state),
            wake: Condvar::new(),
            clock: AtomicU64::new(now.as_nanos()),
        }
    }

    pub fn now(&self) -> Moment {
        Moment::from_nanos(self.clock.load(Ordering::SeqCst))
    }

    pub fn step<T>(&self, me: usize, call: impl FnOnce() -> T) -> T {
        let mut state = self.state.lock().unwrap();
        state.waiting[me] = true;
        self.wake.notify_all();
        while state.turn != Some(me) {
            state = self.wake.wait(state).unwrap();
        }
        let result = call();
        state.turn = None;
        state.waiting[me] = false;
        result
    }

    pub fn finish(&self, me: usize) {
        self.state.lock().unwrap().done[me] = true;
        self.wake.notify_all();
    }

    /// Each entry: the step of the clock, then the next of the waiting requests.
    pub fn direct(&self, script: &[(Duration, usize)]) {
        let mut script = script.iter().copied();
        loop {
            let mut state = self.state.lock().unwrap();
            while state.turn.is_some()
                || state.waiting.iter().zip(&state.done).any(|(waiting, done)| !waiting && !done)
            {
                state = self.wake.wait(state).unwrap();
            }
            let waiting: Vec<usize> = (0..state.done.len()).filter(|n| !state.done[*n]).collect();
            if waiting.is_empty() {
                return;
            }
            let (elapsed, pick) = script.next().unwrap_or_default();
            self.clock.fetch_add(nanos(elapsed), Ordering::SeqCst);
            state.turn = Some(waiting[pick % waiting.len()]);
            self.wake.notify_all();
        }
    }
}

/// The store of one worker on the stage.
pub struct Staged<'a> {
    pub inner: &'a Memory,
    pub stage: &'a Stage,
    pub me: usize,
}

impl Store for Staged<'_> {
    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
        self.stage.step(self.me, || self.inner.load(key))
    }

    fn swap(&self, key: &str, value: &[u8], version: u32) -> Result<Swap, StoreError> {
        self.stage.step(self.me, || self.inner.swap(key, value, version))
    }
}
