//! A list that has mostly one item, and then needs no memory of its own.

use std::ops::{Deref, DerefMut};
use std::slice;

/// A list that has mostly one item.
#[derive(Clone, Debug)]
pub enum Few<T> {
    /// One item.
    One(T),
    /// Any number of items.
    Many(Vec<T>),
}

impl<T> Few<T> {
    /// Makes an item of each of a list.
    pub fn of<'a, A>(list: &'a [A], mut make: impl FnMut(&'a A) -> T) -> Self {
        match list {
            [one] => Self::One(make(one)),
            list => Self::Many(list.iter().map(make).collect()),
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::One(item) => slice::from_ref(item),
            Self::Many(items) => items,
        }
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::One(item) => slice::from_mut(item),
            Self::Many(items) => items,
        }
    }
}

impl<T> From<Option<T>> for Few<T> {
    fn from(item: Option<T>) -> Self {
        item.map_or_else(Self::default, Self::One)
    }
}

impl<T> From<Few<T>> for Vec<T> {
    fn from(few: Few<T>) -> Self {
        match few {
            Few::One(item) => vec![item],
            Few::Many(items) => items,
        }
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Few<T> {}

#[cfg(test)]
mod tests {
    use super::Few;

    #[test]
    fn a_list_of_any_length_has_its_items_in_order() {
        for length in 0..4 {
            let items: Vec<usize> = (0..length).collect();
            let mut few = Few::of(&items, |item| *item);
            assert_eq!(*few, *items);
            assert_eq!(few, Few::Many(items.clone()));
            assert_eq!(matches!(few, Few::One(_)), length == 1);
            few.iter_mut().for_each(|item| *item += 1);
            assert_eq!(Vec::from(few), items.iter().map(|item| item + 1).collect::<Vec<_>>());
        }
    }
}
