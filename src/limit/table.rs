//! The fixed table of buckets in shared data.
//!
//! Envoy never frees a key of shared data, so an owner is not a key: its hash selects a slot of a table
//! whose size is fixed when the first worker opens it. All workers of the process share a random seed
//! of the hash, so that no client can aim at the slot of another caller.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

pub use super::layout::MAX_SLOTS;
use super::layout::{decode, encode, key_of};
use super::owner::Owner;
use super::quota::Quota;
use super::region::Region;
use super::request::{Request, Which};
use super::slot::{SLOT_BYTES, WAYS};
pub use crate::place::Place;
use crate::store::{CREATE, Store, StoreError, Swap, load};

/// How often the record may be unreadable or contended before opening fails. The first attempt
/// creates it and the second adopts it; more are needed only if several workers replace a damaged
/// record.
const OPEN_TRIES: u32 = 8;

/// The table of buckets of one plugin.
#[derive(Clone)]
pub struct Table {
    prefix: String,
    slots: u32,
    seed: [u8; 16],
    wanted: u32,
}

impl std::fmt::Debug for Table {
    /// Omits the seed, which would allow to aim at slots.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("prefix", &self.prefix).field("slots", &self.slots).finish()
    }
}

impl Table {
    /// Adopts the table of `plugin`, or creates it for `max_identities` buckets of verified callers and
    /// a quarter as many of others, with `random` as its seed.
    ///
    /// The first worker creates the table, and the others adopt its seed and size. A table keeps its
    /// size until the process ends, so that a new configuration never moves a bucket (see
    /// [`Table::keeps_other_size`]). The creator makes every slot before traffic; otherwise, growth of
    /// the host's map would stall all workers later. If it fails midway, the missing slots are made
    /// when they are first written.
    ///
    /// # Errors
    /// The error of the store, or [`StoreError::Damaged`].
    pub fn open(
        store: &dyn Store,
        plugin: &str,
        max_identities: u32,
        random: [u8; 16],
    ) -> Result<Self, StoreError> {
        let key = key_of(plugin, "table");
        let wanted = Self::slots_for(max_identities);
        let table = |slots, seed| Self { prefix: key_of(plugin, "b") + "/", slots, seed, wanted };
        for _ in 0..OPEN_TRIES {
            let stored = load(store, &key)?;
            if let Some((slots, seed)) = stored.as_ref().and_then(|(record, _)| decode(record)) {
                return Ok(table(slots, seed));
            }
            let version = stored.map_or(CREATE, |(_, version)| version);
            if store.swap(&key, &encode(wanted, random), version)? == Swap::Done {
                let created = table(wanted, random);
                created.create_slots(store)?;
                return Ok(created);
            }
        }
        Err(StoreError::Damaged)
    }

    /// The number of slots for `max_identities` buckets: the next power of two, at most [`MAX_SLOTS`].
    ///
    /// A hash fills slots unevenly. If as many owners have a debt at once as the table has ways, about
    /// one in seven evicts another one; at half of that, one in 120.
    pub fn slots_for(max_identities: u32) -> u32 {
        let ways = u32::try_from(WAYS).unwrap_or(u32::MAX);
        max_identities.div_ceil(ways).clamp(1, MAX_SLOTS).next_power_of_two()
    }

    /// The number of slots for verified callers.
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Whether the table has another size than the configuration asks for. A restart of the proxy
    /// applies the new size.
    pub fn keeps_other_size(&self) -> bool {
        self.slots != self.wanted
    }

    /// The place of the bucket of `owner` under `limit` and `quota`. The name of a limit has no NUL and
    /// a quota has a fixed length, so no two of them hash the same bytes.
    pub fn place(&self, limit: &str, quota: Option<&Quota>, owner: Owner<&str>) -> Place {
        let mut hasher = SipHasher13::new_with_key(&self.seed);
        hasher.write(limit.as_bytes());
        hasher.write(&[0]);
        for bytes in quota.map(Quota::bytes).unwrap_or_default() {
            hasher.write(&bytes);
        }
        for bytes in owner.bytes() {
            hasher.write(bytes);
        }
        let hash = hasher.finish128();
        Place { slot: owner.region().slot(hash.h1, self.slots), fingerprint: hash.h2.max(1) }
    }

