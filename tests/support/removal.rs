//! The removal of the filter's headers by the proxy itself, before all filters.

use regex::Regex;
use serde_json::{Value, json};

use super::walk::objects;

/// Every byte of a name that is no letter or digit (RFC 9110 §5.6.2): some server folds each.
pub const SEPARATORS: [char; 15] =
    ['-', '_', '.', '~', '!', '#', '$', '%', '&', '\'', '*', '+', '^', '`', '|'];

/// The spellings of a header, in the lower case that filters see: one separator for every `-`, or for
/// one of them.
pub fn spellings(header: &str) -> Vec<String> {
    let places: Vec<_> = header.match_indices('-').map(|(at, _)| at).collect();
    let with = |separator: char| {
        let all = header.replace('-', &separator.to_string());
        let one = |at: &usize| format!("{}{separator}{}", &header[..*at], &header[at + 1..]);
        let ones: Vec<_> = places.iter().map(one).collect();
        [vec![all], ones].concat()
    };
    SEPARATORS.into_iter().flat_map(with).collect()
}

/// The patterns of the headers that an object removes: a connection manager, an EnvoyFilter that
/// changes one, or a ClientTrafficPolicy.
#[derive(Debug)]
pub struct Removal(Vec<Regex>);

impl Removal {
    pub fn of(value: &Value) -> Self {
        let mut texts = Vec::new();
        for object in objects(value) {
            for extension in array(&object["early_header_mutation_extensions"]) {
                let mutations = array(&extension["typed_config"]["mutations"]);
                let text =
                    |m: &Value| m.pointer("/remove_on_match/key_matcher/safe_regex/regex").cloned();
                texts.extend(mutations.iter().filter_map(text));
            }
            let matchers = array(&object["earlyRequestHeaders"]["removeOnMatch"]);
            let is_pattern = |m: &&Value| m["type"] == "RegularExpression";
            texts.extend(matchers.iter().filter(is_pattern).map(|m| m["value"].clone()));
        }
        // Envoy's patterns match whole names.
        let whole =
            |text: &Value| Regex::new(&format!("^(?:{})$", text.as_str().unwrap())).unwrap();
        Self(texts.iter().map(whole).collect())
    }

    /// Whether the proxy removes the header.
    pub fn removes(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(name))
    }

    /// The spellings of these headers, and of one of `x-tollgate-*`, that reach the filters.
    pub fn misses<'h>(&self, headers: impl IntoIterator<Item = &'h str>) -> Vec<String> {
        let headers = headers.into_iter().chain(["x-tollgate-reason"]);
        headers.flat_map(spellings).filter(|name| !self.removes(name)).collect()
    }
}

/// The tag headers of a configuration of the filter, by default those of docs/configuration.md.
pub fn tag_headers(config: &Value) -> Vec<&str> {
    match config["tags"].as_array() {
        Some(tags) => tags.iter().filter_map(|tag| tag["header"].as_str()).collect(),
        None => vec!["x-auth-identity", "x-auth-subject", "x-auth-issuer"],
    }
}

/// The extension that Envoy Gateway makes of `removeOnMatch`.
pub fn of_traffic_policy(policy: &Value) -> Value {
    let matchers = array(&policy["spec"]["headers"]["earlyRequestHeaders"]["removeOnMatch"]);
    let mutation = |matcher: &Value| {
        assert_eq!(matcher["type"], "RegularExpression");
        json!({"remove_on_match": {"key_matcher": {"safe_regex": {"regex": matcher["value"]}}}})
    };
    json!([{
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.\
                      header_mutation.v3.HeaderMutation",
            "mutations": matchers.iter().map(mutation).collect::<Vec<_>>(),
        },
    }])
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
