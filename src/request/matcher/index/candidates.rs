//! The numbers that several lookups have found.

/// The most lists of all lookups: a request is found in one list for each form of path that its path has, for each
/// end of its host, for its method, and for each of its headers that rules name. They are few, and their memory is
/// written for each request.
const MOST_LISTS: usize = 32;

/// The most lookups: path, host, method and headers.
const MOST_LOOKUPS: usize = 4;

/// Patterns by numbers, of which those are found that may match a text.
pub trait Look {
    /// Looks the text up. Each pattern that matches is found.
    fn look<'i>(&'i self, text: &[u8], found: &mut Candidates<'i>);
}

/// The positions of the patterns that may match a request, in order: those that each lookup has found.
pub struct Candidates<'i> {
    /// What is left of the lists, those of one lookup beside each other.
    lists: [&'i [u32]; MOST_LISTS],
    /// How many there are.
    used: usize,
    /// Whether the lookup that goes on has found too many.
    full: bool,
    /// Where the lists of each lookup end.
    ends: [usize; MOST_LOOKUPS],
    lookups: usize,
    next: u32,
}

/// All numbers, until a lookup has ended.
impl Default for Candidates<'_> {
    fn default() -> Self {
        Self {
            lists: [&[]; MOST_LISTS],
            used: 0,
            full: false,
            ends: [0; MOST_LOOKUPS],
            lookups: 0,
            next: 0,
        }
    }
}

impl<'i> Candidates<'i> {
    /// Adds what a lookup has found: numbers in ascending order.
    #[inline(never)]
    pub fn add(&mut self, list: &'i [u32]) {
        // A value that is no list is looked up twice.
        let known = self.used.checked_sub(1).and_then(|last| self.lists.get(last));
        if list.is_empty() || known.is_some_and(|known| std::ptr::eq(*known, list)) {
            return;
        }
        match self.lists.get_mut(self.used) {
            Some(free) => {
                *free = list;
                self.used = self.used.saturating_add(1);
            }
            None => self.full = true,
        }
    }

    /// Ends a lookup. One with too many lists counts for nothing: what it finds is not known.
    #[inline(never)]
    pub fn end(&mut self) {
        if self.full {
            self.used = self.start_of(self.lookups);
            self.full = false;
        } else if let Some(end) = self.ends.get_mut(self.lookups) {
            *end = self.used;
            self.lookups = self.lookups.saturating_add(1);
        }
    }

    fn start_of(&self, lookup: usize) -> usize {
        let before = lookup.checked_sub(1).and_then(|before| self.ends.get(before));
        before.copied().unwrap_or(0)
    }

    /// The least number that a lookup has found and that is not below `from`. Later calls ask for no lower ones.
    fn first_from(&mut self, lookup: usize, from: u32) -> Option<u32> {
        let (start, end) = (self.start_of(lookup), self.ends.get(lookup).copied()?);
        let mut least = None;
        for list in self.lists.get_mut(start..end)? {
            let below = match list.first() {
                Some(first) if *first < from => list.partition_point(|number| *number < from),
                _ => 0,
            };
            *list = list.get(below..).unwrap_or_default();
            if let Some(first) = list.first() {
                least = Some(least.map_or(*first, |least: u32| least.min(*first)));
            }
        }
        least
    }
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let (mut number, mut lookup, mut agreeing) = (self.next, 0, 0_usize);
        while agreeing < self.lookups {
            let first = self.first_from(lookup, number)?;
            agreeing = if first == number { agreeing.saturating_add(1) } else { 1 };
            number = first;
            lookup = lookup.saturating_add(1);
            if lookup == self.lookups {
                lookup = 0;
            }
        }
        self.next = number.saturating_add(1);
        usize::try_from(number).ok()
    }
}