    /// The place of the bucket that a request names.
    pub fn place_of(&self, request: &Request<'_>) -> Place {
        match request.bucket {
            Which::Of(limit, owner) => self.place(limit, Some(request.quota), owner),
            Which::At(place, _) => place,
        }
    }

    /// The key of a slot.
    pub fn key(&self, slot: u32) -> String {
        [self.prefix.as_str(), itoa::Buffer::new().format(slot)].concat()
    }

    fn create_slots(&self, store: &dyn Store) -> Result<(), StoreError> {
        for slot in 0..Region::all(self.slots) {
            // After a lost race the slot exists.
            store.swap(&self.key(slot), &[0; SLOT_BYTES], CREATE)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn table(slots: u32, seed: u8) -> Table {
        Table { prefix: key_of("p", "b") + "/", slots, seed: [seed; 16], wanted: slots }
    }

    #[test]
    fn the_table_is_the_next_power_of_two_and_bounded() {
        for (identities, slots) in [
            (0, 1),
            (1, 1),
            (8, 1),
            (9, 2),
            (100_000, 16_384),
            (131_072, 16_384),
            (131_073, 32_768),
            (u32::MAX, MAX_SLOTS),
        ] {
            assert_eq!(Table::slots_for(identities), slots, "{identities}");
        }
    }

    #[test]
    fn keys_are_the_prefix_and_the_number() {
        for slot in [0, 7, 10, 99, 100, 16_383, u32::MAX] {
            assert_eq!(table(1, 0).key(slot), format!("tollgate/p/b2/{slot}"));
        }
    }

    fn quota(tokens: u64, burst: u64) -> Quota {
        Quota::new(tokens, Duration::from_secs(3_600), burst).unwrap()
    }

    #[test]
    fn places_depend_on_limit_quota_identity_and_seed() {
        let one = table(1 << 14, 1);
        let ten = quota(10, 10);
        let verified = |limit: &str, quota: Option<Quota>, identity: &str| {
            one.place(limit, quota.as_ref(), Owner::Identity(identity))
        };
        let place = verified("l", Some(ten), "alice");
        assert_eq!(place, verified("l", Some(ten), "alice"));
        assert!(place.slot < 1 << 14 && place.fingerprint != 0);
        for other in [
            verified("l", Some(ten), "bob"),
            verified("m", Some(ten), "alice"),
            verified("la", Some(ten), "lice"),
            verified("l", Some(quota(11, 10)), "alice"),
            verified("l", Some(quota(10, 11)), "alice"),
            verified("l", Some(ten.with_debt()), "alice"),
            verified("l", None, "alice"),
            one.place("l", Some(&ten), Owner::Unverified("alice")),
            one.place("l", Some(&ten), Owner::Address("alice")),
            table(1 << 14, 2).place("l", Some(&ten), Owner::Identity("alice")),
        ] {
            assert_ne!(place.fingerprint, other.fingerprint);
        }
        // One rate in other words is the same one.
        let minutes = Quota::new(1, Duration::from_secs(360), 10).unwrap();
        assert_eq!(place, verified("l", Some(minutes), "alice"));
    }

    /// A module that is updated finds the buckets of the one before it.
    #[test]
    fn the_places_of_this_layout_never_change() {
        let (table, quota) = (table(1 << 14, 7), quota(10, 10));
        for (owner, under_quota, without) in [
            (
                Owner::Identity("p/alice"),
                (14_718, 17_738_440_644_552_229_157),
                (11_661, 13_565_071_912_658_060_944),
            ),
            (
                Owner::Unverified("bob"),
                (19_202, 11_726_195_050_950_166_994),
                (18_857, 10_856_751_248_297_267_555),
            ),
            (
                Owner::Address("192.0.2.1"),
                (16_971, 17_673_752_093_246_396_424),
                (17_275, 7_320_691_480_995_363_468),
            ),
        ] {
            let place = |quota| {
                let Place { slot, fingerprint } = table.place("l", quota, owner);
                (slot, fingerprint)
            };
            assert_eq!((place(Some(&quota)), place(None)), (under_quota, without), "{owner:?}");
        }
    }

    #[test]
    fn debug_output_hides_the_seed() {
        let printed = format!("{:?}", table(4, 171));
        assert!(printed.contains("slots: 4") && !printed.contains("171"), "{printed}");
    }
}
