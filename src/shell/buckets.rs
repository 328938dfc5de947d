//! The buckets and the places in flight: opened when a configuration loads, and tried again while
//! the host's shared data refuses.

use std::cell::{Cell, OnceCell, RefCell};
use std::time::Duration;

use log::{info, warn};

use super::random;
use super::store::SharedData;
use crate::limit::concurrency::Concurrency;
use crate::limit::table::Table;
use crate::policy::Policy;
use crate::store::StoreError;
use crate::time::Moment;

/// Between two tries to open: 1 s. A try that fails costs a request two host calls.
const RETRY: Duration = Duration::from_secs(1);

/// What limits are counted in, once it is open.
pub struct Counts {
    /// The name of the plugin, under which its data stand.
    plugin: String,
    open: OnceCell<Open>,
    /// When opening failed last.
    failed: Cell<Option<Moment>>,
}

/// The open table.
pub struct Open {
    /// The buckets.
    pub table: Table,
    /// The requests in flight, where a rule limits them.
    pub concurrency: Option<RefCell<Concurrency>>,
}

/// Whether a rule of the policy limits requests in flight.
pub fn in_flight(policy: &Policy) -> bool {
    policy.rules.iter().any(|rule| rule.concurrency.is_some())
}

impl Counts {
    /// Opens what the policy needs; a failure is told, and `failure_mode` applies until it is open.
    pub fn new(plugin: String, policy: &Policy, now: Moment) -> Self {
        let counts = Self { plugin, open: OnceCell::new(), failed: Cell::new(None) };
        counts.current(policy, now);
        counts
    }

    /// What is open, tried again when the last failure is a second old. `None` where the policy
    /// counts nothing, or the store fails.
    pub fn current(&self, policy: &Policy, now: Moment) -> Option<&Open> {
        self.open.get().or_else(|| self.try_open(policy, now))
    }

    /// What is open.
    pub fn opened(&self) -> Option<&Open> {
        self.open.get()
    }

    fn try_open(&self, policy: &Policy, now: Moment) -> Option<&Open> {
        let failed = self.failed.get();
        let wanted = !policy.limits.is_empty() || in_flight(policy);
        if !wanted || failed.is_some_and(|at| now.abs_diff(at) < RETRY) {
            return None;
        }
        match self.open(policy) {
            Ok(open) => {
                if failed.is_some() {
                    info!("tollgate: the bucket table is open now");
                }
                Some(self.open.get_or_init(|| open))
            }
            Err(error) => {
                if failed.is_none() {
                    warn!(
                        "tollgate: no bucket table, failure_mode applies until it opens: {error}; \
                         see docs/runbook.md#store_unavailable"
                    );
                }
                self.failed.set(Some(now));
                None
            }
        }
    }

    fn open(&self, policy: &Policy) -> Result<Open, StoreError> {
        let plugin = self.plugin.as_str();
        let table = Table::open(&SharedData, plugin, policy.max_identities, random::seed())?;
        if table.keeps_other_size() {
            warn!(
                "tollgate: store.max_identities applies after a restart of the proxy: the table \
                 keeps its {} slots",
                table.slots()
            );
        }
        let concurrency = match in_flight(policy) {
            true => {
                let [a, b, c, d, e, f, g, h, ..] = random::seed();
                let holder = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
                Some(RefCell::new(Concurrency::open(&SharedData, plugin, &table, holder)?))
            }
            false => None,
        };
        Ok(Open { table, concurrency })
    }
}
