//! Interleavings that random tests rarely find: one worker acts between two calls of another.

use std::cell::Cell;

use super::*;

/// Runs `meanwhile` once, before the first call that `at` chooses: (is it a write, its key).
struct Meanwhile<'a, A, F: FnOnce()> {
    inner: &'a Memory,
    at: A,
    meanwhile: Cell<Option<F>>,
}

impl<A: Fn(bool, &str) -> bool, F: FnOnce()> Meanwhile<'_, A, F> {
    fn pass(&self, write: bool, key: &str) {
        if (self.at)(write, key)
            && let Some(meanwhile) = self.meanwhile.take()
        {
            meanwhile();
        }
    }
}

impl<A: Fn(bool, &str) -> bool, F: FnOnce()> Store for Meanwhile<'_, A, F> {
    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
        self.pass(false, key);
        self.inner.load(key)
    }

    fn swap(&self, key: &str, value: &[u8], version: u32) -> Result<Swap, StoreError> {
        self.pass(true, key);
        self.inner.swap(key, value, version)
    }
}

/// Requests of the caller `x` for two limits with these quotas, in the order in which one request takes
/// from them: by their slots. The text is the key of the second one's slot.
fn in_order<'q>(
    table: &Table,
    one: &'q Quota,
    two: &'q Quota,
) -> (Request<'q>, Request<'q>, String) {
    let slot = |name: &str, quota: &Quota| place(table, &ask(name, "x", quota, 1)).slot;
    let names = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"), ("e", "f"), ("f", "e")];
    let ordered = |(first, second): &(&str, &str)| slot(first, one) < slot(second, two);
    let (first, second) = names.into_iter().find(ordered).unwrap();
    let key = format!("tollgate/p/b2/{}", slot(second, two));
    (ask(first, "x", one, 1), ask(second, "x", two, 1), key)
}

/// A take that time has repaid is not repaid again, or it would forgive a later caller's.
#[test]
fn a_late_give_back_forgives_no_other_take() {
    for (elapsed, left) in [(Duration::ZERO, 1), (10 * SECOND, 0), (4 * SECOND, 1)] {
        let (memory, table) = opened(512);
        let (one, two) = (quota(1, 10 * SECOND, 2), quota(1, HOUR, 1));
        let (first, second, second_key) = in_order(&table, &one, &two);
        let now = Cell::new(NOW);
        let store = Meanwhile {
            inner: &memory,
            at: |write, key: &str| write && key == second_key,
            meanwhile: Cell::new(Some(|| {
                // The request holds a token of `first`; others take the last of `second` and, when
                // time has passed, what is in `first` by then.
                assert!(passes(&take(&table, &memory, NOW, &[second])));
                now.set(NOW + elapsed);
                assert!(passes(&take(&table, &memory, now.get(), &[first])));
                if elapsed == 10 * SECOND {
                    assert!(passes(&take(&table, &memory, now.get(), &[first])));
                }
            })),
        };
        let mut counters = Counters::default();
        let answer =
            take_all(&table, &store, &|| now.get(), &[first, second], &mut counters).unwrap();
        assert!(matches!(answer, Answer::Denied { .. }), "{answer:?}");
        assert_eq!(counters.stranded, 0);
        assert_eq!(remaining(&table, &memory, now.get(), first), left, "after {elapsed:?}");
    }
}

/// A moment read before the bucket would look like a clock that stepped back.
#[test]
fn a_slow_worker_does_not_take_a_later_write_for_a_clock_step() {
    let (memory, table) = opened(8);
    let quota = quota(1, SECOND, 10);
    let request = [ask("l", "x", &quota, 1)];
    let drain = [ask("l", "x", &quota, 10)];
    let now = Cell::new(NOW);
    let store = Meanwhile {
        inner: &memory,
        at: |_, _: &str| true,
        meanwhile: Cell::new(Some(|| {
            now.set(NOW + 5 * SECOND);
            assert!(passes(&take(&table, &memory, now.get(), &drain)));
        })),
    };
    let mut counters = Counters::default();
    let answer = take_all(&table, &store, &|| now.get(), &request, &mut counters).unwrap();
    assert_eq!(later(&answer), Some((0, SECOND)));
    assert!(!passes(&take(&table, &memory, NOW + 6 * SECOND - NANO, &request)));
    assert!(passes(&take(&table, &memory, NOW + 6 * SECOND, &request)));
}

#[test]
fn an_untouched_take_is_given_back_whole_however_long_it_took() {
    let (memory, table) = opened(512);
    let (one, two) = (quota(1, 10 * SECOND, 3), quota(1, HOUR, 1));
    let (first, second, second_key) = in_order(&table, &one, &two);
    assert!(passes(&take(&table, &memory, NOW, &[Request { cost: 2, ..first }])));
    let now = Cell::new(NOW);
    let store = Meanwhile {
        inner: &memory,
        at: |write, key: &str| write && key == second_key,
        meanwhile: Cell::new(Some(|| {
            assert!(passes(&take(&table, &memory, NOW, &[second])));
            now.set(NOW + 10 * SECOND);
        })),
    };
    let mut counters = Counters::default();
    let answer = take_all(&table, &store, &|| now.get(), &[first, second], &mut counters).unwrap();
    assert!(matches!(answer, Answer::Denied { .. }), "{answer:?}");
    assert_eq!(remaining(&table, &memory, now.get(), first), 2);
}
