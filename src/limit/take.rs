//! Takes from all limits of a request or from none.

use std::cmp::Reverse;
use std::time::Duration;

use super::answer::Answer;
use super::counters::Counters;
use super::error::TakeError;
use super::gcra::{self, Outcome};
use super::item::Item;
use super::request::Request;
use super::session::Session;
use super::table::Table;
use crate::few::Few;
use crate::store::{Store, Swap};
use crate::time::Moment;

/// Takes from all limits or from none, as the module documentation describes.
///
/// `clock` is read after each load, not once per request: a reading from before another worker's write
/// would look like a clock that was set back, and the clamp for that case would forgive debt.
///
/// # Errors
/// See [`TakeError`].
pub fn take_all(
    table: &Table,
    store: &dyn Store,
    clock: &dyn Fn() -> Moment,
    requests: &[Request<'_>],
    counters: &mut Counters,
) -> Result<Answer, TakeError> {
    take_each(table, store, clock, requests.iter().copied(), counters)
}

/// The same for requests that stand in no list.
///
/// # Errors
/// See [`TakeError`].
pub fn take_each<'r>(
    table: &Table,
    store: &dyn Store,
    clock: &dyn Fn() -> Moment,
    requests: impl ExactSizeIterator<Item = Request<'r>>,
    counters: &mut Counters,
) -> Result<Answer, TakeError> {
    let alone = requests.len() == 1;
    let mut items = requests.enumerate().map(|(index, request)| Item::new(table, index, request));
    if alone && let Some(item) = items.next() {
        return take_from(&mut [item], store, clock, counters);
    }
    let mut items: Vec<Item<'_>> = items.collect();
    // All requests take in the order of the places.
    items.sort_unstable_by_key(|item| (item.place, item.index));
    take_from(&mut items, store, clock, counters)
}

/// The same for items in the order in which they take.
fn take_from(
    items: &mut [Item<'_>],
    store: &dyn Store,
    clock: &dyn Fn() -> Moment,
    counters: &mut Counters,
) -> Result<Answer, TakeError> {
    let mut session = Session::new(store, clock, items, counters);
    let mut denied = judge(&mut session, items)?;
    while denied.is_none() {
        let taken = take(&mut session, items);
        if taken == Ok(true) {
            break;
        }
        give_back(&mut session, items);
        taken?;
        denied = judge(&mut session, items)?;
    }
    // By index again; a second sort would cost the module more than these few steps.
    let of = |index| items.iter().find(|item| item.index == index);
    let admitted = denied.is_none();
    let standings = match items {
        [item] => Few::One(item.standing(admitted)),
        _ => {
            let items = (0..items.len()).filter_map(of);
            Few::Many(items.map(|item| item.standing(admitted)).collect())
        }
    };
    Ok(match denied {
        None => Answer::Allowed(standings),
        Some(Denied::NotYet { index, retry_after }) => {
            Answer::Denied { index, retry_after, standings }
        }
        Some(Denied::Never { index }) => Answer::Never { index, standings },
    })
}

/// The denial of a request, by the index of its limit.
enum Denied {
    NotYet { index: usize, retry_after: Duration },
    Never { index: usize },
}

/// Step 1: judges every limit on fresh values; `None` if all pass.
fn judge(session: &mut Session<'_>, items: &mut [Item<'_>]) -> Result<Option<Denied>, TakeError> {
    'fresh: loop {
        for item in items.iter_mut() {
            session.load(item)?;
        }
        let now = session.now();
        items.iter_mut().for_each(|item| item.judge(now));
        // The announced time counts from the clamped bucket. Without the write, the next request would
        // clamp it again and be denied at that time.
        for item in items.iter_mut().filter(|item| item.is_clamped()) {
            let clamped = item.taken.bucket;
            if session.write(item, clamped)? == Swap::Lost {
                session.lose()?;
                continue 'fresh;
            }
        }
        return Ok(denial(items));
    }
}

/// The first limit that can never admit the request, or the one with the longest wait.
fn denial(items: &[Item<'_>]) -> Option<Denied> {
    let (mut never, mut longest) = (None, None);
    for Item { index, taken, .. } in items.iter().filter(|item| !item.request.dry_run) {
        match taken.outcome {
            Outcome::Allowed { .. } => {}
            Outcome::Denied { retry_after } => {
                longest = longest.max(Some((retry_after, Reverse(*index))));
            }
            Outcome::Never => never = never.max(Some(Reverse(*index))),
        }
    }
    let not_yet = |(retry_after, Reverse(index))| Denied::NotYet { index, retry_after };
    never.map(|Reverse(index)| Denied::Never { index }).or(longest.map(not_yet))
}

/// Step 2: takes from every limit; `false` if a limit denies by now. Written takes have a receipt.
fn take(session: &mut Session<'_>, items: &mut [Item<'_>]) -> Result<bool, TakeError> {
    let mut written = None;
    for item in items {
        // A slot that this request has written is not as it was loaded.
        let mut outdated = written == Some(item.place.slot);
        loop {
            if outdated {
                session.judge(item)?;
            }
            if !item.passes() && !item.request.dry_run {
                session.lose()?;
                return Ok(false);
            }
            if !item.passes() || item.amount() == 0 {
                break;
            }
            let bucket = item.taken.bucket;
            if session.write(item, bucket)? == Swap::Done {
                item.receipt = Some((item.now, bucket));
                written = Some(item.place.slot);
                break;
            }
            session.lose()?;
            outdated = true;
        }
    }
    Ok(true)
}

/// Gives back every take that has a receipt. A failure is only counted: the caller cannot mend it, and
/// the debt ends with the next refill.
fn give_back(session: &mut Session<'_>, items: &mut [Item<'_>]) {
    for item in items {
        let Some((taken_at, written)) = item.receipt.take() else { continue };
        let returned = session.retry(|session| {
            session.judge(item)?;
            let Some(bucket) = item.stored() else { return Ok(Swap::Done) };
            let elapsed = if bucket == written {
                Duration::ZERO
            } else if item.now < taken_at {
                // The clock was set back: the time that has passed is unknown.
                Duration::MAX
            } else {
                item.now.since(taken_at)
            };
            let quota = item.request.quota;
            session.write(item, gcra::give_back(bucket, quota, item.amount(), elapsed))
        });
        session.counters.stranded += u64::from(!returned);
    }
}
