//! The buckets and the places in flight: opened when a configuration loads, and retried while shared data
//! fails.

use std::cell::{Cell, OnceCell, RefCell};
use std::time::Duration;

use log::{info, warn};

use super::host;
use super::random;
use super::store::SharedData;
use crate::limit::Counters;
use crate::limit::concurrency::{Concurrency, Lease};
use crate::limit::table::Table;
use crate::policy::Policy;
use crate::store::StoreError;
use crate::time::Moment;

/// Between two attempts to open: 1 s. A failed attempt costs a request two host calls.
const RETRY: Duration = Duration::from_secs(1);

/// The bucket table and the places in flight, once they are open.
pub struct Buckets {
    /// The name of the plugin, which prefixes its keys.
    plugin: String,
    open: OnceCell<Open>,
    /// When opening failed last.
    failed: Cell<Option<Moment>>,
}

/// The open table.
pub struct Open {
    /// The buckets.
    pub table: Table,
    /// The requests in flight, if a rule limits them.
    pub concurrency: Option<RefCell<Concurrency>>,
}

/// Whether a rule of the policy limits requests in flight.
pub fn limits_in_flight(policy: &Policy) -> bool {
    policy.rules.iter().any(|rule| rule.concurrency.is_some())
}

/// Whether the policy takes tokens from buckets.
fn has_buckets(policy: &Policy) -> bool {
    !policy.limits.is_empty() || policy.responses.metadata_limit.is_some()
}

impl Buckets {
    /// Opens what the policy needs. A failure is logged, and `failure_mode` applies until it is open.
    pub fn new(plugin: String, policy: &Policy, now: Moment) -> Self {
        let buckets = Self { plugin, open: OnceCell::new(), failed: Cell::new(None) };
        buckets.current(policy, now);
        buckets
    }

    /// The open table, retried one second after the last failure. `None` if the policy limits nothing or the
    /// store fails.
    pub fn current(&self, policy: &Policy, now: Moment) -> Option<&Open> {
        self.open.get().or_else(|| self.try_open(policy, now))
    }

    /// The open table, without a retry.
    pub fn opened(&self) -> Option<&Open> {
        self.open.get()
    }

    /// Returns the place in flight of a stream that has ended; what the store did.
    pub fn release(&self, lease: Lease) -> Counters {
        let mut counters = Counters::default();
        if let Some(concurrency) = self.opened().and_then(|open| open.concurrency.as_ref()) {
            concurrency.borrow_mut().release(&SharedData, &host::now, lease, &mut counters);
        }
        counters
    }

    /// Renews the places in flight of this worker; what the store did.
    pub fn renew_places(&self) -> Counters {
        let mut counters = Counters::default();
        if let Some(concurrency) = self.opened().and_then(|open| open.concurrency.as_ref()) {
            concurrency.borrow_mut().tick(&SharedData, &host::now, &mut counters);
        }
        counters
    }

    fn try_open(&self, policy: &Policy, now: Moment) -> Option<&Open> {
        let failed = self.failed.get();
        let wanted = has_buckets(policy) || limits_in_flight(policy);
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
        let concurrency = match limits_in_flight(policy) {
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
