//! The rows of the value that a pointer leads to, in each form that servers accept:
//!
//! - an array has as many rows as elements;
//! - an object of arrays or objects (pandas' columns) has as many rows as its longest member;
//! - an array of V2 tensors has as many rows as the largest first dimension ([`super::tensor`]);
//! - labels (the `index` of pandas' `split` form) are an array, an array per level, or the names of an
//!   object.
//!
//! If a document can be read in several ways, the reading with the most rows counts.

use super::tensor::Tensor;
use super::value::Kind;

/// The role of a container in the container around it, whose rows are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Part {
    /// No role.
    #[default]
    None,
    /// A column of an object, or one level of labels.
    Column,
    /// An object in an array: a record or a tensor.
    Record,
    /// The `shape` of a record.
    Shape,
    /// The `data` of a record.
    Data,
}

/// The contents of a container whose rows are counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// The number of arrays in an array, also in the `data` of a tensor.
    pub(super) arrays: u64,
    /// The number of objects in an array.
    objects: u64,
    /// The number of objects that are tensors without other members.
    tensors: u64,
    /// An object has a `shape`.
    pub(super) shaped: bool,
    /// The most rows of a column or tensor.
    pub(super) longest: u64,
}

impl Tally {
    /// The role of an element that begins in an array. `labels`: the array holds labels.
    pub(super) fn element(&mut self, kind: Kind, labels: bool) -> Part {
        match kind {
            Kind::Array => {
                self.arrays = self.arrays.saturating_add(1);
                // pandas has a list of all labels for each level.
                if labels { Part::Column } else { Part::None }
            }
            Kind::Object => {
                self.objects = self.objects.saturating_add(1);
                Part::Record
            }
            _ => Part::None,
        }
    }

    /// So many arrays and records without a `shape` are elements of an array.
    pub(super) fn pass(&mut self, arrays: u64, objects: u64) {
        self.arrays = self.arrays.saturating_add(arrays);
        self.objects = self.objects.saturating_add(objects);
    }

    /// A record of so many members ended.
    pub(super) fn record_ends(&mut self, record: &Tensor, members: u64) {
        self.tensors = self.tensors.saturating_add(u64::from(record.is_pure(members)));
        self.shaped |= record.has_shape();
        self.longest = self.longest.max(record.rows());
    }

    /// The rows of an array of so many elements; `None` if it mixes containers with other values or
    /// arrays with objects, which programs read in different ways.
    pub(super) fn rows_of_array(&self, elements: u64) -> Option<u64> {
        let flat = self.arrays == 0 && self.objects == 0;
        if !flat && self.arrays != elements && self.objects != elements {
            return None;
        }
        // A server may read tensors as records, but not if all are tensors without other members.
        let tensors = self.tensors == elements && elements > 0;
        Some(if tensors { self.longest } else { elements.max(self.longest) })
    }
}
