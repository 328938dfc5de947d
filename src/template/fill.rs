//! Filling templates for tags and for the keys of buckets.

use std::borrow::Cow;

use super::percent;
use super::syntax::{Part, Template};

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

/// A value that is missing in a key. No value reads so, because a `%` inside of one is escaped.
const ABSENT: &str = "%";

/// A piece of a filled template; see [`Template::visit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text of the template itself.
    Text(&'a str),
    /// The text of a part.
    Value(&'a str),
    /// An item of a list.
    Item {
        /// The item.
        text: &'a str,
        /// Whether it is the first item of its list.
        first: bool,
    },
}

impl Template {
    /// Passes each piece of the filled template to `see`, in order. Returns `false` if a part has no
    /// value; the pieces before it have then been passed already.
    pub fn visit(&self, scope: &dyn Scope, see: &mut dyn FnMut(Piece<'_>)) -> bool {
        for part in self.parts() {
            if let Part::Text(text) = part {
                see(Piece::Text(text));
                continue;
            }
            match scope.value(part) {
                None => return false,
                Some(PartValue::Text(text)) => see(Piece::Value(&text)),
                Some(PartValue::List(items)) => {
                    for (index, item) in items.iter().enumerate() {
                        see(Piece::Item { text: item, first: index == 0 });
                    }
                }
            }
        }
        true
    }

    /// Appends the filled template to `out`. Returns `false` and leaves `out` unchanged if a part has
    /// no value. Lists are joined with `,`; a `,` inside an item is written as `%2C`.
    pub fn render(&self, scope: &dyn Scope, out: &mut String) -> bool {
        let start = out.len();
        let whole = self.visit(scope, &mut |piece| match piece {
            Piece::Text(text) | Piece::Value(text) => out.push_str(text),
            Piece::Item { text, first } => {
                if !first {
                    out.push(',');
                }
                percent::encode(text, |c| !matches!(c, '%' | ','), out);
            }
        });
        if !whole {
            out.truncate(start);
        }
        whole
    }

    /// Appends a key that differs for every two fillings of the template: the parts, joined with `/`,
    /// with `/` escaped inside each part. Returns `false` and leaves `out` unchanged if a part has
    /// no value. Only a value of the body may be missing beside other parts, because a caller that leaves it
    /// out would otherwise leave its own bucket; it is [`ABSENT`] then.
    pub fn render_key(&self, scope: &dyn Scope, out: &mut String) -> bool {
        let parts = || self.parts().iter().filter(|part| !part.is_text());
        let several = match parts().count() {
            0 => return self.render(scope, out),
            count => count > 1,
        };
        let start = out.len();
        let of_body = |part: &Part| matches!(part, Part::Body(_));
        let optional = !parts().all(of_body);
        for (index, part) in parts().enumerate() {
            if index > 0 {
                out.push('/');
            }
            let Some(value) = scope.value(part) else {
                if optional && of_body(part) {
                    out.push_str(ABSENT);
                    continue;
                }
                out.truncate(start);
                return false;
            };
            let plain = |c| !(matches!(c, '%' | ',') || several && c == '/');
            match value {
                PartValue::Text(text) => percent::encode(&text, plain, out),
                PartValue::List(items) => {
                    for (index, item) in items.iter().enumerate() {
                        if index > 0 {
                            out.push(',');
                        }
                        percent::encode(item, plain, out);
                    }
                }
            }
        }
        true
    }
}
