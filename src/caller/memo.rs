//! What was judged of a caller before, so that long lists of grants are compared once for each token.

use std::cell::RefCell;
use std::rc::Rc;

use crate::place::Place;
use crate::reason::Reason;

/// The most judgements that a caller keeps.
const MOST: usize = 32;

/// The memory of a full memo in bytes.
pub(super) const BYTES: usize =
    MOST * size_of::<Judged>() + MOST_PLACES * (size_of::<(u32, Kept)>() + KEY_BYTES);

/// About what the key of a slot takes.
const KEY_BYTES: usize = 48;

/// What was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The grants of the rule at this position.
    Rule(u32),
    /// The tiers of the limit at this position.
    Limit(u32),
}

/// The result: the position of an entry, and why it does not hold.
pub(super) type Judgement = (Option<u32>, Option<Reason>);

type Judged = Option<(Topic, Judgement)>;

/// The judgements by topic. Of two topics with one place, the later one is kept.
#[derive(Debug, Default)]
pub(super) struct Memo(RefCell<Vec<Judged>>);

impl Memo {
    /// The judgement on a topic, which is made if it is not known.
    pub(super) fn of(&self, topic: Topic, judge: impl FnOnce() -> Judgement) -> Judgement {
        let (Topic::Rule(number) | Topic::Limit(number)) = topic;
        let half = usize::try_from(number).unwrap_or(0) % (MOST / 2);
        let place = half.saturating_mul(2).saturating_add(matches!(topic, Topic::Limit(_)).into());
        let known = self.0.borrow().get(place).copied().flatten();
        if let Some((_, judgement)) = known.filter(|(known, _)| *known == topic) {
            return judgement;
        }
        let judgement = judge();
        let mut kept = self.0.borrow_mut();
        if kept.len() <= place {
            kept.resize(place.saturating_add(1), None);
        }
        if let Some(place) = kept.get_mut(place) {
            *place = Some((topic, judgement));
        }
        judgement
    }
}

/// The most places that a caller keeps.
const MOST_PLACES: usize = 8;

/// The bucket of a caller under a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The position of the caller's tier.
    pub tier: Option<u32>,
    /// The place of the bucket.
    pub place: Place,
    /// The key of its slot.
    pub key: Rc<str>,
}

/// The buckets by the position of the limit; the first ones are kept.
#[derive(Debug, Default)]
pub(super) struct Places(RefCell<Vec<(u32, Kept)>>);

impl Places {
    /// The bucket under the limit at this position.
    pub(super) fn of(&self, limit: u32) -> Option<Kept> {
        self.0.borrow().iter().find(|(known, _)| *known == limit).map(|(_, kept)| kept.clone())
    }

    /// Keeps it, if it is not known and there is room.
    pub(super) fn keep(&self, limit: u32, kept: Kept) {
        let mut places = self.0.borrow_mut();
        if places.len() < MOST_PLACES && places.iter().all(|(known, _)| *known != limit) {
            places.push((limit, kept));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judgement_is_made_once_unless_its_place_is_taken() {
        let memo = Memo::default();
        let judged = |topic, number| memo.of(topic, || (Some(number), None)).0;
        for (topic, number, want) in [
            (Topic::Rule(0), 1, 1),
            (Topic::Rule(0), 2, 1),
            (Topic::Limit(0), 3, 3),
            (Topic::Rule(0), 4, 1),
            (Topic::Rule(16), 5, 5),
            (Topic::Rule(0), 6, 6),
            (Topic::Limit(0), 7, 3),
            (Topic::Limit(u32::MAX), 8, 8),
        ] {
            assert_eq!(judged(topic, number), Some(want), "{topic:?}");
        }
        assert!(memo.0.borrow().len() <= MOST && BYTES <= 2048);
    }

    #[test]
    fn the_first_places_are_kept() {
        let places = Places::default();
        let place = |slot| Place { slot, fingerprint: 1 };
        let kept = |slot| Kept { tier: None, place: place(slot), key: "k".into() };
        for limit in 0..100 {
            assert_eq!(places.of(limit), None);
            places.keep(limit, kept(limit));
            places.keep(limit, kept(limit + 1));
            assert_eq!(places.of(limit), (limit < 8).then(|| kept(limit)), "{limit}");
        }
    }
}
