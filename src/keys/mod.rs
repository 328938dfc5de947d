//! Remote key sets: when to fetch, which worker fetches, and which answer replaces the keys in use.
//!
//! All workers of a process share one [`record`] per provider. The worker that writes a lease into the
//! record fetches for all; the others see the new version and read the new set from the store.
//! Nothing here waits: the shell calls this module at each tick and starts the fetches.
//!
//! - [`record`]: the numbers that the workers share, and their rules; [`timing`]: the durations
//! - [`shared`]: the record and the key set in the store
//! - [`local`]: the parsed keys of one worker
//! - [`answer`]: the checks of an answer before it is used

pub mod answer;
pub mod local;
pub mod record;
pub mod shared;

#[cfg(test)]
mod tests;
