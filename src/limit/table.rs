//! The fixed table of buckets in shared data.
//!
//! Envoy never frees a shared-data key, so identities are not keys: they are hashed into a table
//! whose size is settled when the first worker opens it. The hash is keyed by a random seed that
//! all workers of the process share, so that nobody outside can aim at somebody's slot.
//!
//! Whoever has no token can come from as many addresses as it likes. Buckets that are not kept by
//! verified claims therefore have slots of their own ([`Region`]), and evict only each other.
//!
//! # Layouts
//!
//! While a module is upgraded, VMs of the old one and of the new one serve side by side, and share one
//! map. The layout of what is stored is part of every key, so that neither reads what the other wrote:
//! each has its own table, in which every limit holds. A change of the record, of the slots, or of
//! what places a bucket is a new layout.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

use super::owner::Owner;
use super::quota::Quota;
use super::slot::{SLOT_BYTES, WAYS};
use crate::store::{CREATE, Store, StoreError, Swap, load};

/// The most slots a table may have: 2²¹, which is 16.8 M buckets in 340 MB, and a quarter on top.
pub const MAX_SLOTS: u32 = 1 << 21;

/// How often the record may be found unreadable or contended before opening fails. The first try
/// creates, the second adopts; more happen only while several workers replace a damaged record.
const OPEN_TRIES: u32 = 8;

/// First bytes of the record; the digit is the layout, see [`key_of`].
const MAGIC: [u8; 4] = *b"tgb2";

/// The beginning of the keys of one kind of data of one plugin, under the layout of this module.
pub(crate) fn key_of(plugin: &str, kind: &str) -> String {
    format!("tollgate/{plugin}/{kind}2")
}

/// Where the buckets of one plugin are.
#[derive(Clone)]
pub struct Table {
    prefix: String,
    slots: u32,
    seed: [u8; 16],
    wanted: u32,
}

/// Which buckets evict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// Those of callers that a verified token names.
    Verified,
    /// Those that a request without a token can fill: kept by an address, a header, a text.
    Open,
}

/// The place of one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which slot.
    pub slot: u32,
    /// Which bucket in it; never 0.
    pub fingerprint: u64,
}

impl std::fmt::Debug for Table {
    /// Without the seed: with it, slots could be aimed at.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("prefix", &self.prefix).field("slots", &self.slots).finish()
    }
}

impl Table {
    /// Adopts the table of `plugin`, or creates it for `max_identities` buckets with `random` as
    /// its seed; a quarter as many slots besides are those of [`Region::Open`].
    ///
    /// The first worker wins, and the others take over its seed and size. An existing table keeps
    /// its size for the life of the process, so that a config push never moves a bucket;
    /// [`Table::keeps_other_size`] tells. The creator makes every slot at once, before traffic:
    /// later, one growth of the host's map would stall all workers. Slots that are missing all the
    /// same (a creator that died midway) are made when first taken from.
    ///
    /// # Errors
    /// What the store answered, or [`StoreError::Damaged`].
    pub fn open(
        store: &dyn Store,
        plugin: &str,
        max_identities: u32,
        random: [u8; 16],
    ) -> Result<Self, StoreError> {
        let key = key_of(plugin, "table");
        let wanted = Self::slots_for(max_identities);
        let prefix = key_of(plugin, "b") + "/";
        let mut table = Self { prefix, slots: wanted, seed: random, wanted };
        for _ in 0..OPEN_TRIES {
            let version = match load(store, &key)? {
                None => CREATE,
                Some((record, version)) => match decode(&record) {
                    Some((slots, seed)) => {
                        (table.slots, table.seed) = (slots, seed);
                        return Ok(table);
                    }
                    None => version,
                },
            };
            if store.swap(&key, &encode(wanted, random), version)? == Swap::Done {
                table.create_slots(store)?;
                return Ok(table);
            }
        }
        Err(StoreError::Damaged)
    }

    /// How many slots hold `max_identities` buckets: the next power of two, at most [`MAX_SLOTS`].
    ///
    /// Hashing fills slots unevenly. While as many identities owe at once as the table has ways,
    /// about one in seven finds its slot full and evicts; at half of that it is one in 120.
    #[must_use]
    pub fn slots_for(max_identities: u32) -> u32 {
        let ways = u32::try_from(WAYS).unwrap_or(u32::MAX);
        max_identities.div_ceil(ways).clamp(1, MAX_SLOTS).next_power_of_two()
    }

