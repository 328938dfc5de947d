//! The request headers that only the filter may write, and the trailers that are removed.

use super::Policy;
use super::rules::Rules;
use crate::limit::cost::Cost;
use crate::request::headers::{Headers, fold, length_bit, same_name};
use crate::request::method::METHOD_OVERRIDES;
use crate::request::token_source::Place;
use crate::template::Part;

/// Headers that replace the path in gunicorn when the proxy runs on the same host
/// (`forwarder_headers`). Only a proxy has a use for them.
const PATH_OVERRIDES: [&str; 2] = ["script-name", "path-info"];

/// Headers that decide how a body is parsed.
const BODY_FORMS: [&str; 2] = ["content-encoding", "content-type"];

/// All headers with this prefix belong to the filter.
const RESERVED_PREFIX: &[u8] = b"x-tollgate-";

/// Whether a header is one of `x-tollgate-*`, in any spelling that a server may treat as equal.
pub(crate) fn is_reserved(name: &[u8]) -> bool {
    matches!(name, [b'x' | b'X', ..])
        && name
            .get(..RESERVED_PREFIX.len())
            .is_some_and(|prefix| same_name(prefix, RESERVED_PREFIX))
}

/// The request headers that only the filter may write, in every spelling (see [`same_name`]).
///
/// They are removed from every request. From trailers, the filter also removes every field that a
/// decision depends on: a server that merges trailers into headers (RFC 9110 §6.5.1) would otherwise
/// read a value that was never checked.
///
/// A value equal to a lent key is removed too. After an internal redirect, the proxy runs its filters
/// again on a request that still carries the headers they wrote, and the new route may lead to
/// another upstream.
#[derive(Debug, Default)]
pub struct OwnedHeaders {
    owned: Names,
    judged: Names,
    lent: LentKeys,
    /// The [`length_bit`]s of the names of headers that are removed.
    lengths: u64,
}

/// Digests and lengths of the lent keys. The length rules most values out. A value is compared by its
/// digest, because the time to compare it with the key itself would depend on how much of it matches.
#[derive(Debug, Default)]
struct LentKeys {
    headers: Names,
    digests: Vec<[u8; 32]>,
    lengths: Vec<usize>,
}

impl LentKeys {
    fn of(rules: &Rules) -> Self {
        let keys = || rules.iter().filter_map(|rule| rule.upstream_authorization.as_ref());
        let values = || keys().map(|key| key.value.expose());
        let digests = values().map(|value| hmac_sha256::Hash::hash(value.as_bytes()));
        Self {
            headers: Names::of(keys().map(|key| key.header.as_str())),
            digests: sorted(digests),
            lengths: sorted(values().map(str::len)),
        }
    }

    fn have(&self, name: &[u8], value: &[u8]) -> bool {
        self.headers.have(name)
            && self.lengths.binary_search(&value.len()).is_ok()
            && self.digests.binary_search(&hmac_sha256::Hash::hash(value)).is_ok()
    }
}

/// The items in order, without duplicates. Inserted one by one, because each type that the standard
/// library sorts adds 10 KB to the module, and these lists are short and built only at load.
fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut list = Vec::new();
    for item in items {
        if let Err(at) = list.binary_search(&item) {
            list.insert(at, item);
        }
    }
    list
}

/// Folded names and the set of their lengths, which rules most headers out.
#[derive(Debug, Default)]
struct Names {
    list: Vec<Vec<u8>>,
    /// The [`length_bit`]s of the names.
    lengths: u64,
}

impl Names {
    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let fold = |name: &str| name.bytes().map(fold).collect();
        let list: Vec<Vec<u8>> = sorted(names.map(fold));
        let lengths = list.iter().fold(0, |bits, name| bits | bit(name.len()));
        Self { list, lengths }
    }

    fn have(&self, name: &[u8]) -> bool {
        self.lengths & bit(name.len()) != 0
            && self.list.iter().any(|known| known.len() == name.len() && same_name(name, known))
    }
}

fn bit(length: usize) -> u64 {
    length_bit(u64::try_from(length).unwrap_or(u64::MAX))
}

