//! The authenticated caller: its identity, what it is granted, and the tags its requests carry.

pub mod address;
pub mod cache;
pub mod grant;
pub mod principal;
pub mod tags;
