//! The companion `tollgate` as it is run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod check;
mod explain;
mod mint;
