//! The values that a template is filled with.

use std::borrow::Cow;

use super::syntax::Part;

/// The source of the values of a template.
pub trait Scope {
    /// The value of a part; `None` if it has none. [`Part::Text`] is never passed.
    fn value(&self, part: &Part) -> Option<PartValue<'_>>;
}

/// The value of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartValue<'a> {
    /// One text.
    Text(Cow<'a, str>),
    /// The items of a list.
    List(Vec<Cow<'a, str>>),
}
