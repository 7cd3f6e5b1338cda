//! The header of a frame of zstd (RFC 8878, section 3.1.1.1), as far as it states how much memory
//! the frame takes.
//!
//! ```text
//! magic 28 b5 2f fd | descriptor | window, unless single segment | dictionary id | size of the contents
//! ```

use std::io;

/// The longest header up to the size of the contents, in bytes.
pub(super) const HEADER: usize = 18;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The flag in the descriptor for a window that is the whole contents.
const SINGLE_SEGMENT: u8 = 1 << 5;

/// The logarithms that the library accepts as limits.
const LOGS: std::ops::RangeInclusive<u32> = 10..=31;

/// Checks the window of the frame that starts with these bytes against a limit in bytes, and
/// returns the logarithm of the window that the library is to allow.
///
/// # Errors
/// If the window is larger than the limit.
pub(super) fn check_window(start: &[u8], limit: u64) -> io::Result<u32> {
    if let Some(window) = window(start).filter(|window| *window > limit) {
        return Err(io::Error::other(format!(
            "its window is {window} bytes, the limit is {limit}; --decoder-memory sets the limit"
        )));
    }
    // The next power of two, as a window between two powers may be within the limit too.
    let log = limit.max(1).checked_next_power_of_two().map_or(u64::BITS, u64::trailing_zeros);
    Ok(log.clamp(*LOGS.start(), *LOGS.end()))
}

/// Returns the size of a frame's window in bytes; none for anything but such a frame, which the
/// library refuses or skips.
fn window(start: &[u8]) -> Option<u64> {
    let (descriptor, rest) = start.strip_prefix(&MAGIC)?.split_first()?;
    if descriptor & SINGLE_SEGMENT == 0 {
        let window = u64::from(*rest.first()?);
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + base / 8 * (window & 7));
    }
    let dictionary_id = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = rest.get(dictionary_id..)?;
    let number = |len: usize| {
        let bytes = size.get(..len)?;
        Some(bytes.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    match descriptor >> 6 {
        0 => number(1),
        1 => Some(number(2)? + 256),
        2 => number(4),
        _ => number(8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_window_size() {
        let cases: [(&[u8], Option<u64>); 8] = [
            (&[0x00, 0x00], Some(1 << 10)),
            (&[0x00, 0x88], Some(1 << 27)),
            (&[0x00, 0x89], Some((1 << 27) + (1 << 24))),
            (&[0x00, 0xa8], Some(1 << 31)),
            (&[0x20, 0x07], Some(7)),
            (&[0x60, 0x01, 0x01], Some(0x101 + 256)),
            (&[0xa1, 0x09, 0, 0, 0, 0x40], Some(1 << 30)),
            (&[0xe0, 0, 0, 0, 0, 1, 0, 0], None),
        ];
        for (header, expected) in cases {
            assert_eq!(window(&[&MAGIC[..], header].concat()), expected, "{header:x?}");
        }
        assert_eq!(window(&[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0]), None);
    }

    #[test]
    fn limits_the_window_size() {
        let frame = [&MAGIC[..], &[0x00, 0x89]].concat();
        let size = (1 << 27) + (1 << 24);
        assert_eq!(check_window(&frame, size).expect("it is within"), 28);
        let error = check_window(&frame, size - 1).expect_err("it is larger").to_string();
        assert_eq!(
            error,
            "its window is 150994944 bytes, the limit is 150994943; --decoder-memory sets the limit"
        );
        assert_eq!(check_window(b"", 128 << 20).expect("no frame"), 27);
        assert_eq!(check_window(b"", u64::MAX).expect("no frame"), 31);
        assert_eq!(check_window(b"", 0).expect("no frame"), 10);
    }
}
