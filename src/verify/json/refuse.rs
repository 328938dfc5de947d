//! Refuses duplicate members.

use super::reader::{Observer, Place};

/// Refuses a document at its first duplicate member.
pub(super) struct Refuse;

impl Observer for Refuse {
    fn duplicate(&mut self, _: &Place<'_>, _: &str) -> bool {
        false
    }

    fn failed(&mut self, _: &Place<'_>) {}
}
