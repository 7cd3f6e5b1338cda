//! Archives written by [`initramfs::write_compressed`], unpacked and checked.

use std::io::{self, Write};

use image_runs::read_all;
use initramfs::check::check;
use initramfs::codec::Codec;
use initramfs::{Checksums, EarlyCpio, KernelConfig, Options, plan, write_compressed};

use crate::fixtures::{every_kind, file, noise};

/// Checksums of the files are in the archive, so the check compares the data as well.
#[test]
fn archives_of_every_codec_unpack_to_the_planned_archive() {
    let mut tree = every_kind();
    file(&mut tree, "usr/lib/modules/6.12/a.ko.zst", &noise(5000, 9));
    // Longer than the pieces of each codec, and than a frame of zstd that is held in memory.
    file(&mut tree, "long", &noise(1 << 20, 3).repeat(17));
    let checksums = Checksums::read(&tree).expect("it is in memory");
    for name in ["none", "gzip:1", "zstd:1", "zstd:10", "xz:0", "lz4:1"] {
        let codec: Codec = name.parse().expect("a codec");
        let options = with!(
            codec.segment_len().map_or_else(Options::plain, Options::segmented),
            checksums: Some(checksums.clone()),
        );
        let layout = plan(&tree, &EarlyCpio::none(), &options).expect("the tree fits");
        let mut written = Vec::new();
        write_compressed(&layout, &codec, &mut written).expect("it is in memory");
        let report = check(&mut &*written, &KernelConfig::unknown()).expect("it is in memory");
        assert!(report.is_accepted(), "{name}: {:?}", report.findings);
        assert_eq!(report.entries, layout.summary().entries, "{name}");
        let archive = read_all(&layout).expect("it is in memory");
        assert_eq!(written == archive, name == "none", "{name}");
    }
}

#[test]
fn errors_of_the_output_are_returned() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let tree = every_kind();
    for name in ["none", "gzip", "zstd"] {
        let codec: Codec = name.parse().expect("a codec");
        let layout = plan(&tree, &EarlyCpio::none(), &Options::plain()).expect("the tree fits");
        let error = write_compressed(&layout, &codec, Full).expect_err("there is no space");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{name}");
    }
}
