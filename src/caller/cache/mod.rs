//! The token cache of a worker, so that each token is verified once.
//!
//! The cache finds a token by a fast keyed hash and then compares every byte. A hash collision
//! therefore costs one verification and never confuses two callers. There are two maps:
//!
//! - Verified tokens with their callers. `exp`, `nbf` and the version of the provider's keys are
//!   checked on every hit. Results that depend on the request (grants, limits) are not cached.
//! - Tokens with a wrong signature, for a few seconds: a flood of one forged token costs one
//!   verification. Other refusals are not cached; they are cheap, or time can change them, or they
//!   name a caller.

mod ring;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use self::ring::{Key, Ring};
use crate::caller::principal::Caller;
use crate::time::Moment;
use crate::verify::provider::Provider;
use crate::verify::{Attempt, Failure, Keys, Stage, VerifyError};

/// How long a wrong signature is cached: long enough for a flood, and short enough that a key which is
/// published late is found.
const REFUSED_FOR: Duration = Duration::from_secs(5);

/// The maximum number of cached wrong signatures, and their maximum size in bytes.
const MOST_REFUSED: usize = 512;
const MOST_REFUSED_BYTES: usize = 1 << 20;

/// The average size of an entry in bytes: a token of Entra ID with its parsed claims has twice that, most
/// others have less. The maximum size of the cache is `token_cache.entries` times this.
const BYTES_PER_ENTRY: usize = 4096;

/// `token_cache`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// The maximum number of verified tokens; 0 disables the cache.
    pub entries: u32,
    /// The maximum time that a verified token stays in the cache.
    pub max_age: Duration,
}

/// The cache of one worker.
pub struct TokenCache {
    seed: u64,
    max_age: Duration,
    verified: RefCell<Ring<Verdict<Rc<Caller>>>>,
    refused: RefCell<Ring<Verdict<Refusal>>>,
}

/// A cached verdict.
struct Verdict<V> {
    value: V,
    /// The providers that were tried, with the versions of their key sets. With other versions, the
    /// verdict may differ.
    asked: Vec<(usize, Option<u64>)>,
    ends: Moment,
}

impl<V> Verdict<V> {
    fn of(value: V, providers: impl Iterator<Item = usize>, keys: &dyn Keys, ends: Moment) -> Self {
        let asked = providers.map(|index| (index, keys.version(index))).collect();
        Self { value, asked, ends }
    }

    fn is_current(&self, keys: &dyn Keys, now: Moment) -> bool {
        let same = |(index, version): &(usize, Option<u64>)| keys.version(*index) == *version;
        now < self.ends && self.asked.iter().all(same)
    }
}

/// The parts of a [`Failure`] without claims.
struct Refusal {
    error: VerifyError,
    provider: Option<usize>,
    attempts: Vec<Attempt>,
}

/// The result of a lookup.
pub enum Known<'a> {
    /// The token was verified, and its times are valid now.
    Verified(Rc<Caller>),
    /// The token has a wrong signature.
    Refused(Failure),
    /// The token is not in the cache; its verdict can be stored with this key.
    Nothing(Place<'a>),
}

/// The key of a token that was looked up.
#[derive(Clone, Copy)]
pub struct Place<'a>(Key<'a>);

/// The kind of result of a lookup; the label of `tollgate_token_cache`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A verified token.
    Hit,
    /// A token with a wrong signature.
    NegativeHit,
    /// A token that is not in the cache.
    Miss,
}

impl TokenCache {
    /// An empty cache. Clients must not be able to guess `seed`.
    pub fn new(settings: CacheSettings, seed: u64) -> Self {
        let entries = usize::try_from(settings.entries).unwrap_or(usize::MAX);
        Self {
            seed,
            max_age: settings.max_age,
            verified: RefCell::new(Ring::new(entries, entries.saturating_mul(BYTES_PER_ENTRY))),
            refused: RefCell::new(Ring::new(entries.min(MOST_REFUSED), MOST_REFUSED_BYTES)),
        }
    }

    /// Whether the cache is enabled.
    pub fn is_on(&self) -> bool {
        !self.max_age.is_zero() && self.verified.borrow().has_room()
    }

