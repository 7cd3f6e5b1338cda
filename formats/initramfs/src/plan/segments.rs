//! Division of an archive into segments.

/// Chooses cut points from only the paths and lengths of entries, and the number of bytes since the
/// last cut.
///
/// An entry is a cut point if the hash of its path is below its share of the usual length, so that
/// cuts are that far apart on average, and an entry remains a cut point regardless of changes
/// elsewhere.
#[derive(Debug)]
pub(crate) struct Cutter {
    usual: u64,
    /// The number of bytes since the last cut.
    since: u64,
    /// True if a cut is due after the last entry.
    due: bool,
}

impl Cutter {
    /// Creates a cutter for segments of usually `usual` bytes.
    pub(crate) fn new(usual: u64) -> Self {
        Self { usual, since: 0, due: false }
    }

    /// Returns true if a cut is due before the next entry, which has `len` bytes with its header
    /// and data.
    pub(crate) fn cuts_before(&mut self, path: &[u8], len: u64) -> bool {
        let alone = len >= self.usual;
        let full = self.since.saturating_add(len) > self.usual.saturating_mul(4);
        let cuts = self.since > 0 && (self.due || alone || full);
        if cuts {
            self.since = 0;
        }
        self.since = self.since.saturating_add(len);
        self.due = alone || (self.since >= self.usual / 4 && self.is_place(path, len));
        cuts
    }

    fn is_place(&self, path: &[u8], len: u64) -> bool {
        let scaled = u128::from(hash(path)) * u128::from(self.usual);
        scaled >> 64 < u128::from(len)
    }
}

/// Hashes with 64-bit FNV-1a, then the finalizer of SplitMix64, because the high bits of FNV-1a
/// barely depend on the last bytes.
fn hash(bytes: &[u8]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: u64 = 1 << 20;

    /// Returns the path of the first entry and the length of each segment.
    fn cut(entries: &[(String, u64)]) -> Vec<(String, u64)> {
        let mut cutter = Cutter::new(USUAL);
        let mut segments: Vec<(String, u64)> = Vec::new();
        for (path, len) in entries {
            if cutter.cuts_before(path.as_bytes(), *len) || segments.is_empty() {
                segments.push((path.clone(), 0));
            }
            segments.last_mut().expect("the first entry begins one").1 += len;
        }
        segments
    }

    /// 64 MiB in files of 124 bytes to 128 KiB.
    fn files() -> Vec<(String, u64)> {
        (0..1024)
            .map(|number: u64| (format!("usr/lib/f{number:04}"), 124 + number * 7919 % 131_072))
            .collect()
    }

    #[test]
    fn segments_are_of_about_the_usual_length() {
        let segments = cut(&files());
        let (last, others) = segments.split_last().expect("there are some");
        assert!((40..=70).contains(&segments.len()), "{}", segments.len());
        assert!(others.iter().all(|(_, len)| (USUAL / 4..=USUAL * 4).contains(len)), "{segments:?}");
        assert!(last.1 <= USUAL * 4);
    }

    #[test]
    fn a_new_file_moves_few_cuts() {
        let before = cut(&files());
        let mut entries = files();
        entries.insert(500, ("usr/lib/f0499a".into(), 100_000));
        let after = cut(&entries);
        let moved = after.iter().filter(|segment| !before.contains(segment)).count();
        assert!((1..=3).contains(&moved), "{moved} segments changed");
    }

    #[test]
    fn a_long_file_has_a_segment_of_its_own() {
        let entry = |path: &str, len| (path.to_owned(), len);
        let segments = cut(&[entry("a", 200), entry("b", 200), entry("big", USUAL), entry("c", 200)]);
        assert_eq!(segments, [entry("a", 400), entry("big", USUAL), entry("c", 200)]);
    }

    #[test]
    fn short_entries_are_cut_at_four_times_the_usual_length_at_the_latest() {
        // All have one path and are short, so that no hash is below their share.
        let entries: Vec<_> = (0..100_000).map(|_| ("usr/same".to_owned(), 128)).collect();
        let segments = cut(&entries);
        assert!(segments.len() > 1 && segments.iter().all(|(_, len)| *len <= USUAL * 4));
    }

    #[test]
    fn the_hash_is_pinned() {
        // A different hash means a different layout, which needs a new name.
        assert_eq!(hash(b""), 0xf52a_15e9_a9b5_e89b);
    }
}
