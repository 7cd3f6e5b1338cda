//! Zeros to write and to compare with.

/// Zeros to write: as many as a pipe's buffer has bytes, and few enough to stay in the L2 cache.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// The unit of comparisons in bytes: a block of most filesystems, which stays in the L1 cache.
const BLOCK: usize = 4096;

/// Returns that many zeros in pieces.
pub(crate) fn pieces(count: u64) -> impl Iterator<Item = &'static [u8]> {
    let mut rest = count;
    std::iter::from_fn(move || {
        let len = usize::try_from(rest).unwrap_or(ZEROS.len()).min(ZEROS.len());
        rest -= len as u64;
        (len > 0).then(|| &ZEROS[..len])
    })
}

/// Returns true if all bytes are zero. Comparing with zeros stops at the first byte of data.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(BLOCK).all(|bytes| *bytes == ZEROS[..bytes.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_the_requested_number_of_zeros() {
        for count in [0, 1, 4096, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 1 << 20] {
            assert!(pieces(count).all(|piece| !piece.is_empty() && piece.iter().all(|byte| *byte == 0)));
            assert_eq!(pieces(count).map(|piece| piece.len() as u64).sum::<u64>(), count);
        }
        assert_eq!(pieces(u64::MAX).next().map(<[u8]>::len), Some(64 << 10));
    }

    #[test]
    fn one_byte_of_data_is_found_at_every_place() {
        for len in [0, 1, 4095, 4096, 4097, 10_000] {
            let mut bytes = vec![0; len];
            assert!(is_zero(&bytes), "{len}");
            for at in [0, len / 2, len.saturating_sub(1)].into_iter().filter(|at| *at < len) {
                bytes[at] = 1;
                assert!(!is_zero(&bytes), "{at} of {len}");
                bytes[at] = 0;
            }
        }
    }
}
