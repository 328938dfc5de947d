//! The first reading of a document: nothing in it may be said twice or left open.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Walks a whole document and refuses duplicate members, of which parsers keep one or the other,
/// and `null`: a section whose content was commented out must not silently become its default.
pub(super) struct Strict {
    /// Key sets come from elsewhere; a `null` in one is for the parser of keys to judge.
    nulls: bool,
}

impl Strict {
    /// The walk from the top of the document.
    pub(super) fn document() -> Self {
        Self { nulls: false }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if self.nulls {
            return Ok(());
        }
        Err(E::custom("null is not a value here; leave the member out to have its default"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Strict { nulls: self.nulls })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let nulls = self.nulls || name == "inline";
            if seen.contains(&name) {
                return Err(A::Error::custom(format_args!("the member `{name}` is given twice")));
            }
            seen.insert(name);
            map.next_value_seed(Strict { nulls })?;
        }
        Ok(())
    }
}
