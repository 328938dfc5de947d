//! The attack corpus: tokens that were forged, confused, malformed, or made hostile by an
//! authentic issuer, each with the expected verdict.
//!
//! Families carry the code words of the threat list; every attack that a library or gateway has
//! fallen for is one of them. [`World`] is the configuration they are aimed at.

mod claims;
mod confusion;
mod encoding;
mod header;
mod json;
pub mod key_sets;
mod kid;
pub mod many_keys;
mod signature;
mod times;
pub mod world;

use serde_json::{Value, json};

use super::mint::{self, Signer};
use world::TENANT;
pub use world::World;

/// One token and the verdict on it.
#[derive(Clone)]
pub struct Attack {
    /// The kind of attack.
    pub family: &'static str,
    /// Which of its kind; unique within the family.
    pub name: String,
    /// The token as it arrives; not always UTF-8.
    pub token: Vec<u8>,
    /// The expected verdict.
    pub expect: Expect,
}

/// The verdict that an attack must meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Refused for one of these reasons; more than one where the order of checks is our own affair.
    Refused(&'static [&'static str]),
    /// Refused, for any reason.
    RefusedAny,
    /// Authentic but hostile: it passes, and its values have to arrive sanitised.
    PassesSanitised,
}

impl Attack {
    /// Whether a header field of HTTP/1.1 can carry the token unchanged (RFC 9110 §5.5): no
    /// control bytes, no blanks at its ends, and short enough for Envoy's 60 KiB of headers.
    pub fn fits_a_header(&self) -> bool {
        let blank = |byte: Option<&u8>| byte.is_none_or(|byte| *byte == b' ');
        self.token.iter().all(|byte| *byte >= 0x20 && *byte != 0x7f)
            && !blank(self.token.first())
            && !blank(self.token.last())
            && self.token.len() < 48 * 1024
    }
}

/// Every attack on this world.
pub fn corpus(world: &World) -> Vec<Attack> {
    let mut corpus = Corpus { attacks: Vec::new() };
    header::collect(world, &mut corpus);
    kid::collect(world, &mut corpus);
    confusion::collect(world, &mut corpus);
    json::collect(world, &mut corpus);
    encoding::collect(world, &mut corpus);
    signature::collect(world, &mut corpus);
    claims::collect(world, &mut corpus);
    times::collect(world, &mut corpus);
    corpus.attacks
}

/// Attacks on [`World::entra_providers`]: tenants, and tokens of another use.
pub fn tenants(world: &World) -> Vec<Attack> {
    let mut corpus = Corpus { attacks: Vec::new() };
    claims::collect_tenants(world, &mut corpus);
    corpus.attacks
}

const MALFORMED: &[&str] = &["token_malformed"];
const TOO_LARGE: &[&str] = &["token_too_large"];
const ALGORITHM: &[&str] = &["algorithm_not_allowed"];
const KEY: &[&str] = &["key_unknown"];
const SIGNATURE: &[&str] = &["signature_invalid"];
/// Several keys may have signed a token without a `kid`: all were tried, or they were too many.
const UNNAMED: &[&str] = &["signature_invalid", "key_unknown"];
/// `alg` does not fit the key of that `kid`: either half of the sentence may be blamed.
const UNFIT: &[&str] = &["algorithm_not_allowed", "key_unknown"];
/// Both are wrong, and neither depends on the other.
const TYPE_OR_ALGORITHM: &[&str] = &["type_not_allowed", "algorithm_not_allowed"];
/// A header member of the wrong JSON type is malformed, unless the member's own check comes first.
const ALG_TYPE: &[&str] = &["token_malformed", "algorithm_not_allowed"];
const KID_TYPE: &[&str] = &["token_malformed", "key_unknown"];
const CLAIM: &[&str] = &["claim_malformed"];
const MISSING: &[&str] = &["claim_missing"];
/// Null is a value of the wrong type; a reader of JSON may also take it for none.
const NULL: &[&str] = &["claim_malformed", "claim_missing"];

/// The family whose tokens are well and good until a principal is made of them.
pub const IDENTITY: &str = "identity-empty";

struct Corpus {
    attacks: Vec<Attack>,
}

impl Corpus {
    fn add(
        &mut self,
        family: &'static str,
        name: impl Into<String>,
        token: impl Into<Vec<u8>>,
        expect: Expect,
    ) {
        self.attacks.push(Attack { family, name: name.into(), token: token.into(), expect });
    }

    fn refuse(
        &mut self,
        family: &'static str,
        name: impl Into<String>,
        token: impl Into<Vec<u8>>,
        reasons: &'static [&'static str],
    ) {
        self.add(family, name, token, Expect::Refused(reasons));
    }
}

/// The usual header of a signer with one member set.
fn header_with(signer: &Signer, name: &str, value: Value) -> Value {
    let mut header = json!({"alg": signer.algorithm(), "typ": "JWT", "kid": signer.kid()});
    header[name] = value;
    header
}

/// The claims of an ordinary token with one set.
fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = mint::claims("someone");
    claims[name] = value;
    claims
}

/// The claims of an ordinary token without one.
fn claims_without(name: &str) -> Value {
    let mut claims = mint::claims("someone");
    claims.as_object_mut().unwrap().remove(name);
    claims
}

/// The three parts of a token.
fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<&str> = token.split('.').collect();
    [parts[0], parts[1], parts[2]]
}
