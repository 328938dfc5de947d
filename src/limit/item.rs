//! One limit of a request: its bucket as last loaded, and the take from it.

use std::borrow::Cow;

use super::answer::{Ruling, Standing};
use super::gcra::{self, Bucket, Outcome, Taken};
use super::request::{Mode, Request, Which};
use super::slot::Slot;
use super::table::{Place, Table};
use crate::time::Moment;

/// One limit of a request.
pub(super) struct Item<'a> {
    pub(super) index: usize,
    pub(super) request: Request<'a>,
    pub(super) place: Place,
    /// The key of the slot.
    pub(super) key: Cow<'a, str>,
    /// The slot as last loaded, and its version.
    pub(super) slot: Slot,
    pub(super) version: u32,
    /// A reading of the clock after the load, and the take at that time.
    pub(super) now: Moment,
    pub(super) taken: Taken,
    /// The time of a take that was written, and the bucket as written.
    pub(super) receipt: Option<(Moment, Bucket)>,
}

impl<'a> Item<'a> {
    pub(super) fn new(table: &Table, index: usize, request: Request<'a>) -> Self {
        let place = table.place_of(&request);
        Self {
            index,
            request,
            place,
            key: match request.bucket {
                Which::Of(..) => table.key(place.slot).into(),
                Which::At(_, key) => key.into(),
            },
            slot: Slot::UNREAD,
            version: 0,
            now: Moment::EPOCH,
            taken: Taken { bucket: Bucket::default(), outcome: Outcome::Never },
            receipt: None,
        }
    }

    /// Computes the take from the slot as loaded.
    pub(super) fn judge(&mut self, now: Moment) {
        let Request { quota, mode, cost, .. } = self.request;
        let bucket = self.bucket();
        let take = |cost| gcra::take(bucket, quota, now, cost);
        self.now = now;
        self.taken = match mode {
            Mode::Take => take(cost),
            Mode::Ask => take(1),
            Mode::Rest => {
                let rest = take(self.amount());
                let passes = matches!(rest.outcome, Outcome::Allowed { .. });
                if passes && cost <= quota.burst() { rest } else { take(cost) }
            }
        };
    }

    /// The tokens that the item takes if it passes.
    pub(super) fn amount(&self) -> u64 {
        match self.request.mode {
            Mode::Take => self.request.cost,
            Mode::Ask => 0,
            Mode::Rest => self.request.cost.saturating_sub(1),
        }
    }

    pub(super) fn passes(&self) -> bool {
        matches!(self.taken.outcome, Outcome::Allowed { .. })
    }

    /// Whether the stored bucket is one from the future and the denial clamped it.
    pub(super) fn is_clamped(&self) -> bool {
        let denied = matches!(self.taken.outcome, Outcome::Denied { .. });
        denied && self.stored().is_some_and(|stored| stored != self.taken.bucket)
    }

    /// The bucket in the loaded slot, if it is there.
    pub(super) fn stored(&self) -> Option<Bucket> {
        self.slot.find(self.place.fingerprint).map(|way| way.bucket)
    }

    /// The bucket as loaded; full if the slot does not contain it.
    pub(super) fn bucket(&self) -> Bucket {
        self.stored().unwrap_or_default()
    }

    /// Where the bucket stands; after the take if the request is `admitted`.
    pub(super) fn standing(&self, admitted: bool) -> Standing {
        let ruling = match self.taken.outcome {
            Outcome::Allowed { .. } => Ruling::Pass,
            Outcome::Denied { retry_after } => Ruling::NotYet(retry_after),
            Outcome::Never => Ruling::Never,
        };
        let (remaining, reset) = match self.taken.outcome {
            Outcome::Allowed { remaining, reset } if admitted && self.request.mode != Mode::Ask => {
                (remaining, reset)
            }
            _ => gcra::look(self.bucket(), self.request.quota, self.now),
        };
        Standing { remaining, reset, ruling }
    }
}
