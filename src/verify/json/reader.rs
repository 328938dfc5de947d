//! Reads JSON text into a value, and leaves duplicate members to the caller.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

/// The position of a value in its document.
#[derive(Clone, Copy)]
pub enum Place<'p> {
    /// The document itself.
    Root,
    /// A member of an object.
    Member(&'p Place<'p>, &'p str),
    /// An item of an array.
    Item(&'p Place<'p>, usize),
}

/// The caller of a reader.
pub trait Observer {
    /// The object at `place` has a second member `name`. If true, it replaces the first; if false, the
    /// document is refused.
    fn duplicate(&mut self, place: &Place<'_>, name: &str) -> bool;

    /// The value at `place` cannot be read. The innermost value comes first.
    fn failed(&mut self, place: &Place<'_>);
}

/// Reads `text`, which must be one JSON value with numbers within `f64` and at most `depth` levels of
/// objects and arrays (at most 127, the limit of `serde_json`).
///
/// # Errors
/// The text is not such a value, or the observer refused a duplicate.
pub fn read(text: &[u8], depth: u8, observer: &mut dyn Observer) -> serde_json::Result<Value> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = Reader { place: &Place::Root, depth, observer }.deserialize(&mut json)?;
    json.end().map(|()| value)
}

/// Reads one value.
struct Reader<'r> {
    place: &'r Place<'r>,
    /// The levels that the value may still have.
    depth: u8,
    observer: &'r mut dyn Observer,
}

impl Reader<'_> {
    fn deeper<E: Error>(&self) -> Result<u8, E> {
        self.depth.checked_sub(1).ok_or_else(|| E::custom("nested too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let Self { place, depth, observer } = self;
        let read = deserializer.deserialize_any(Reader { place, depth, observer: &mut *observer });
        if read.is_err() {
            observer.failed(place);
        }
        read
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let Self { place, observer, .. } = self;
        let mut array = Vec::new();
        loop {
            let place = &Place::Item(place, array.len());
            match items.next_element_seed(Reader { place, depth, observer: &mut *observer })? {
                Some(item) => array.push(item),
                None => return Ok(Value::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let Self { place, observer, .. } = self;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let at = &Place::Member(place, &name);
            let value =
                members.next_value_seed(Reader { place: at, depth, observer: &mut *observer })?;
            match object.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(value);
                }
                Entry::Occupied(mut entry) => {
                    if !observer.duplicate(place, entry.key()) {
                        return Err(A::Error::custom("a duplicate member"));
                    }
                    entry.insert(value);
                }
            }
        }
        Ok(Value::Object(object))
    }
}
