//! Decides on a request without access to the host.
//!
//! - [`Gate::judge`] runs the stages in order: path, rule, token, grants, tags, limits.
//! - [`judged::Judged`] is its result: a decision, or a request whose body decides.
//! - [`facts`] are the findings of the stages, [`verdict`] the verdict and its denial.

mod body_grant;
mod body_value;
mod buckets;
mod caller;
mod denied;
mod dues;
pub mod facts;
mod judge;
pub mod judged;
mod quotas;
mod resources;
mod scope;
pub mod verdict;

pub use resources::{Gate, Request};
