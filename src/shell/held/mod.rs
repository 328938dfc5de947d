//! Requests that wait: for a key, or with their headers for the verdict on their body.

pub mod heads;
pub mod keys;
mod waiters;
