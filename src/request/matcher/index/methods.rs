//! Methods by their names.

use super::candidates::{Candidates, Look};
use crate::lookup::{Groups, hash};

/// Methods by numbers.
#[derive(Debug, Default)]
pub struct Methods {
    groups: Groups,
    any: Vec<u32>,
    named: bool,
}

impl Methods {
    /// Lists a method; `None`: all of them.
    #[cold]
    pub fn add(&mut self, method: Option<&str>, number: u32) {
        match method {
            None => self.any.push(number),
            Some(method) => {
                self.named = true;
                self.groups.push(hash(method.as_bytes()), number);
            }
        }
    }

    /// Whether any is named.
    pub(super) fn any(&self) -> bool {
        self.named
    }
}

impl Look for Methods {
    fn look<'i>(&'i self, method: &[u8], found: &mut Candidates<'i>) {
        found.add(&self.any);
        found.add(self.groups.of(hash(method)));
    }
}
