//! The authenticated caller: its identity, its grants, and the tags of its requests.

pub mod address;
pub mod cache;
pub mod grant;
pub mod principal;
pub mod tags;
