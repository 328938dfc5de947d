//! What was judged of a caller before, so that long lists of grants are compared once for each token.

use std::cell::RefCell;

use crate::reason::Reason;

/// The most judgements that a caller keeps.
const MOST: usize = 32;

/// The memory of a full memo in bytes.
pub(super) const BYTES: usize = MOST * size_of::<Kept>();

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

type Kept = Option<(Topic, Judgement)>;

/// The judgements by topic. Of two topics with one place, the later one is kept.
#[derive(Debug, Default)]
pub(super) struct Memo(RefCell<Vec<Kept>>);

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
        assert!(memo.0.borrow().len() <= MOST && BYTES <= 1024);
    }
}
