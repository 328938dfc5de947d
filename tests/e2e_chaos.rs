//! Everything that goes wrong in production at once, for as long as one likes: hostile and good
//! traffic at full load while the identity provider fails in every way, keys are rotated,
//! configurations are pushed, the upstream resets and clients leave.
//!
//! Two outages, a rotation and four pushes in `make test`; `make chaos` sets `TOLLGATE_CHAOS` to the seconds of the whole run,
//! which then goes through 1, 2 and 4 workers and ends with Envoy's own `jwt_authn` in our place.
//! The upstream's marks and the answers decide which requests were lost or admitted, never a clock.
//!
//! - `sides`: the two filters under the same storm, and how each is configured and pushed.
//! - `clients`: the clients, their requests and the expected answers.
//! - `storm`: the course of a phase: outages, rotations, pushes.
//! - `tally`: the counters and the tables.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "chaos/clients.rs"]
mod clients;
#[path = "chaos/sides.rs"]
mod sides;
#[path = "chaos/storm.rs"]
mod storm;
#[path = "chaos/tally.rs"]
mod tally;

use std::time::Duration;

use sides::Side;
use tally::Figures;

/// The whole duration of the long form.
fn asked_for() -> Option<Duration> {
    let text = std::env::var("TOLLGATE_CHAOS").ok()?;
    Some(Duration::from_secs(text.parse().expect("TOLLGATE_CHAOS is a number of seconds")))
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_storm_no_good_request_is_lost_no_bad_one_admitted_and_no_memory_kept() {
    let Some(binary) = support::skip::envoy_binary() else { return };
    let mut figures: Vec<Figures> = Vec::new();
    match asked_for() {
        None => {
            // One round; only a longer run shows how memory grows.
            figures.push(storm::phase(&binary, Side::Tollgate, 2, Duration::ZERO).await);
        }
        Some(whole) => {
            for workers in [1, 2, 4] {
                figures.push(storm::phase(&binary, Side::Tollgate, workers, whole / 4).await);
                tally::print(&figures);
            }
            figures.push(storm::phase(&binary, Side::Native, 2, whole / 4).await);
        }
    }
    tally::print(&figures);
    let complaints: Vec<_> = figures.iter().flat_map(Figures::complaints).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
