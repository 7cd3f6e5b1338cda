//! Checks of initramfs images.

use std::io::Write as _;

use flate2::write::GzEncoder;
use image_runs::{Image, read_all};
use image_tree::{InodeId, Timestamp, Tree};
use initramfs::check::{Limits, Report, check_with_limits};
use initramfs::{EarlyCpio, KernelConfig, Options, Precompressed, Storage, archive_padding, plan};

use crate::input::pattern::Pattern;
use crate::input::trees;
use crate::{Choices, Outcome};

/// A target has 1 GiB of memory and seconds of time.
const LIMITS: Limits = Limits::new(16 << 20, 1 << 20);

/// The maximum length of a seed in bytes, before compression.
const MAX_LEN: u64 = 1 << 18;

/// Checks arbitrary bytes. Every finding must be within the bytes, and be reproducible.
pub fn check(bytes: &[u8]) -> Outcome {
    let report = report(bytes);
    assert!(report.findings.len() <= Report::MAX_FINDINGS);
    let len = bytes.len() as u64;
    for finding in &report.findings {
        assert!(finding.offset <= len, "{finding} is behind the end");
        assert!(finding.unpacked_offset.is_none_or(|offset| offset <= LIMITS.unpacked_bytes), "{finding}");
        assert_eq!(finding.severity, finding.rule.severity(), "{finding}");
    }
    assert_eq!(self::report(bytes), report, "a second look finds something else");
    // The same bytes are also searched for a kernel configuration.
    if let Err(error) = KernelConfig::from_kernel(bytes) {
        assert!(!error.to_string().is_empty());
    }
    if report.is_accepted() && report.entries > 0 { Outcome::Checked } else { Outcome::Refused }
}

fn report(bytes: &[u8]) -> Report {
    check_with_limits(&mut &*bytes, &KernelConfig::unknown(), &LIMITS).expect("bytes in memory can be read")
}

/// Creates an initramfs of a tree, in segments compressed in various ways.
#[must_use]
pub fn archive(bytes: &[u8]) -> Vec<u8> {
    let mut choices = Choices::new(bytes);
    let mut options = Options::plain();
    options.segment_len = choices.one_of(&[None, Some(4096), Some(65_536)]);
    options.precompressed = choices.one_of(&[Precompressed::None, Precompressed::ByName]);
    options.align = choices.one_of(&[4, 4096]);
    let compressions: Vec<u64> = (0..8).map(|_| choices.up_to(3)).collect();
    let mut tree = trees::tree(&mut choices);
    for metadata in tree.all_metadata_mut() {
        metadata.mtime = Timestamp::EPOCH;
    }
    members(&tree, &options, &compressions).unwrap_or_else(|| {
        members(&Tree::new(tree.get(InodeId::ROOT).metadata.clone()), &options, &compressions)
            .unwrap_or_default()
    })
}

/// Returns the concatenated members; `None` if the tree does not fit.
fn members(tree: &Tree<Pattern>, options: &Options, compressions: &[u64]) -> Option<Vec<u8>> {
    let layout = plan(tree, &EarlyCpio::none(), options).ok()?;
    if Image::<Pattern>::len(&layout) > MAX_LEN {
        return None;
    }
    let mut out = Vec::new();
    for (segment, compression) in layout.segments().zip(compressions.iter().cycle()) {
        let part = read_all(&segment).ok()?;
        match (segment.storage(), compression) {
            (Storage::Plain, _) => out.extend(part),
            (Storage::Compressed, 0 | 1) => {
                let mut encoder = GzEncoder::new(&mut out, flate2::Compression::fast());
                encoder.write_all(&part).ok()?;
                encoder.finish().ok()?;
            }
            (Storage::Compressed, 2) => out.extend(zstd::encode_all(&*part, 1).ok()?),
            (Storage::Compressed, _) => {
                out.extend(0x184c_2102u32.to_le_bytes());
                let block = lz4_flex::block::compress(&part);
                out.extend(u32::try_from(block.len()).ok()?.to_le_bytes());
                out.extend(block);
                let zeros = archive_padding(out.len() as u64, Some(initramfs::Compression::Lz4));
                out.resize(out.len() + usize::try_from(zeros).ok()?, 0);
            }
            (storage, _) => panic!("{storage:?} has no check"),
        }
    }
    Some(out)
}