    /// Looks a token up at `now`. `class` is the `provider_class` of the matching rule: the verdict can
    /// depend on the providers that the rule admits, so that only rules of one class share it.
    pub fn look<'a>(
        &self,
        token: &'a [u8],
        class: u32,
        providers: &[Provider],
        keys: &dyn Keys,
        now: Moment,
    ) -> Known<'a> {
        let key = Key { hash: hash(self.seed ^ u64::from(class), token), class, token };
        let mut verified = self.verified.borrow_mut();
        if let Some(entry) = verified.get(key) {
            // After a change of keys, or if the token is expired, the verifier decides: another
            // provider may accept the token, and a refusal names the caller by its claims.
            let claims = entry.value.claims();
            let timely = |provider| claims.check_times(provider, now).is_ok();
            let provider = providers.get(claims.provider());
            if entry.is_current(keys, now) && provider.is_some_and(timely) {
                return Known::Verified(Rc::clone(&entry.value));
            }
            verified.remove(key.hash);
            return Known::Nothing(Place(key));
        }
        let mut refused = self.refused.borrow_mut();
        if let Some(entry) = refused.get(key) {
            if entry.is_current(keys, now) {
                let Refusal { error, provider, ref attempts } = entry.value;
                let attempts = attempts.clone();
                return Known::Refused(Failure { error, provider, attempts, claims: None });
            }
            refused.remove(key.hash);
        }
        Known::Nothing(Place(key))
    }

    /// Stores a caller whose token was verified at `now`, after these attempts; not if one of these
    /// providers may accept the token later.
    pub fn verified(
        &self,
        place: Place<'_>,
        (caller, attempts): (&Rc<Caller>, &[Attempt]),
        provider: &Provider,
        keys: &dyn Keys,
        now: Moment,
    ) {
        use VerifyError::{IssuedInFuture, NotYetValid};
        let early = |attempt: &Attempt| matches!(attempt.error, NotYetValid | IssuedInFuture);
        if attempts.iter().any(early) {
            return;
        }
        let own = caller.claims().provider();
        // A provider that refuses the content of a token refuses it with any keys.
        let of_keys = attempts.iter().filter(|attempt| attempt.error.stage() <= Stage::Signature);
        let before = of_keys.map(|attempt| attempt.provider);
        let expires = caller.claims().expires(provider).unwrap_or(Moment::MAX);
        let ends = expires.min(now + self.max_age);
        let Place(key) = place;
        let bytes = key.token.len().saturating_add(caller.bytes());
        let entry = Verdict::of(Rc::clone(caller), before.chain([own]), keys, ends);
        self.verified.borrow_mut().insert(key, entry, bytes);
    }

    /// Stores a refusal that neither time nor another request can change.
    pub fn refused(&self, place: Place<'_>, failure: &Failure, keys: &dyn Keys, now: Moment) {
        use VerifyError::{SignatureInvalid, TooManyKeys};
        let Failure { error, provider, ref attempts, .. } = *failure;
        if !matches!(error, SignatureInvalid | TooManyKeys) {
            return;
        }
        let asked = attempts.iter().map(|attempt| attempt.provider);
        let Place(key) = place;
        let bytes = 96_usize.saturating_add(attempts.len().saturating_mul(48));
        let refusal = Refusal { error, provider, attempts: attempts.clone() };
        let entry = Verdict::of(refusal, asked, keys, now + REFUSED_FOR);
        self.refused.borrow_mut().insert(key, entry, bytes);
    }
}

/// Hashes the length and the end of a token, eight bytes at a time.
///
/// A token ends with its signature, which is random, so that its last 64 bytes distribute as well as the
/// whole token. An attacker gains nothing from two tokens with the same hash, because the cache compares
/// every byte.
fn hash(seed: u64, token: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    const END: usize = 64;
    let mix = |hash: u64, word: u64| (hash.rotate_left(29) ^ word).wrapping_mul(ODD);
    let end = token.get(token.len().saturating_sub(END)..).unwrap_or_default();
    let (words, rest) = end.as_chunks::<8>();
    let rest = rest.iter().fold(0, |rest, byte| rest << 8 | u64::from(*byte));
    let length = mix(seed, u64::try_from(token.len()).unwrap_or(0));
    let hash = words.iter().fold(length, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let hash = mix(hash, rest);
    // The map uses the low bits, which a product mixes least.
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests;