impl OwnedHeaders {
    /// Collects the names that a policy writes and those that its decisions depend on.
    pub fn of(policy: &Policy) -> Self {
        let owned = policy.tags.iter().filter_map(|tag| tag.header.as_deref());
        let places = policy.token.from.iter().filter_map(Place::field);
        let rules = policy.rules.iter().flat_map(|rule| {
            let cost = match &rule.cost {
                Cost::Header { name, .. } => Some(name.as_str()),
                Cost::Fixed(_) | Cost::Rows { .. } => None,
            };
            let lent = rule.upstream_authorization.as_ref().map(|key| key.header.as_str());
            let matched = rule.matcher.headers.iter().map(|header| header.name.as_str());
            matched.chain(cost).chain(lent)
        });
        let templates = policy.limits.iter().map(|limit| &limit.key);
        let templates = templates.chain(policy.tags.iter().map(|tag| &tag.value));
        let drawn = templates.flat_map(|template| template.parts()).filter_map(|part| match part {
            Part::Header(name) => Some(name.as_str()),
            _ => None,
        });
        let judged =
            Names::of(places.chain(rules).chain(drawn).chain(METHOD_OVERRIDES).chain(BODY_FORMS));
        let owned = Names::of(owned.chain(PATH_OVERRIDES));
        let lent = LentKeys::of(&policy.rules);
        let reserved = !(bit(RESERVED_PREFIX.len()).wrapping_sub(1));
        let lengths = reserved | owned.lengths | lent.headers.lengths;
        Self { owned, judged, lent, lengths }
    }

    /// Whether only the filter may write this header.
    pub fn owns(&self, name: &[u8]) -> bool {
        is_reserved(name) || self.owned.have(name)
    }

    /// The names, as received, of the headers to remove before any other is written.
    pub fn to_strip<'a>(&'a self, headers: &'a Headers) -> impl Iterator<Item = &'a [u8]> {
        let goes = |(name, value): &(&[u8], &[u8])| self.owns(name) || self.lent.have(name, value);
        headers.of_lengths(self.lengths).filter(goes).map(|(name, _)| name)
    }

    /// The headers without those: decisions are made by the headers that the upstream gets.
    pub fn stripped(&self, headers: &Headers) -> Headers {
        let gone: Vec<&[u8]> = self.to_strip(headers).collect();
        headers.without(|name| gone.contains(&name))
    }

