//! The table in shared data: its size, its slots, and which bucket a newcomer evicts.

use tollgate::limit::concurrency::Concurrency;
use tollgate::limit::table::MAX_SLOTS;

use super::*;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_bytes_in_a_slot_cause_a_panic_or_a_lasting_lockout(
        bytes in prop::collection::vec(any::<u8>(), 0..260), own in any::<[u8; 12]>(),
        ours in any::<bool>(), now in prop_oneof![Just(Moment::EPOCH), Just(Moment::from_nanos(u64::MAX / 2)), Just(NOW)],
        quota in any_quota(),
    ) {
        let (store, table) = opened(8);
        let mut bytes = bytes;
        let request = [ask("l", "alice", &quota, 1)];
        if ours && bytes.len() >= 20 {
            // Nonsense that carries the identity's own fingerprint.
            let fingerprint = place(&table, &request[0]).fingerprint;
            bytes[..8].copy_from_slice(&fingerprint.to_le_bytes());
            bytes[8..20].copy_from_slice(&own);
        }
        store.put("tollgate/p/b2/0", &bytes);
        if let Answer::Denied { retry_after, .. } = take(&table, &store, now, &request) {
            prop_assert!(retry_after <= quota.refill());
            prop_assert!(passes(&take(&table, &store, now + retry_after, &request)));
        }
    }

    #[test]
    fn no_bytes_in_the_record_cause_a_panic_and_all_workers_agree_on_a_new_one(
        bytes in prop::collection::vec(any::<u8>(), 0..40), tail in any::<[u8; 20]>(),
        magic in any::<bool>(),
    ) {
        let bytes = if magic { [&b"tgb2"[..], &tail].concat() } else { bytes };
        let store = Memory::default();
        store.put("tollgate/p/table2", &bytes);
        let valid = magic && u32::from_le_bytes(tail[..4].try_into().unwrap()).is_power_of_two();
        let one = Table::open(&store, "p", 64, [1; 16]).unwrap();
        let two = Table::open(&store, "p", 64, [2; 16]).unwrap();
        let quota = quota(1, SECOND, 1);
        let request = ask("l", "alice", &quota, 1);
        prop_assert_eq!(place(&one, &request), place(&two, &request));
        prop_assert!(valid || one.slots() == 8);
    }
}

#[test]
fn ten_thousand_fresh_identities_all_pass_and_no_key_is_added() {
    let (store, table) = opened(131_072);
    let keys = store.dump().len();
    assert_eq!(keys, 16_384 + 4_096 + 1);
    let quota = quota(1, MINUTE, 10);
    let mut counters = Counters::default();
    for n in 0..10_000 {
        let identity = format!("tenant/{n}");
        let request = [ask("per-caller", &identity, &quota, 1)];
        assert!(passes(&take_all(&table, &store, &|| NOW, &request, &mut counters).unwrap()));
    }
    assert_eq!(counters, Counters::default());
    assert_eq!(store.dump().len(), keys);
}

#[test]
fn a_million_identities_keep_the_keys_fixed_and_live_evictions_are_counted() {
    let (store, table) = opened(8_192);
    let keys = store.dump().len();
    let quota = quota(1, HOUR, 10);
    let half = |parity: u32| {
        let mut counters = Counters::default();
        for n in 0..500_000_u32 {
            let identity = (2 * n + parity).to_string();
            let request = [ask("l", &identity, &quota, 1)];
            let answer = take_all(&table, &store, &|| NOW + NANO * n, &request, &mut counters);
            assert!(passes(&answer.unwrap()));
        }
        counters.live_evictions
    };
    let live_evictions = std::thread::scope(|scope| {
        let odd = scope.spawn(|| half(1));
        half(0) + odd.join().unwrap()
    });
    assert_eq!(store.dump().len(), keys);
    // Entries that did not fit replaced others one for one, except for a few empty ways.
    assert!((1_000_000 - 8_192..=1_000_000).contains(&live_evictions));
}

/// Two filters of one VM and one name may have a limit of one name and different sizes.
#[test]
fn quotas_of_different_size_never_share_a_bucket() {
    let (store, table) = opened(512);
    let hour = quota(10, HOUR, 10);
    // Faster, smaller and larger ones, and one that may owe, asked in turn.
    let others = [quota(1, SECOND, 1), quota(10, HOUR, 3), quota(10, HOUR, 50), hour.with_debt()];
    let mut passed = 0;
    for turn in 0..40 {
        let now = NOW + turn * SECOND;
        passed += u64::from(passes(&take(&table, &store, now, &[ask("l", "a", &hour, 1)])));
        for other in &others {
            take(&table, &store, now, &[ask("l", "a", other, 1)]);
        }
    }
    assert_eq!(passed, 10);
    for (other, left) in others.iter().zip([1, 0, 10, 0]) {
        let request = ask("l", "a", other, 1);
        assert_eq!(remaining(&table, &store, NOW + 40 * SECOND, request), left, "{other:?}");
    }
}

