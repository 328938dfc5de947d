//! Says where a member belongs that stands in the wrong object, as after a wrong indentation in YAML.
//! The module leaves it out; the list of allowed names is enough in a log.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::Problem;
use super::schema::document;

/// Members that stand in more objects say little about where one was meant.
const FEW: usize = 2;

/// The places of each member: ``the top level`` or `` `rules[].match` ``.
static PLACES: LazyLock<BTreeMap<String, Vec<String>>> = LazyLock::new(|| {
    let root = document::document();
    let definitions = root.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut places = BTreeMap::new();
    visit(&root, "", &definitions, &mut places);
    places
});

/// Adds the place of each unknown member that is known elsewhere, unless the message has a likely name.
pub(super) fn add_places(problems: &mut [Problem]) {
    for Problem { path, message } in problems {
        let Some((name, rest)) =
            message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'))
        else {
            continue;
        };
        if !rest.starts_with("; ") {
            continue;
        }
        let object = path.strip_suffix(name).unwrap_or_default().trim_end_matches('.');
        let place = elsewhere(name, object);
        *message = ["unknown field `", name, "`", &place, rest].concat();
    }
}

/// What a message adds to a name that is unknown in the object at this path, but known elsewhere. A
/// place inside of that object is the likeliest.
fn elsewhere(name: &str, path: &str) -> String {
    let Some(places) = PLACES.get(name) else { return String::new() };
    let pattern: String = path.chars().filter(|c| !c.is_ascii_digit()).collect();
    let inside = |place: &&String| place.starts_with(&["`", &pattern].concat());
    let mut likely: Vec<&str> = places.iter().filter(inside).map(String::as_str).collect();
    if pattern.is_empty() || likely.is_empty() {
        likely = places.iter().map(String::as_str).collect();
    }
    match likely.len() > FEW {
        true => String::new(),
        false => [" (it belongs to ", &likely.join(" or "), "; check the indentation)"].concat(),
    }
}

/// Adds the members of all objects that a value with this schema can contain. No object contains
/// one of its own kind, so that the recursion ends.
fn visit(
    schema: &Value,
    path: &str,
    definitions: &Map<String, Value>,
    places: &mut BTreeMap<String, Vec<String>>,
) {
    let named = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next());
    if let Some(definition) = named.and_then(|name| definitions.get(name)) {
        visit(definition, path, definitions, places);
    }
    for choice in ["anyOf", "oneOf"].iter().filter_map(|word| schema.get(word)?.as_array()) {
        choice.iter().for_each(|schema| visit(schema, path, definitions, places));
    }
    if let Some(items) = schema.get("items") {
        visit(items, &[path, "[]"].concat(), definitions, places);
    }
    for (name, member) in schema.get("properties").and_then(Value::as_object).into_iter().flatten()
    {
        let (place, inside) = match path {
            "" => ("the top level".to_owned(), name.clone()),
            _ => (["`", path, "`"].concat(), [path, ".", name].concat()),
        };
        let known = places.entry(name.clone()).or_default();
        if !known.contains(&place) {
            known.push(place);
        }
        visit(member, &inside, definitions, places);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_in_the_wrong_object_is_sent_to_its_own() {
        for (name, path, place) in [
            ("match", "", "`rules[]`"),
            ("paths", "rules[12]", "`rules[].match`"),
            ("uri", "providers[0].keys", "`providers[].keys.remote`"),
            ("cluster", "providers[0]", "`providers[].keys.remote`"),
            ("issuers", "", "`providers[]`"),
            ("telemetry", "rules[0]", "the top level"),
            ("max_rows", "limits[0]", "`rules[].payload`"),
            ("limits", "providers[0]", "the top level or `rules[]`"),
            ("burst", "", "`limits[]` or `limits[].tiers[]`"),
        ] {
            let hint = format!(" (it belongs to {place}; check the indentation)");
            assert_eq!(elsewhere(name, path), hint, "{name} in {path}");
        }
    }

    #[test]
    fn a_likely_name_is_told_without_a_place() {
        let problem =
            |path: &str, message: &str| Problem { path: path.into(), message: message.into() };
        let guessed = "unknown field `jwks_uri` (did you mean `keys`?); expected one of `name`";
        let mut all = [
            problem("providers[0].jwks_uri", guessed),
            problem("rules[3].paths", "unknown field `paths`; expected one of `name`"),
            problem("rules", "is null"),
        ];
        add_places(&mut all);
        let placed = "unknown field `paths` (it belongs to `rules[].match`; check the indentation); \
                      expected one of `name`";
        assert_eq!(all.map(|problem| problem.message), [guessed, placed, "is null"]);
    }

    #[test]
    fn a_member_of_many_objects_and_an_unknown_one_are_sent_nowhere() {
        for name in ["name", "tollgate", ""] {
            assert_eq!(elsewhere(name, ""), "", "{name}");
        }
    }
}