    /// The names, as received, of the trailers to remove.
    pub fn to_strip_late<'a>(&'a self, trailers: &'a Headers) -> impl Iterator<Item = &'a [u8]> {
        let goes = |name: &&[u8]| self.owns(name) || self.judged.have(name);
        trailers.iter().map(|(name, _)| name).filter(goes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Environment};
    use serde_json::json;

    struct Variables;

    impl Environment for Variables {
        fn variable(&self, _: &str) -> Option<String> {
            Some("0123456789abcdef0123456789abcdef".into())
        }
    }

    fn owned() -> OwnedHeaders {
        let document = json!({
            "providers": [{
                "name": "p", "issuers": ["https://issuer.test"], "audiences": "any",
                "keys": {"inline": {"keys": [{
                    "kty": "OKP", "crv": "Ed25519",
                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", // RFC 8037 appendix A.2
                }]}},
            }],
            "token": {"from": [{"header": "x-user-token"}, {"cookie": "session"}]},
            "rules": [{
                "name": "r", "match": {"headers": {"x-plan": "free"}}, "limits": ["l"],
                "cost": {"header": "x-batch", "max": 9},
                "upstream_authorization": {"env": "KEY"},
            }],
            "limits": [{"name": "l", "rate": "1/s", "key": "{@header:x-tenant}"}],
            "tags": [
                {"name": "subject", "value": "{sub}", "header": "x-auth-subject"},
                {"name": "region", "value": "{@header:x-region}"},
            ],
        });
        let policy = config::compile(document.to_string().as_bytes(), &Variables).unwrap().0;
        OwnedHeaders::of(&policy)
    }

    #[test]
    fn every_spelling_of_an_owned_header_is_ours() {
        let owned = owned();
        for name in ["x-auth-subject", "x-tollgate-", "x-tollgate-any"] {
            assert!(owned.owns(name.to_ascii_uppercase().as_bytes()), "{name}");
            for byte in (0..=255_u8).filter(|byte| !byte.is_ascii_alphanumeric()) {
                let other = |b: u8| if b == b'-' { byte } else { b };
                let every: Vec<u8> = name.bytes().map(other).collect();
                let last = name.rfind('-').unwrap();
                let one = [&name.as_bytes()[..last], &[byte], &name.as_bytes()[last + 1..]];
                for spelling in [every, one.concat()] {
                    assert!(owned.owns(&spelling), "{}", spelling.escape_ascii());
                }
            }
        }
        let others = ["x-auth-subject2", "x-auth-subjec", "xauth-subject", "x-auth-subjecu"];
        for name in others.into_iter().chain(["x-tollgat", "xxtollgate-a", "", "x-plan"]) {
            assert!(!owned.owns(name.as_bytes()), "{name}");
        }
    }

    /// gunicorn takes the path below it for that of the request, where the proxy is on its own host.
    #[test]
    fn a_header_that_moves_the_path_never_reaches_the_upstream() {
        for name in ["SCRIPT_NAME", "script_name", "script-name", "Path_Info", "path.info"] {
            assert!(owned().owns(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn stripping_names_each_spelling_as_it_was_received() {
        let owned = owned();
        let headers = Headers::from_pairs(&[
            ("x_auth_subject", "a"),
            ("accept", "b"),
            ("x-auth~subject", "c"),
            ("x-tollgate-reason", "d"),
            ("x-batch", "e"),
        ]);
        let strip: Vec<_> = owned.to_strip(&headers).collect();
        assert_eq!(strip, [&b"x_auth_subject"[..], b"x-auth~subject", b"x-tollgate-reason"]);
    }

    #[test]
    fn a_key_that_was_lent_goes_from_a_request_that_brings_it() {
        let owned = owned();
        let lent = "0123456789abcdef0123456789abcdef";
        for (name, value, goes) in [
            ("authorization", lent, true),
            ("Authorization", lent, true),
            ("authorization", "0123456789abcdef0123456789abcdeg", false),
            ("authorization", "0123456789abcdef0123456789abcde", false),
            ("authorization", "Bearer 0123456789abcdef0123456789abcdef", false),
            ("x-other", lent, false),
        ] {
            let headers = Headers::from_pairs(&[("accept", "a"), (name, value)]);
            let stripped = owned.stripped(&headers);
            assert_eq!(owned.to_strip(&headers).count(), usize::from(goes), "{name}: {value}");
            assert_eq!(stripped.iter().count(), 2 - usize::from(goes), "{name}: {value}");
        }
        assert!(!format!("{owned:?}").contains(lent));
    }

    #[test]
    fn a_trailer_is_no_later_word_on_what_was_decided_by_headers() {
        let owned = owned();
        let stripped = [
            "x-auth-subject",
            "x_auth_subject",
            "x-tollgate-x",
            "x-user-token",
            "x.user.token",
            "cookie",
            "x-plan",
            "x_batch",
            "authorization",
            "x-tenant",
            "x~region",
        ];
        for name in stripped {
            let trailers = Headers::from_pairs(&[(name, "a"), ("grpc-status", "0")]);
            assert_eq!(owned.to_strip_late(&trailers).collect::<Vec<_>>(), [name.as_bytes()]);
        }
        let trailers = Headers::from_pairs(&[("x-checksum", "a"), ("digest", "b")]);
        assert_eq!(owned.to_strip_late(&trailers).count(), 0);
    }

    #[test]
    fn a_name_longer_than_the_filter_of_lengths_is_found() {
        let long = "x".repeat(80);
        let names = Names::of([long.as_str(), "a"].into_iter());
        assert!(names.have(long.to_ascii_uppercase().as_bytes()) && names.have(b"A"));
        assert!(!names.have("x".repeat(81).as_bytes()) && !names.have(b"b") && !names.have(b""));
    }
}
