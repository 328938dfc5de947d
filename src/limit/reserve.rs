//! What a request takes before its response has a cost: the reservation, and the price of a model.

use crate::body::json::value::Found;

/// `limits[].reserve`: the tokens that a request takes when it is let in, settled when its response ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// Where the body names the longest response, as reference tokens of JSON Pointers.
    pub json: Vec<Vec<String>>,
    /// The reservation of a body that names none.
    pub default: u64,
    /// The largest reservation.
    pub max: u64,
    /// The bytes of the body that reserve one token more; `None`: the body itself reserves nothing.
    pub bytes_per_token: Option<u64>,
}

impl Reserve {
    /// The reservation of a body of `bytes` that has these values at the pointers: the largest of them.
    ///
    /// A value that is no number above zero reserves `max`, so that nonsense is never cheaper than the
    /// truth; many servers read zero and negative numbers as no bound.
    pub fn of(&self, values: impl Iterator<Item = Found>, bytes: u64) -> u64 {
        let named = values.filter_map(|value| match value {
            Found::Absent | Found::Null => None,
            Found::Number(number) if number > 0 => Some(number),
            Found::Number(_) | Found::Rows(_) | Found::Other => Some(u64::MAX),
        });
        let response = named.max().unwrap_or(self.default);
        let request = self.bytes_per_token.map_or(0, |each| bytes.div_ceil(each.max(1)));
        response.saturating_add(request).min(self.max)
    }

    /// Whether the reservation depends on the body.
    pub fn reads_body(&self) -> bool {
        !self.json.is_empty() || self.bytes_per_token.is_some()
    }
}

/// `limits[].price`: what a token of each model costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// Where the body names the model, as the reference tokens of a JSON Pointer.
    pub json: Vec<String>,
    /// The models and their prices.
    pub of: Vec<(String, u64)>,
    /// The price of all other models.
    pub default: u64,
}

/// The model of a request and its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priced {
    /// The bucket tokens that one token costs.
    pub times: u64,
    /// The index of the model in [`Price::of`].
    pub model: Option<usize>,
}

impl Default for Priced {
    fn default() -> Self {
        Self { times: 1, model: None }
    }
}

/// The model that a body names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model<'a> {
    /// None.
    Unnamed,
    /// This one.
    Named(&'a str),
    /// A value that is no short text, number or boolean: servers may read any model in it.
    Unclear,
}

impl Price {
    /// The price of a model. A name that a server may take for one of the models, because it ignores letter
    /// case or white space, has the higher price of that model and of the others.
    pub fn of(&self, model: Model<'_>) -> Priced {
        let entry = |name: &str| self.of.iter().enumerate().find(|(_, (of, _))| of == name);
        if let Model::Named(name) = model
            && let Some((index, (_, times))) = entry(name)
        {
            return Priced { times: *times, model: Some(index) };
        }
        let may_mean = |of: &str| match model {
            Model::Unnamed => false,
            Model::Named(name) => core_of(name).eq_ignore_ascii_case(core_of(of)),
            Model::Unclear => true,
        };
        let meant = self.of.iter().filter(|(of, _)| may_mean(of)).map(|(_, times)| *times);
        Priced { times: meant.max().unwrap_or(0).max(self.default), model: None }
    }

    /// The highest price.
    pub fn highest(&self) -> u64 {
        self.of.iter().map(|(_, times)| *times).max().unwrap_or(0).max(self.default)
    }
}

/// A name without the white space (Unicode's, as Python, JavaScript and Go strip it) and the control characters
/// around it.
fn core_of(name: &str) -> &str {
    name.trim_matches(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_reserves_the_largest_number_that_it_names_and_nonsense_the_most() {
        use Found::{Absent, Null, Number, Other};
        let reserve = |bytes_per_token| Reserve {
            json: Vec::new(),
            default: 1_024,
            max: 16_384,
            bytes_per_token,
        };
        for (values, want) in [
            (&[][..], 1_024),
            (&[Absent, Null], 1_024),
            (&[Number(1)], 1),
            (&[Number(300), Absent], 300),
            (&[Number(300), Number(700), Null], 700),
            (&[Number(16_384)], 16_384),
            (&[Number(16_385)], 16_384),
            (&[Number(u64::MAX)], 16_384),
            // 0, -1, and -0.5.
            (&[Number(0)], 16_384),
            (&[Number(5), Number(0)], 16_384),
            // A text, a boolean, an array or an object.
            (&[Other], 16_384),
            (&[Number(5), Other], 16_384),
            (&[Found::Rows(2)], 16_384),
        ] {
            assert_eq!(reserve(None).of(values.iter().copied(), 4_000), want, "{values:?}");
            for (bytes, more) in [(0, 0), (1, 1), (4, 1), (5, 2), (4_000, 1_000)] {
                let with = reserve(Some(4)).of(values.iter().copied(), bytes);
                assert_eq!(with, (want + more).min(16_384), "{values:?} {bytes}");
            }
            assert_eq!(reserve(Some(1)).of(values.iter().copied(), u64::MAX), 16_384);
        }
    }

    #[test]
    fn a_model_that_is_not_named_has_the_default_and_an_unclear_one_the_dearest_price() {
        let of = |list: &[(&str, u64)], default| Price {
            json: vec!["model".into()],
            of: list.iter().map(|(name, times)| ((*name).to_owned(), *times)).collect(),
            default,
        };
        let price = of(&[("gpt-5", 10), ("gpt-5-mini", 1), ("GPT-5", 3)], 2);
        for (model, times, index) in [
            (Model::Named("gpt-5"), 10, Some(0)),
            (Model::Named("gpt-5-mini"), 1, Some(1)),
            (Model::Named("GPT-5"), 3, Some(2)),
            (Model::Named("gpt-6"), 2, None),
            (Model::Named(""), 2, None),
            (Model::Named("gpt-5-MINI"), 2, None),
            (Model::Named("Gpt-5"), 10, None),
            (Model::Named(" gpt-5\n"), 10, None),
            (Model::Named("\u{a0}GPT-5\0"), 10, None),
            (Model::Unnamed, 2, None),
            (Model::Unclear, 10, None),
        ] {
            assert_eq!(price.of(model), Priced { times, model: index }, "{model:?}");
        }
        assert_eq!((price.highest(), of(&[("cheap", 1)], 7).highest()), (10, 7));
        assert_eq!(of(&[("cheap", 1)], 7).of(Model::Unclear).times, 7);
    }
}
