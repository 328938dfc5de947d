//! Objects that are written as objects and as nothing else.

/// Implements `Deserialize` for a struct that derives it with `remote = "Self"`.
///
/// What serde derives also takes a list as the members in order, so `match: []` would be a `match`
/// that asks for nothing. Only a JSON object reaches the derived reader here.
macro_rules! object {
    ($type:ty, $expecting:expr) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Object;

                impl<'de> serde::de::Visitor<'de> for Object {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        map: A,
                    ) -> Result<$type, A::Error> {
                        // The inherent function that `remote` derives, not this one.
                        <$type>::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    }
                }

                deserializer.deserialize_map(Object)
            }
        }
    };
}

pub(super) use object;
