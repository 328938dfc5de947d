//! Values of the contract that may have more than one JSON type, and texts with a meaning.
//!
//! Each is read by hand: serde's untagged enums forget the path and what was allowed.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use super::RawCostFrom;

/// A list of texts, or the word `any`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) enum AnyOr {
    /// The word.
    Any,
    /// The list.
    Only(Vec<String>),
}

/// A whole number that is not negative.
///
/// A number written as a double is one, too, when it is whole: a document that went through a
/// protobuf `Struct` has no other numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Count(pub(in crate::config) u64);

/// Bytes, or a text such as `64KiB`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) enum Size {
    /// A number.
    Bytes(u64),
    /// A text, not read yet.
    Text(String),
}

/// A text that should be a duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct DurationText(pub(in crate::config) String);

/// A text that should be a rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct RateText(pub(in crate::config) String);

/// `cost`.
#[derive(Debug)]
pub(in crate::config) enum RawCost {
    /// The same for each request.
    Fixed(u64),
    /// Found in the request.
    From(RawCostFrom),
}

/// A text, a number or a truth value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::config) struct Scalar(pub(in crate::config) serde_json::Value);

/// A JSON value that may hold key material and therefore does not print.
pub(in crate::config) struct Secret(pub(in crate::config) serde_json::Value);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(deserializer).map(Self)
    }
}

/// Implements `Deserialize` by the visitor of the same type.
macro_rules! read_by_visitor {
    ($type:ty, $visitor:ident, $expecting:expr, { $($methods:tt)* }) => {
        struct $visitor;

        impl<'de> Visitor<'de> for $visitor {
            type Value = $type;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($expecting)
            }

            $($methods)*
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($visitor)
            }
        }
    };
}

/// A double that is a whole number within what a double holds exactly (2^53).
fn whole(number: f64) -> Option<u64> {
    let fits = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
    fits.then_some(number as u64)
}

read_by_visitor!(AnyOr, AnyOrVisitor, "a list of texts, or the word `any`", {
    fn visit_str<E: Error>(self, text: &str) -> Result<AnyOr, E> {
        match text {
            "any" => Ok(AnyOr::Any),
            other => Err(E::invalid_value(Unexpected::Str(other), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<AnyOr, A::Error> {
        Deserialize::deserialize(SeqAccessDeserializer::new(seq)).map(AnyOr::Only)
    }
});

read_by_visitor!(Count, CountVisitor, "a whole number", {
    fn visit_u64<E: Error>(self, number: u64) -> Result<Count, E> {
        Ok(Count(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Count, E> {
        whole(number).map(Count).ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
    }
});

read_by_visitor!(Size, SizeVisitor, "a size: bytes, or a text such as `64KiB` or `1MiB`", {
    fn visit_u64<E: Error>(self, number: u64) -> Result<Size, E> {
        Ok(Size::Bytes(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Size, E> {
        whole(number)
            .map(Size::Bytes)
            .ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
        Ok(Size::Text(text.to_owned()))
    }
});

read_by_visitor!(
    DurationText,
    DurationVisitor,
    "a duration: a text such as `500ms`, `5s`, `10m` or `1h`",
    {
        fn visit_str<E: Error>(self, text: &str) -> Result<DurationText, E> {
            Ok(DurationText(text.to_owned()))
        }
    }
);

read_by_visitor!(RateText, RateVisitor, "a rate: a text such as `10/s` or `100/15m`", {
    fn visit_str<E: Error>(self, text: &str) -> Result<RateText, E> {
        Ok(RateText(text.to_owned()))
    }
});

read_by_visitor!(RawCost, CostVisitor, "a whole number, or an object with header or json_rows", {
    fn visit_u64<E: Error>(self, number: u64) -> Result<RawCost, E> {
        Ok(RawCost::Fixed(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<RawCost, E> {
        whole(number)
            .map(RawCost::Fixed)
            .ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawCost, A::Error> {
        Deserialize::deserialize(MapAccessDeserializer::new(map)).map(RawCost::From)
    }
});

read_by_visitor!(Scalar, ScalarVisitor, "a text, a number, true or false", {
    fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar(value.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar(number.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar(text.into()))
    }
});
