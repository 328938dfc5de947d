//! The layout of the limiter's shared data: the names of keys, and the record of a table.
//!
//! During an upgrade of the module, VMs of the old and the new module serve side by side and share one
//! map. The layout is part of every key, so neither reads what the other wrote: each has its own table,
//! in which every limit holds. A change of the record, of the slots or of the places of buckets is a
//! new layout.

/// The maximum number of slots of a table: 2²¹, which hold 16.8 M buckets in 340 MB, and a quarter on
/// top.
pub const MAX_SLOTS: u32 = 1 << 21;

/// The first bytes of the record; the digit is the layout.
const MAGIC: [u8; 4] = *b"tgb2";

/// The beginning of the keys of one kind of data of a plugin; the digit is the layout.
pub(super) fn key_of(plugin: &str, kind: &str) -> String {
    format!("tollgate/{plugin}/{kind}2")
}

/// The record of a table: magic, number of slots (`u32`, little-endian), seed.
pub(super) fn encode(slots: u32, seed: [u8; 16]) -> Vec<u8> {
    [&MAGIC[..], &slots.to_le_bytes(), &seed].concat()
}

/// The slots and the seed of a record; `None` if [`encode`] cannot have written it.
pub(super) fn decode(record: &[u8]) -> Option<(u32, [u8; 16])> {
    let rest = record.strip_prefix(&MAGIC)?;
    let (slots, seed) = rest.split_first_chunk::<4>()?;
    let slots = u32::from_le_bytes(*slots);
    let fits = slots.is_power_of_two() && slots <= MAX_SLOTS;
    Some((slots, seed.try_into().ok()?)).filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_record_as_written_is_adopted() {
        let good = encode(1 << 14, [7; 16]);
        assert_eq!(
            good,
            b"tgb2\x00\x40\x00\x00\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07"
        );
        assert_eq!(decode(&good), Some((1 << 14, [7; 16])));
        assert_eq!(decode(&good[..23]), None);
        assert_eq!(decode(&[&good[..], &[0]].concat()), None);
        for slots in [0, 3, MAX_SLOTS * 2] {
            assert_eq!(decode(&encode(slots, [7; 16])), None);
        }
    }
}
