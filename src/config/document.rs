//! The first reading of a document: JSON text becomes a tree of values with one meaning.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::report::{At, Report};

/// Reads the text. Duplicate members, of which parsers keep one or the other, are noted, and so is
/// `null`: a section whose content was commented out must not silently become its default.
///
/// `None`, with its one problem, when the text is not JSON.
pub(super) fn read(text: &[u8], report: &mut Report) -> Option<Value> {
    let mut broken = None;
    let mut json = serde_json::Deserializer::from_slice(text);
    let root = At::root();
    let reader = Reader { at: &root, nulls: false, broken: &mut broken, report };
    let read = reader.deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    match read {
        Ok(value) => Some(value),
        Err(error) => {
            report.problem(broken.as_ref().unwrap_or(&root), error);
            None
        }
    }
}

/// Reads one value.
struct Reader<'r> {
    at: &'r At,
    /// Key sets come from elsewhere; a `null` in one is for the parser of keys to judge.
    nulls: bool,
    /// The innermost value that could not be read.
    broken: &'r mut Option<At>,
    report: &'r mut Report,
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let Self { at, nulls, broken, report } = self;
        let read = deserializer.deserialize_any(Reader { at, nulls, broken, report });
        if read.is_err() && broken.is_none() {
            *broken = Some(at.clone());
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
        if !self.nulls {
            let message = "null is not a value here; leave the member out to have its default";
            self.report.problem(self.at, message);
        }
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
        let Self { at, nulls, broken, report } = self;
        let mut list = Vec::new();
        loop {
            let at = at.index(list.len());
            let reader = Reader { at: &at, nulls, broken, report };
            match items.next_element_seed(reader)? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let Self { at, nulls, broken, report } = self;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                report.problem(at, format_args!("the member `{name}` is given twice"));
            }
            let nulls = nulls || name == "inline";
            let at = at.field(&name);
            let value = members.next_value_seed(Reader { at: &at, nulls, broken, report })?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}
