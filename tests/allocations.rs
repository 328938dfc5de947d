//! Counts what the core allocates for a request whose token it remembers. What the store returns is not
//! counted: in a proxy it is the host's.

#![allow(unsafe_code, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "core/policy.rs"]
mod policy;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use policy::PolicyKeys;
use serde_json::{Value, json};
use support::mint::{self, Signer};
use support::scenario::{claims_with, provider};
use tollgate::gate::judged::Judged;
use tollgate::gate::{Gate, Request};
use tollgate::limit::table::Table;
use tollgate::request::headers::Headers;
use tollgate::store::memory::Memory;
use tollgate::store::{Store, StoreError, Swap};
use tollgate::time::Moment;
use tollgate::verify::engine::ModuleEngine;

thread_local! {
    /// What this thread has allocated; `None` while nothing is counted.
    static COUNTED: Cell<Option<usize>> = const { Cell::new(None) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNTED.set(COUNTED.get().map(|count| count + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNTED.set(COUNTED.get().map(|count| count + 1));
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A store whose own work is not counted.
struct Uncounted(Memory);

fn uncounted<T>(run: impl FnOnce() -> T) -> T {
    let before = COUNTED.take();
    let result = run();
    COUNTED.set(before);
    result
}

impl Store for Uncounted {
    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
        uncounted(|| self.0.load(key))
    }

    fn swap(&self, key: &str, value: &[u8], version: u32) -> Result<Swap, StoreError> {
        uncounted(|| self.0.swap(key, value, version))
    }
}

/// What the core allocates for the second request with one token, under a document with these members.
fn allocations(members: &Value) -> usize {
    let signer = Signer::new("HS256", "key-1");
    let mut document = json!({"providers": [provider(&[&signer], &["HS256"])]});
    for (name, value) in members.as_object().unwrap() {
        document[name.as_str()] = value.clone();
    }
    let policy = policy::compiled(&document);
    let store = Uncounted(Memory::default());
    let table = Table::open(&store, "plugin", policy.max_identities, [7; 16]).unwrap();
    let cache = policy.empty_cache(42);
    let gate = Gate {
        policy: &policy,
        keys: &PolicyKeys(&policy),
        engine: &ModuleEngine,
        cache: &cache,
        table: Some(&table),
        concurrency: None,
        store: &store,
    };
    let bearer = format!("Bearer {}", signer.sign(&claims_with("alice", json!({"roles": ["a"]}))));
    let headers = Headers::from_pairs(&[
        (":method", "GET"),
        (":path", "/v1/models/one?page=2"),
        (":authority", "ml.example.com:8443"),
        ("user-agent", "test"),
        ("authorization", &bearer),
    ]);
    let now = Moment::from_secs(mint::now());
    let judge = || {
        gate.judge(&Request {
            headers: &headers,
            bodyless: true,
            client_address: &|| None,
            now,
            peer_certificate: &|| None,
            clock: &|| now,
        })
    };
    let passes = |judged: &Judged| {
        let reason = match judged {
            Judged::Decided(decision) => decision.verdict.reason().as_str(),
            Judged::Body(_) => "body",
        };
        assert_eq!(reason, "ok", "{members}");
    };
    passes(&judge());
    COUNTED.set(Some(0));
    let second = judge();
    let count = COUNTED.take().unwrap();
    passes(&second);
    count
}

#[test]
fn a_request_with_a_remembered_token_allocates_nothing_unless_it_has_several_limits() {
    let limit = |name: &str| json!({"name": name, "rate": "10/s"});
    let one = json!([{"name": "all", "limits": ["a"]}]);
    let tier = json!({"when": {"roles_any": ["a"]}, "rate": "100/s"});
    for (members, most) in [
        (json!({}), 0),
        (json!({"rules": one, "limits": [limit("a")]}), 0),
        (json!({"rules": one, "limits": [{"name": "a", "rate": "10/s", "key": "{iss}/{sub}"}]}), 0),
        (json!({"rules": one, "limits": [{"name": "a", "rate": "10/s", "tiers": [tier]}]}), 0),
        (
            json!({"rules": one, "limits": [{
                "name": "a", "rate": "10000/h", "charge": "response", "reserve": {"default": 9, "max": 9},
                "response_cost": {"json": "/usage/total_tokens"},
            }]}),
            0,
        ),
        (
            json!({"rules": [{"name": "all", "allow": [{"roles_any": ["b"]}, {"roles_any": ["a"]}]}]}),
            0,
        ),
        // One for each list of the limits.
        (
            json!({"rules": [{"name": "all", "limits": ["a", "b", "c"]}], "limits": [limit("a"), limit("b"), limit("c")]}),
            5,
        ),
    ] {
        let count = allocations(&members);
        assert!(count <= most, "{count} allocations: {members}");
    }
}
