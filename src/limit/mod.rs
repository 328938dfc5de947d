//! Token buckets in the host's shared data, exact with any number of workers.
//!
//! - What a rule demands: [`plan`] applies a limit ([`entry`]) to a caller, with its [`quota`], its [`cost`] and the
//!   rate in the token ([`rate_claim`]); [`owner`] says whose bucket it is.
//! - One bucket: [`gcra`] does the arithmetic; [`slot`] stores eight buckets in one value.
//! - All buckets: [`table`] finds the slot of an owner, under the names of `layout`; the regions of the
//!   table keep verified callers apart from all others.
//! - Requests in flight: [`concurrency`].
//!
//! [`take_all`] takes from all limits of a request in two steps:
//!
//! 1. Load every slot, then read the clock, then judge every limit. If one denies, nothing has been
//!    taken, and the answer names the time at which all would pass.
//! 2. Take from each limit by compare-and-swap, in one order for all requests, so that one of two
//!    requests that compete for the last tokens gets all of its limits. After a lost race the limit is
//!    judged again on the new value. If it denies now, the earlier takes are given back, and the
//!    request starts again at step 1.
//!
//! Between a take and its return, another request may be denied without need; no request is ever
//! admitted beyond a quota.
//!
//! A limit that is charged by the response ([`Mode::Ask`]) takes nothing from a request, but one
//! token must be in the bucket. At the end of the response, [`settle`] takes its cost; the part that
//! the bucket does not hold becomes a debt. One token admits all requests that arrive before the first
//! of them is charged; later requests wait until their common debt is repaid. A limit that [reserves]
//! takes the reservation from the request like a cost, and [`settle`] corrects it to what the response cost.
//!
//! [reserves]: reserve

mod answer;
mod charge;
pub mod concurrency;
pub mod cost;
mod counters;
pub mod entry;
mod error;
pub mod gcra;
mod item;
mod layout;
pub mod owner;
pub mod plan;
pub mod quota;
pub mod rate_claim;
mod region;
mod request;
pub mod reserve;
mod session;
pub mod slot;
pub mod table;
mod take;

pub use answer::{Answer, Ruling, Standing};
pub use charge::settle;
pub use counters::Counters;
pub use error::{TRIES, TakeError};
pub use request::{Mode, Request, Which};
pub use take::{take_all, take_each};
