//! Many identities in the native store: memory stays inside the table.
//!
//! One million in `make test`; `make soak` sets `TOLLGATE_IDENTITIES` to ten million and builds with
//! optimisation.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::cell::Cell;
use std::time::{Duration, Instant};

use tollgate::limit::owner::Owner;
use tollgate::limit::quota::Quota;
use tollgate::limit::table::Table;
use tollgate::limit::{Answer, Counters, Mode, Request, Which, take_all};
use tollgate::store::memory::Memory;
use tollgate::store::{Store, StoreError, Swap};
use tollgate::time::Moment;

/// Notes the longest call.
struct Timed<'a> {
    inner: &'a Memory,
    longest: Cell<Duration>,
}

impl Timed<'_> {
    fn time<T>(&self, call: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = call();
        self.longest.set(self.longest.get().max(began.elapsed()));
        result
    }
}

impl Store for Timed<'_> {
    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
        self.time(|| self.inner.load(key))
    }

    fn swap(&self, key: &str, value: &[u8], version: u32) -> Result<Swap, StoreError> {
        self.time(|| self.inner.swap(key, value, version))
    }
}

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn any_number_of_identities_stays_inside_the_table_and_each_live_eviction_is_counted() {
    const WAYS: u64 = 131_072;
    let identities: u64 =
        std::env::var("TOLLGATE_IDENTITIES").map_or(1_000_000, |text| text.parse().unwrap());
    let memory = Memory::default();
    let table = Table::open(&memory, "p", 131_072, [7; 16]).unwrap();
    let store = Timed { inner: &memory, longest: Cell::default() };
    let quota = Quota::new(1, Duration::from_secs(3_600), 10).unwrap();
    let (before, keys) = (resident(), memory.dump().len());
    let mut counters = Counters::default();
    let began = Instant::now();
    for number in 0..identities {
        let identity = number.to_string();
        let request = Request {
            bucket: Which::Of("l", Owner::Identity(&identity)),
            quota: &quota,
            cost: 1,
            mode: Mode::Take,
            dry_run: false,
        };
        let now = Moment::from_nanos(1_700_000_000_000_000_000 + number);
        let answer = take_all(&table, &store, &|| now, &[request], &mut counters).unwrap();
        assert!(matches!(answer, Answer::Allowed(_)));
    }
    let (grown, elapsed) = (resident().saturating_sub(before), began.elapsed());
    println!(
        "{identities} identities in {elapsed:.1?}: {} live evictions, longest store call {:.1?}, \
         resident memory {} KiB more",
        counters.live_evictions,
        store.longest.get(),
        grown / 1024
    );
    assert_eq!(memory.dump().len(), keys);
    let least = identities.saturating_sub(WAYS);
    assert!((least..=identities).contains(&counters.live_evictions));
    assert_eq!((counters.retries, counters.damaged, counters.stranded), (0, 0, 0));
    assert!(grown < 16 << 20, "{grown} bytes more");
}
