//! What a scanner has found.

use super::capture::Place;
use super::pointers::Pointers;
use super::scanner::Scanner;
use super::value::Found;

impl Scanner {
    /// The value at each pointer that is not captured, in their order; final after [`Scanner::finish`].
    pub fn found(&self) -> &[Found] {
        &self.watch.found
    }

    /// The JSON of the value at a captured pointer: a string, number or boolean that was read to its end. It is
    /// certain only after [`Scanner::finish`].
    pub fn captured(&self, pointers: &Pointers, pointer: &[String]) -> Option<&[u8]> {
        self.watch.captures.as_ref()?.value(pointers.captured_at(pointer))
    }

    /// The place of the value at a captured pointer, whatever it is; `None` if there is none. It is certain only
    /// after [`Scanner::finish`].
    pub fn place(&self, pointers: &Pointers, pointer: &[String]) -> Option<Place> {
        self.watch.captures.as_ref()?.place(pointers.captured_at(pointer))
    }

    /// [`Scanner::place`] for the captured pointer with this index.
    pub fn place_of(&self, pointers: &Pointers, index: usize) -> Option<Place> {
        self.watch.captures.as_ref()?.place(pointers.captured_as(index))
    }

    /// Whether the captured pointer with this index leads to a member of an object that is there and has none.
    pub fn in_empty_object(&self, pointers: &Pointers, index: usize) -> bool {
        let captures = self.watch.captures.as_ref();
        captures.is_some_and(|captures| captures.lacks(pointers.captured_as(index)))
    }

    /// The value at a pointer that is followed for its kind; final after [`Scanner::finish`].
    pub fn found_at(&self, pointers: &Pointers, pointer: &[String]) -> Found {
        let at = pointers.noted_at(pointer);
        at.and_then(|index| self.found().get(index)).copied().unwrap_or_default()
    }

    /// The number of elements of the document, if it is an array.
    pub fn elements(&self) -> Option<u64> {
        self.watch.elements
    }
}
