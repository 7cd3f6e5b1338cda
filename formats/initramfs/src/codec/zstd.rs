//! zstd (RFC 8878): frames with their length and a checksum, no skippable frames, and windows of at
//! most 8 MiB unless requested.

/// The recommended length of a segment at a level, in bytes: about four times the windows of these
/// levels.
pub(super) fn segment_len(level: u8) -> u64 {
    match level {
        ..=4 => 4 << 20,
        5..=15 => 8 << 20,
        16.. => 32 << 20,
    }
}

/// The maximum length of a segment that is held in memory, in bytes.
pub(super) const MAX_WHOLE: u64 = 64 << 20;
