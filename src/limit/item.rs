//! One limit of a request: where its bucket is, how it was last read, what a take would do.

use std::time::Duration;

use super::gcra::{self, Bucket, Outcome, Taken};
use super::slot::Slot;
use super::table::{Place, Table};
use super::{Mode, Request, Ruling, Standing};
use crate::time::Moment;

/// One limit of a request.
pub(super) struct Item<'a> {
    pub(super) index: usize,
    pub(super) request: Request<'a>,
    pub(super) place: Place,
    /// What was judged, until it is taken.
    pub(super) judged: Option<Judged>,
    pub(super) standing: Standing,
    /// When it was taken, and the bucket as written then.
    pub(super) receipt: Option<(Moment, Bucket)>,
}

/// A slot, and what a take from it at that moment comes to.
#[derive(Clone, Copy)]
pub(super) struct Judged {
    pub(super) loaded: Loaded,
    pub(super) taken: Taken,
    pub(super) now: Moment,
}

#[derive(Clone, Copy)]
pub(super) struct Loaded {
    pub(super) slot: Slot,
    pub(super) version: u32,
}

impl<'a> Item<'a> {
    pub(super) fn new(table: &Table, index: usize, request: &Request<'a>) -> Self {
        Self {
            index,
            request: *request,
            place: table.place(request.limit, Some(request.quota), request.owner),
            judged: None,
            standing: Standing { remaining: 0, reset: Duration::ZERO, ruling: Ruling::Pass },
            receipt: None,
        }
    }

    /// The take on the bucket in `slot`, and whether what is stored there reads differently now.
    /// Notes where the bucket stands after it.
    pub(super) fn spend(&mut self, slot: &Slot, now: Moment) -> (Taken, bool) {
        let mode = self.request.mode;
        let stored = slot.find(self.place.fingerprint);
        let bucket = self.bucket(slot);
        let taken = self.judge(bucket, now);
        self.standing.ruling = match taken.outcome {
            Outcome::Allowed { .. } => Ruling::Pass,
            Outcome::Denied { .. } => Ruling::NotYet,
            Outcome::Never => Ruling::Never,
        };
        match (taken.outcome, mode) {
            (Outcome::Allowed { remaining, reset }, Mode::Take | Mode::Rest) => {
                self.standing = Standing { remaining, reset, ruling: Ruling::Pass };
            }
            _ => self.note(bucket, now),
        }
        let outdated = stored.is_some_and(|way| taken.bucket != way.bucket);
        (taken, outdated)
    }

    fn judge(&self, bucket: Bucket, now: Moment) -> Taken {
        let Request { quota, mode, cost, .. } = self.request;
        match mode {
            Mode::Take => gcra::take(bucket, quota, now, cost),
            Mode::Ask => gcra::take(bucket, quota, now, 1),
            Mode::Rest => {
                let rest = gcra::take(bucket, quota, now, self.amount());
                let passes =
                    cost <= quota.burst() && matches!(rest.outcome, Outcome::Allowed { .. });
                if passes { rest } else { gcra::take(bucket, quota, now, cost) }
            }
        }
    }

    /// How many tokens the item takes where it passes.
    pub(super) fn amount(&self) -> u64 {
        match self.request.mode {
            Mode::Take => self.request.cost,
            Mode::Ask => 0,
            Mode::Rest => self.request.cost.saturating_sub(1),
        }
    }

    /// Notes where the bucket stands with nothing taken.
    pub(super) fn look(&mut self, now: Moment) {
        if let Some(Judged { loaded, .. }) = self.judged {
            self.note(self.bucket(&loaded.slot), now);
        }
    }

    fn note(&mut self, bucket: Bucket, now: Moment) {
        let looked = gcra::take(bucket, self.request.quota, now, 0).outcome;
        if let Outcome::Allowed { remaining, reset } = looked {
            self.standing = Standing { remaining, reset, ..self.standing };
        }
    }

    pub(super) fn bucket(&self, slot: &Slot) -> Bucket {
        slot.find(self.place.fingerprint).map_or_else(Bucket::default, |way| way.bucket)
    }
}
