//! What a worker remembers of tokens, so that one token is verified once.
//!
//! A token is found by a fast keyed hash and then compared byte by byte, so that nobody is ever
//! taken for somebody else: a hash that repeats costs a verification and no more. Two memories:
//!
//! - Verified tokens, as the caller they stand for. What depends on the moment is judged at each
//!   use: `exp` and `nbf`, whether the provider still has keys, and whether they are the same.
//!   What depends on the request (grants, limits) is not remembered.
//! - Tokens that none of the keys signed which were tried, for a few seconds: a flood of one forged
//!   token costs one verification. No other refusal is remembered; they are cheap, or time can change
//!   them, or they name a caller.

mod lru;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use self::lru::{Key, Lru};
use crate::caller::principal::Caller;
use crate::time::Moment;
use crate::verify::provider::Provider;
use crate::verify::{Attempt, Failure, Keys, VerifyError};

/// How long a wrong signature is remembered: 5 s. Long enough for a flood, short enough that a key
/// which is published late is found.
const REFUSED_FOR: Duration = Duration::from_secs(5);

/// The most wrong signatures that are remembered, and the bytes that they may take.
const MOST_REFUSED: usize = 512;
const MOST_REFUSED_BYTES: usize = 1 << 20;

/// What an entry may take on average, bytes: a token of Entra ID with its parsed claims is twice
/// that, most others less. `token_cache.entries` times this is the bound.
const BYTES_PER_ENTRY: usize = 4096;

/// `token_cache`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// The most tokens that are remembered; 0: none.
    pub entries: u32,
    /// How long one is remembered at most.
    pub max_age: Duration,
}

/// The tokens that one worker remembers.
pub struct TokenCache {
    seed: u64,
    max_age: Duration,
    verified: RefCell<Lru<Verified>>,
    refused: RefCell<Lru<Refused>>,
}

struct Verified {
    caller: Rc<Caller>,
    asked: Asked,
    ends: Moment,
}

struct Refused {
    error: VerifyError,
    provider: Option<usize>,
    attempts: Vec<Attempt>,
    asked: Asked,
    ends: Moment,
}

/// The providers that were asked, and the version of the key set that each had: with others, the
/// verdict may be another.
struct Asked(Vec<(usize, Option<u64>)>);

impl Asked {
    fn of(providers: impl Iterator<Item = usize>, keys: &dyn Keys) -> Self {
        Self(providers.map(|index| (index, keys.version(index))).collect())
    }

    fn is_current(&self, keys: &dyn Keys) -> bool {
        self.0.iter().all(|(index, version)| keys.version(*index) == *version)
    }
}

/// What is known of a token.
pub enum Known<'a> {
    /// It was verified, and its times are good now.
    Verified(Rc<Caller>),
    /// No key signed it, as before.
    Refused(Failure),
    /// Nothing: what is found out may be remembered by this.
    Nothing(Place<'a>),
}

/// Where a token belongs.
#[derive(Clone, Copy)]
pub struct Place<'a>(Key<'a>);

/// How a look at the memory ended; the label of `tollgate_token_cache`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A verified token.
    Hit,
    /// A token with a wrong signature.
    NegativeHit,
    /// An unknown one.
    Miss,
}

impl TokenCache {
    /// `seed`: anything that clients cannot know.
    pub fn new(settings: CacheSettings, seed: u64) -> Self {
        let entries = usize::try_from(settings.entries).unwrap_or(usize::MAX);
        Self {
            seed,
            max_age: settings.max_age,
            verified: RefCell::new(Lru::new(entries, entries.saturating_mul(BYTES_PER_ENTRY))),
            refused: RefCell::new(Lru::new(entries.min(MOST_REFUSED), MOST_REFUSED_BYTES)),
        }
    }

    /// Whether anything is remembered at all.
    pub fn is_on(&self) -> bool {
        !self.max_age.is_zero() && self.verified.borrow().has_room()
    }

    /// What is known of a token at `now`, where a rule of this `provider_class` matched. Which provider
    /// judges a token depends on those that the rule admits, so verdicts are shared only within a class.
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
            let index = entry.caller.claims().provider();
            // Without keys, with others, or at a time that is not the token's, the verifier has to
            // say so: another provider may take it, and who is refused is named by its claims.
            let good = now < entry.ends && entry.asked.is_current(keys);
            let claims = entry.caller.claims();
            let timely = |provider| claims.check_times(provider, now).is_ok();
            if good && providers.get(index).is_some_and(timely) {
                return Known::Verified(Rc::clone(&entry.caller));
            }
            verified.remove(key.hash);
            return Known::Nothing(Place(key));
        }
        let mut refused = self.refused.borrow_mut();
        if let Some(entry) = refused.get(key) {
            if now < entry.ends && entry.asked.is_current(keys) {
                let Refused { error, provider, ref attempts, .. } = *entry;
                let attempts = attempts.clone();
                return Known::Refused(Failure { error, provider, attempts, claims: None });
            }
            refused.remove(key.hash);
        }
        Known::Nothing(Place(key))
    }

    /// Remembers a caller whose token was verified at `now`, after these attempts. Not where time
    /// alone may let a provider take it that refused it.
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
        let before = attempts.iter().map(|attempt| attempt.provider);
        let asked = Asked::of(before.chain([own]), keys);
        let expires = caller.claims().expires(provider).unwrap_or(Moment::MAX);
        let ends = expires.min(now + self.max_age);
        let Place(key) = place;
        // Parsed claims take about twice what they take in the token.
        let bytes = key.token.len().saturating_mul(2).saturating_add(caller.bytes());
        let entry = Verified { caller: Rc::clone(caller), asked, ends };
        self.verified.borrow_mut().insert(key, entry, bytes);
    }

    /// Remembers a refusal, if it is one that neither time nor another request can change.
    pub fn refused(&self, place: Place<'_>, failure: &Failure, keys: &dyn Keys, now: Moment) {
        use VerifyError::{SignatureInvalid, TooManyKeys};
        let Failure { error, provider, ref attempts, .. } = *failure;
        if !matches!(error, SignatureInvalid | TooManyKeys) {
            return;
        }
        let asked = Asked::of(attempts.iter().map(|attempt| attempt.provider), keys);
        let ends = now + REFUSED_FOR;
        let Place(key) = place;
        let bytes = 96_usize.saturating_add(attempts.len().saturating_mul(48));
        let entry = Refused { error, provider, attempts: attempts.clone(), asked, ends };
        self.refused.borrow_mut().insert(key, entry, bytes);
    }
}

/// Mixes the length and the end of a token, eight bytes at a time.
///
/// Tokens end in their signature, which is random: 64 digits of it spread them as well as all of a
/// token would. That somebody can make two tokens with one hash is of no use to anybody: the
/// comparison looks at every byte.
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
    // The map takes its place from the low bits, which a product mixes least.
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests;