    /// How many slots [`Region::Verified`] has.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Whether the table was created with another size than now asked for. A restart of the proxy
    /// applies the new one.
    #[must_use]
    pub fn keeps_other_size(&self) -> bool {
        self.slots != self.wanted
    }

    /// Where the bucket of `owner` under `limit` and `quota` is. A limit's name has no NUL and a quota
    /// has one length, so that no two of them read the same.
    #[must_use]
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

    /// Writes the key of `slot` into `key`, whose storage is used again.
    pub fn write_key(&self, slot: u32, key: &mut String) {
        key.clear();
        key.push_str(&self.prefix);
        key.push_str(itoa::Buffer::new().format(slot));
    }

    fn create_slots(&self, store: &dyn Store) -> Result<(), StoreError> {
        let mut key = String::new();
        for slot in 0..Region::all(self.slots) {
            self.write_key(slot, &mut key);
            // Lost means that the slot is there, which is all that is wanted.
            store.swap(&key, &[0; SLOT_BYTES], CREATE)?;
        }
        Ok(())
    }
}

impl Region {
    /// How many slots both regions have together, where [`Region::Verified`] has `slots`.
    pub(crate) fn all(slots: u32) -> u32 {
        slots.saturating_add(Self::open(slots))
    }

    /// The slot of a hash, where [`Region::Verified`] has `slots`, a power of two.
    pub(crate) fn slot(self, hash: u64, slots: u32) -> u32 {
        // The mask leaves 21 bits at most.
        let within = |size: u32| u32::try_from(hash & u64::from(size - 1)).unwrap_or(0);
        match self {
            Self::Verified => within(slots),
            Self::Open => slots.saturating_add(within(Self::open(slots))),
        }
    }

    /// A quarter, and a power of two as well.
    fn open(slots: u32) -> u32 {
        (slots / 4).max(1)
    }
}

/// The record: magic, slots as `u32` LE, seed.
fn encode(slots: u32, seed: [u8; 16]) -> [u8; 24] {
    let [m0, m1, m2, m3] = MAGIC;
    let [s0, s1, s2, s3] = slots.to_le_bytes();
    let mut record =
        [m0, m1, m2, m3, s0, s1, s2, s3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (byte, part) in record.iter_mut().skip(8).zip(seed) {
        *byte = part;
    }
    record
}

/// The slots and seed of a record, None for anything that [`encode`] does not write.
fn decode(record: &[u8]) -> Option<(u32, [u8; 16])> {
    let rest = record.strip_prefix(&MAGIC)?;
    let (slots, seed) = rest.split_first_chunk::<4>()?;
    let slots = u32::from_le_bytes(*slots);
    let fits = slots.is_power_of_two() && slots <= MAX_SLOTS;
    Some((slots, seed.try_into().ok()?)).filter(|_| fits)
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
        let mut key = String::from("left over");
        for slot in [0, 7, 10, 99, 100, 16_383, u32::MAX] {
            table(1, 0).write_key(slot, &mut key);
            assert_eq!(key, format!("tollgate/p/b2/{slot}"));
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
    fn the_regions_have_slots_of_their_own() {
        for slots in [1, 2, 4, 8, 1 << 14, MAX_SLOTS] {
            let open = (slots / 4).max(1);
            assert_eq!(Region::all(slots), slots + open);
            for hash in [0, 1, 7, u64::MAX, 0x1234_5678_9abc_def0] {
                assert!(Region::Verified.slot(hash, slots) < slots);
                assert!((slots..slots + open).contains(&Region::Open.slot(hash, slots)));
            }
        }
    }

    #[test]
    fn only_a_record_as_written_is_adopted() {
        let good = encode(1 << 14, [7; 16]);
        assert_eq!(decode(&good), Some((1 << 14, [7; 16])));
        assert_eq!(decode(&good[..23]), None);
        assert_eq!(decode(&[&good[..], &[0]].concat()), None);
        for slots in [0, 3, MAX_SLOTS * 2] {
            assert_eq!(decode(&encode(slots, [7; 16])), None);
        }
    }

    #[test]
    fn debug_output_hides_the_seed() {
        let printed = format!("{:?}", table(4, 171));
        assert!(printed.contains("slots: 4") && !printed.contains("171"), "{printed}");
    }
}
