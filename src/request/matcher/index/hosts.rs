//! Host patterns by the whole host, or by its end.

use super::candidates::{Candidates, Look};
use crate::lookup::{Groups, hash, mix};
use crate::request::host_pattern::HostPattern;

/// The most labels at the end of a host that are looked up.
const MOST_LABELS: usize = 8;

/// The hash of a whole host begins with it, so that it differs from that of an end.
const WHOLE: u64 = 1;

/// Host patterns by numbers.
#[derive(Debug, Default)]
pub struct Hosts {
    groups: Groups,
    any: Vec<u32>,
    longest: usize,
}

impl Hosts {
    /// Lists a pattern; `None`: all hosts.
    #[cold]
    pub fn add(&mut self, host: Option<&HostPattern>, number: u32) {
        let end = |suffix| ends(suffix).last();
        let (start, text) = match host {
            Some(HostPattern::Exact(name)) => (WHOLE, Some(name.as_bytes())),
            Some(HostPattern::Suffix(suffix)) => (0, end(suffix.as_bytes())),
            None => (0, None),
        };
        let Some(text) = text else { return self.any.push(number) };
        self.longest = self.longest.max(text.len());
        self.groups.push(mix(start, hash(text)), number);
    }

    /// Whether any pattern names a host.
    pub(super) fn any(&self) -> bool {
        self.longest > 0
    }
}

impl Look for Hosts {
    fn look<'i>(&'i self, host: &[u8], found: &mut Candidates<'i>) {
        found.add(&self.any);
        if host.len() <= self.longest {
            found.add(self.groups.of(mix(WHOLE, hash(host))));
        }
        for end in ends(host).take_while(|end| end.len() <= self.longest) {
            found.add(self.groups.of(mix(0, hash(end))));
        }
    }
}

/// The ends of a host that begin with a dot, the shortest first.
fn ends(host: &[u8]) -> impl Iterator<Item = &[u8]> {
    let dots = host.iter().enumerate().rev().filter(|(_, byte)| **byte == b'.');
    dots.take(MOST_LABELS).filter_map(|(at, _)| host.get(at..))
}

/// A host that the patterns match which cover this one.
pub(super) fn example(host: &HostPattern) -> String {
    match host {
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Suffix(suffix) => format!("*{suffix}"),
    }
}
