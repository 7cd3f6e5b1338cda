//! The checksum of info blocks.

/// Returns the Fletcher-64 checksum of the little-endian 32-bit words: a sum modulo 2³², and above
/// it the lower half of the sum of its values.
pub(crate) fn fletcher64(bytes: &[u8]) -> u64 {
    let (low, high) = bytes.chunks_exact(4).fold((0u32, 0u64), |(low, high), word| {
        // OK to unwrap: the chunks have four bytes.
        let low = low.wrapping_add(u32::from_le_bytes(word.try_into().expect("four bytes")));
        // A block has 1024 words, so the sum of their sums does not overflow.
        (low, high.wrapping_add(low.into()))
    });
    high << 32 | u64::from(low)
}

#[cfg(test)]
mod tests {
    use super::fletcher64;

    #[test]
    fn the_order_of_words_matters() {
        assert_eq!(fletcher64(&[0; 16]), 0);
        assert_eq!(fletcher64(&[1, 0, 0, 0, 2, 0, 0, 0]), 0x0000_0004_0000_0003);
        assert_eq!(fletcher64(&[2, 0, 0, 0, 1, 0, 0, 0]), 0x0000_0005_0000_0003);
    }

    #[test]
    fn the_lower_sum_wraps_at_32_bits() {
        let bytes = [0xff, 0xff, 0xff, 0xff, 3, 0, 0, 0];
        assert_eq!(fletcher64(&bytes), ((0xffff_ffff_u64 + 2) << 32) | 2);
    }
}
