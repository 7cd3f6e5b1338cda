//! The hash function whose buckets decide the order of modules and symbols.
//!
//! depmod keeps both in hash tables and walks them, so that the order of what it writes is that of
//! the buckets.

/// Paul Hsieh's hash of a key, with halves in little-endian order and signed bytes at the end, as on
/// x86.
pub(crate) fn hash(key: &[u8]) -> u32 {
    let half = |bytes: &[u8]| u32::from(bytes[0]) | u32::from(bytes[1]) << 8;
    let signed = |byte: u8| i32::from(byte.cast_signed()).cast_unsigned();
    // Only the low 32 bits count.
    let mut hash = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut parts = key.chunks_exact(4);
    for part in &mut parts {
        hash = hash.wrapping_add(half(part));
        hash = (hash << 16) ^ ((half(&part[2..]) << 11) ^ hash);
        hash = hash.wrapping_add(hash >> 11);
    }
    match parts.remainder() {
        rest @ [_, _, last] => {
            hash = hash.wrapping_add(half(rest));
            hash ^= hash << 16;
            hash ^= signed(*last) << 18;
            hash = hash.wrapping_add(hash >> 11);
        }
        rest @ [_, _] => {
            hash = hash.wrapping_add(half(rest));
            hash ^= hash << 11;
            hash = hash.wrapping_add(hash >> 17);
        }
        [last] => {
            hash = hash.wrapping_add(signed(*last));
            hash ^= hash << 10;
            hash = hash.wrapping_add(hash >> 1);
        }
        _ => {}
    }
    hash ^= hash << 3;
    hash = hash.wrapping_add(hash >> 5);
    hash ^= hash << 4;
    hash = hash.wrapping_add(hash >> 17);
    hash ^= hash << 25;
    hash.wrapping_add(hash >> 6)
}

#[cfg(test)]
mod tests {
    use super::hash;

    /// Values of the function in libkmod.
    #[test]
    fn hashes_are_those_of_kmod() {
        let keys: [&[u8]; 6] = [b"", b"a", b"ab", b"abc", b"abcd", b"virtio_blk"];
        let hashes: Vec<u32> = keys.iter().map(|key| hash(key)).collect();
        assert_eq!(hashes, HASHES);
    }

    const HASHES: [u32; 6] = [0x0000_0000, 0x115e_a782, 0x516b_8b44, 0xd2be_198a, 0xdad8_b8db, 0x9add_a8b8];
}