/// A flood of addresses fills its own slots and nothing else.
#[test]
fn callers_without_a_token_evict_only_each_other() {
    let (store, table) = opened(2_048);
    let keys = store.dump().len();
    let quota = quota(1, HOUR, 1);
    let verified: Vec<_> = (0..200).map(|n| n.to_string()).collect();
    for caller in &verified {
        assert!(passes(&take(&table, &store, NOW, &[ask("l", caller, &quota, 1)])));
    }
    let mut counters = Counters::default();
    for n in 0..100_000_u64 {
        let address = n.to_string();
        let open =
            Request { bucket: Which::Of("l", Owner::Address(&address)), ..ask("l", "", &quota, 1) };
        assert!(passes(&take_all(&table, &store, &|| NOW, &[open], &mut counters).unwrap()));
    }
    assert!(counters.live_evictions > 90_000, "they evict each other");
    for caller in &verified {
        assert!(!passes(&take(&table, &store, NOW, &[ask("l", caller, &quota, 1)])), "{caller}");
    }
    assert_eq!(store.dump().len(), keys);
    // And the other way round.
    let bucket = Which::Of("l", Owner::Address("an address"));
    let open = Request { bucket, ..ask("l", "", &quota, 1) };
    assert!(passes(&take(&table, &store, NOW, &[open])));
    for n in 0..100_000 {
        take(&table, &store, NOW, &[ask("l", &format!("caller {n}"), &quota, 1)]);
    }
    assert!(!passes(&take(&table, &store, NOW, &[open])));
}

#[test]
fn limits_of_one_request_do_not_evict_each_other() {
    let (store, table) = opened(8);
    let hour = quota(1, HOUR, 100);
    for n in 0..8 {
        take(&table, &store, NOW, &[ask("l", &n.to_string(), &hour, 50)]);
    }
    // All ways are deep in debt: each newcomer is the nearest to full.
    let quick = quota(1, SECOND, 1);
    let requests = [ask("a", "x", &quick, 1), ask("b", "x", &quick, 1), ask("c", "x", &quick, 1)];
    assert!(passes(&take(&table, &store, NOW, &requests)));
    for request in requests {
        assert_eq!(remaining(&table, &store, NOW, request), 0);
    }
}

/// A module of another layout serves beside this one, under keys of its own.
#[test]
fn the_slots_of_another_layout_are_neither_read_nor_written() {
    let store = Memory::default();
    // As version 0.1 wrote it: a record of one slot, ways of 24 bytes.
    let mut record = b"tgb1".to_vec();
    record.extend(1_u32.to_le_bytes());
    record.extend([7; 16]);
    store.put("tollgate/p/table", &record);
    store.put("tollgate/p/b/0", &[0xff; 192]);
    store.put("tollgate/p/c/0", &[0xff; 64]);
    let before = store.dump();
    let table = Table::open(&store, "p", 64, [1; 16]).unwrap();
    assert_eq!(table.slots(), 8, "not the size of the other layout");
    let mut places = Concurrency::open(&store, "p", &table, 1).unwrap();
    let quota = quota(1, HOUR, 3);
    let passed = (0..10)
        .filter(|_| passes(&take(&table, &store, NOW, &[ask("l", "alice", &quota, 1)])))
        .count();
    let whose = ("rule", Owner::Identity("alice"));
    let held = places.acquire(&store, &|| NOW, whose, 1, &mut Counters::default()).unwrap();
    assert_eq!((passed, held.is_some()), (3, true));
    let after = store.dump();
    assert!(before.iter().all(|pair| after.contains(pair)));
    let own = ["tollgate/p/table2", "tollgate/p/b2/", "tollgate/p/c2/"];
    let mut new = after.iter().filter(|pair| !before.contains(pair));
    assert!(new.all(|(key, _)| own.iter().any(|own| key.starts_with(own))));
}

#[test]
fn full_buckets_are_evicted_without_a_count() {
    let (store, table) = opened(8);
    let quota = quota(1, SECOND, 1);
    let mut counters = Counters::default();
    for n in 0..100 {
        let (identity, now) = (n.to_string(), NOW + n * SECOND);
        take_all(&table, &store, &|| now, &[ask("l", &identity, &quota, 1)], &mut counters)
            .unwrap();
    }
    assert_eq!(counters.live_evictions, 0);
}

#[test]
fn the_first_to_open_decides_seed_and_size() {
    let store = Memory::default();
    let first = Table::open(&store, "p", 64, [1; 16]).unwrap();
    let before = store.dump();
    let second = Table::open(&store, "p", 128, [2; 16]).unwrap();
    assert_eq!((first.slots(), second.slots()), (8, 8));
    assert!(!first.keeps_other_size() && second.keeps_other_size());
    let quota = quota(1, SECOND, 1);
    let request = ask("l", "alice", &quota, 1);
    assert_eq!(place(&first, &request), place(&second, &request));
    assert_eq!(before, store.dump());
    let other = Table::open(&store, "q", 128, [2; 16]).unwrap();
    assert_eq!((other.slots(), other.keeps_other_size()), (16, false));
    assert!(other.slots() <= MAX_SLOTS);
}

#[test]
fn slots_that_are_missing_are_created_by_the_take() {
    let (store, table) = opened(8);
    let quota = quota(1, MINUTE, 1);
    store.remove("tollgate/p/b2/0");
    let request = [ask("l", "alice", &quota, 1)];
    assert!(passes(&take(&table, &store, NOW, &request)));
    assert!(!passes(&take(&table, &store, NOW, &request)));
}

#[test]
fn a_slot_of_another_length_is_counted_and_mended() {
    let (store, table) = opened(8);
    let quota = quota(1, MINUTE, 1);
    let request = [ask("l", "alice", &quota, 1)];
    let mut counters = Counters::default();
    for (value, damaged) in [(vec![], 0), (vec![9; 100], 1)] {
        store.put("tollgate/p/b2/0", &value);
        assert!(passes(&take_all(&table, &store, &|| NOW, &request, &mut counters).unwrap()));
        assert!(!passes(&take(&table, &store, NOW, &request)));
        assert_eq!(counters.damaged, damaged);
    }
    assert_eq!(store.load("tollgate/p/b2/0").unwrap().unwrap().0.len(), 160);
    assert_ne!(CREATE, 0);
}
