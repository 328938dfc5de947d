//! The rows: how each is made to happen, and how it is cured.

use mesh::envoy_gateway::world::World;
use support::client::Request;

use crate::scene::{Scene, tokenless};
use crate::{fetches, proxies};

/// A row of the page.
pub struct Row {
    /// Its first cell.
    pub name: &'static str,
    /// The request whose answer the cells give.
    pub request: fn(&World) -> Request,
    /// Makes it happen with a policy of this `failOpen`.
    pub make: fn(&mut Scene, bool),
    /// Afterwards the filter is in effect again.
    pub cure: fn(&mut Scene),
}

/// A row about a request without a token.
pub const fn row(name: &'static str, make: fn(&mut Scene, bool), cure: fn(&mut Scene)) -> Row {
    Row { name, request: |_| tokenless(), make, cure }
}

/// All rows, in the order of the page.
pub fn all() -> impl Iterator<Item = &'static Row> {
    fetches::ROWS.iter().chain(proxies::ROWS)
}
