//! Declares the objects and words of the document.

/// Declares an object: the struct, its reader and its schema.
///
/// A member is `name: Type`, or `field = "name": Type` if the name is a keyword of Rust. Keywords of
/// JSON Schema may follow, among them `examples`, which every member has, and two keywords of our own:
/// `required`, and `bounds`, which is appended to the description. In the struct, even required members
/// are optional, so that the compiler reports all absent members at once.
macro_rules! record {
    (
        $(#[doc = $about:literal])*
        $type:ident $({ $($extra:tt)* })? [
            $(
                $(#[doc = $doc:literal])*
                $field:ident $(= $name:literal)?: $of:ty $({ $($keyword:tt)* })?
            ),* $(,)?
        ]
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Default)]
        pub(in crate::config) struct $type {
            $($(#[doc = $doc])* pub(in crate::config) $field: Option<$of>,)*
        }

        impl $crate::config::schema::read::Read for $type {
            fn read(
                value: &serde_json::Value,
                at: &$crate::config::report::At,
                report: &mut $crate::config::report::Report,
            ) -> Option<Self> {
                use $crate::config::schema::{read, record};
                const NAMES: &[&str] = &[$(record::name!($field $($name)?)),*];
                let object = read::object(value, NAMES, at, report)?;
                Some(Self {
                    $($field: read::member(object, record::name!($field $($name)?), at, report),)*
                })
            }

            #[cfg(any(feature = "cli", test))]
            fn schema(
                definitions: &mut serde_json::Map<String, serde_json::Value>,
            ) -> serde_json::Value {
                use $crate::config::schema::{json, read, record};
                let extra = serde_json::json!({ $($($extra)*)? });
                json::object(stringify!($type), &[$($about),*], extra, definitions, |definitions| {
                    vec![$((
                        record::name!($field $($name)?),
                        &[$($doc),*],
                        <$of as read::Read>::schema(definitions),
                        serde_json::json!({ $($($keyword)*)? }),
                    )),*]
                })
            }
        }
    };
}

/// The name of a member: the name of its field unless another one is given.
macro_rules! name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $name:literal) => {
        $name
    };
}

/// Reads a closed set of words into an enum, which is declared as well if the word `enum` is given.
macro_rules! words {
    ($(#[doc = $about:literal])* enum $type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::config) enum $type {
            $(#[doc = $word] $variant),+
        }

        $crate::config::schema::record::words!($type { $($variant = $word),+ });
    };
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $crate::config::schema::read::Read for $type {
            fn read(
                value: &serde_json::Value,
                at: &$crate::config::report::At,
                report: &mut $crate::config::report::Report,
            ) -> Option<Self> {
                let words = [$($word),+];
                let index = $crate::config::schema::read::word(value, &words, at, report)?;
                [$(Self::$variant),+].get(index).copied()
            }

            #[cfg(any(feature = "cli", test))]
            fn schema(_: &mut serde_json::Map<String, serde_json::Value>) -> serde_json::Value {
                serde_json::json!({ "enum": [$($word),+] })
            }
        }
    };
}

pub(super) use {name, record, words};
