//! Tests that a violation of each rule is found at its offset.

use std::io::{self, Read};

use image_runs::read_all;
use initramfs::check::{Limits, Report, Rule, Severity, check, check_with_limits};
use initramfs::{Checksums, EarlyCpio, KernelConfig, Options, plan};
use liblzma::stream::Check;

use crate::compress::{bzip2, gzip, lz4, lzma, xz, xz_with, zstd};
use crate::fixtures::{Bytes, add, empty, every_kind, file, link, noise, symlink};

type Compress = fn(&[u8]) -> Vec<u8>;

const CHUNK: usize = 8 << 20;

fn archive(tree: &Bytes) -> Vec<u8> {
    read_all(&plan(tree, &EarlyCpio::none(), &Options::plain()).expect("the tree fits"))
        .expect("it is in memory")
}

/// Returns an archive of only `/init`.
fn small() -> Vec<u8> {
    let mut tree = empty();
    file(&mut tree, "init", b"#!");
    archive(&tree)
}

/// Returns the offset of the header of the entry with a name.
fn header_of(archive: &[u8], name: &str) -> usize {
    let wanted = [name.as_bytes(), b"\0"].concat();
    let at = archive.windows(wanted.len()).position(|window| window == wanted).expect("it is there");
    at - 110
}

fn set(archive: &mut [u8], header: usize, field: usize, value: u32) {
    archive[header + field..][..8].copy_from_slice(format!("{value:08X}").as_bytes());
}

const MODE: usize = 14;
const NLINK: usize = 38;
const FILESIZE: usize = 54;
const NAMESIZE: usize = 94;

fn report(bytes: &[u8]) -> Report {
    check(&mut &*bytes, &KernelConfig::unknown()).expect("it is in memory")
}

/// Returns the rule, offset and unpacked offset of each finding.
fn found(bytes: &[u8]) -> Vec<(Rule, u64, Option<u64>)> {
    let report = report(bytes);
    report.findings.iter().map(|finding| (finding.rule, finding.offset, finding.unpacked_offset)).collect()
}

#[track_caller]
fn accepted(bytes: &[u8]) -> Report {
    let report = report(bytes);
    assert_eq!(report.findings, []);
    report
}

/// Asserts that the first finding has this rule and offset.
#[track_caller]
fn refused(bytes: &[u8], rule: Rule, offset: usize) {
    let found = found(bytes);
    assert_eq!(found.first().map(|found| (found.0, found.1)), Some((rule, offset as u64)), "{found:?}");
}

#[track_caller]
fn refused_within(bytes: &[u8], rule: Rule, offset: usize, within: usize) {
    assert_eq!(found(bytes).first(), Some(&(rule, offset as u64, Some(within as u64))));
}

#[test]
fn archives_that_the_kernel_accepts_are_accepted() {
    let tree = every_kind();
    let whole = archive(&tree);
    let report = accepted(&whole);
    assert_eq!((report.entries, report.members), (tree.walk().count() as u64, 1));
    let codecs: [(&str, Compress); 6] = [
        ("gzip", gzip),
        ("zstd", zstd),
        ("xz", xz),
        ("lzma", lzma),
        ("bzip2", bzip2),
        ("lz4", |bytes| lz4(bytes, 1000)),
    ];
    for (name, compress) in codecs {
        let report = accepted(&compress(&whole));
        assert_eq!(report.unpacked_bytes, whole.len() as u64, "{name}");
        // Several members, zeros between them, and an uncompressed archive before them at a
        // multiple of 4.
        let member = compress(&whole);
        let plain = small();
        let zeros = 4 + (8 - member.len() % 4) % 4;
        let several = [&plain[..], &member, &vec![0; zeros], &member].concat();
        let report = self::report(&several);
        assert!(report.is_accepted(), "{name}: {:?}", report.findings);
        assert_eq!(report.members, 3, "{name}");
        assert!(report.findings.iter().all(|finding| finding.rule == Rule::Duplicate), "{name}");
    }
}

#[test]
fn members_must_end_at_entries() {
    let whole = archive(&every_kind());
    let cut = header_of(&whole, "usr/bin");
    for compress in [gzip, zstd, xz, bzip2] {
        accepted(&[compress(&whole[..cut]), compress(&whole[cut..])].concat());
        // In the header, in the name, in the data, in the padding.
        let big = header_of(&whole, "zz");
        for at in [cut + 1, cut + 109, cut + 112, big + 5000] {
            let first = compress(&whole[..at]);
            let start = if at < big { cut } else { big };
            refused_within(&[first, compress(&whole[at..])].concat(), Rule::MemberEnd, 0, start);
        }
    }
    let init = small();
    let trailer = header_of(&init, "TRAILER!!!");
    // Two bytes of data, then two of padding.
    refused_within(&gzip(&init[..trailer - 1]), Rule::MemberEnd, 0, header_of(&init, "init"));
    let later = [small(), gzip(b"")].concat();
    accepted(&later);
    refused(&gzip(b""), Rule::MemberEnd, 0);
}

#[test]
fn lz4_must_be_followed_by_zeros_or_lz4() {
    let whole = archive(&every_kind());
    let member = lz4(&whole, CHUNK);
    let rest = lz4(&small()[header_of(&small(), "TRAILER!!!")..], CHUNK);
    accepted(&[&member[..], &rest].concat());
    accepted(&[&member[..], &rest[4..]].concat());
    for zeros in 1..=3 {
        accepted(&[&member[..], &[0; 3][..zeros]].concat());
    }
    for next in [gzip, zstd, xz, bzip2, lzma] {
        refused_in(&[&member[..], &next(&whole)].concat(), Rule::Lz4Followed, member.len());
    }
    refused_in(&[&member[..], &whole].concat(), Rule::Lz4Followed, member.len());
    // Junk is reported as corrupt, and not as intended data.
    refused(&[&member[..], b"junkjunk"].concat(), Rule::Corrupt, 0);
    refused(&[0x04, 0x22, 0x4d, 0x18, 0, 0], Rule::Lz4Frame, 0);
    refused(&[0x02, 0x21, 0, 0, 0], Rule::Corrupt, 0);
}

#[track_caller]
fn refused_in(bytes: &[u8], rule: Rule, offset: usize) {
    let found = found(bytes);
    assert!(found.iter().any(|found| found.0 == rule && found.1 == offset as u64), "{found:?}");
}

#[test]
fn archives_must_begin_at_multiples_of_4_with_a_magic() {
    let plain = small();
    accepted(&[&[0; 4][..], &plain].concat());
    refused(&[&[0; 3][..], &plain].concat(), Rule::Alignment, 3);
    refused(b"hello", Rule::Magic, 0);
    refused(&[&plain[..], b"x"].concat(), Rule::Magic, plain.len());
    let mut old = plain.clone();
    old[5] = b'7';
    refused(&old, Rule::CpioMagic, 0);
    let mut digit = plain.clone();
    digit[20] = b'g';
    refused(&digit, Rule::Digits, 20);
    refused_within(&gzip(&[&plain[..], b"junk"].concat()), Rule::Junk, 0, plain.len());
    refused_within(&gzip(&[&plain[..], &[0; 5], &plain].concat()), Rule::Junk, 0, plain.len() + 5);
    refused(&plain[..plain.len() - 1], Rule::Truncated, header_of(&plain, "TRAILER!!!"));
    refused(&plain[..50], Rule::Truncated, 0);
}

#[test]
fn zstd_must_not_have_skippable_frames_large_windows_or_dictionaries() {
    let member = zstd(&small());
    let skippable = [&[0x5e, 0x2a, 0x4d, 0x18, 4, 0, 0, 0][..], b"seek"].concat();
    refused(&[&member[..], &skippable].concat(), Rule::ZstdSkippable, member.len());
    refused(&[&skippable[..], &member].concat(), Rule::ZstdSkippable, 0);
    let window = |log: u8| [&[0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3][..], &[1, 0, 0]].concat();
    refused(&[small(), window(28)].concat(), Rule::ZstdWindow, small().len() + 5);
    accepted(&[small(), window(27)].concat());
    refused(&[0x28, 0xb5, 0x2f, 0xfd, 0x21, 9, 1, 1, 0, 0], Rule::ZstdDictionary, 0);
    let mut corrupt = member.clone();
    *corrupt.last_mut().expect("it is not empty") ^= 1;
    corrupt[10] ^= 0xff;
    refused(&corrupt, Rule::Corrupt, 0);
    refused(&member[..member.len() - 1], Rule::Corrupt, 0);
    refused(&member[..5], Rule::Corrupt, 0);
}

#[test]
fn xz_must_have_crc32_or_no_check() {
    accepted(&xz_with(&small(), Check::None));
    refused(&xz_with(&small(), Check::Crc64), Rule::XzCheck, 7);
    refused(&[small(), xz_with(&small(), Check::Sha256)].concat(), Rule::XzCheck, small().len() + 7);
    let mut delta = liblzma::stream::Filters::new();
    delta.delta_properties(&[0]).expect("a distance of 1");
    delta.lzma2(&liblzma::stream::LzmaOptions::new_preset(0).expect("a preset"));
    let stream = liblzma::stream::Stream::new_stream_encoder(&delta, Check::Crc32).expect("valid filters");
    refused(&xz_by(&small(), stream), Rule::XzFilter, 12);
    let mut options = liblzma::stream::LzmaOptions::new_preset(0).expect("a preset");
    options.dict_size(128 << 20);
    let mut large = liblzma::stream::Filters::new();
    large.x86();
    large.lzma2(&options);
    let stream = liblzma::stream::Stream::new_stream_encoder(&large, Check::Crc32).expect("valid filters");
    let bytes = xz_by(&small(), stream);
    refused(&bytes, Rule::XzDictionary, 12);
    assert!(report(&bytes).is_accepted());
}

fn xz_by(bytes: &[u8], stream: liblzma::stream::Stream) -> Vec<u8> {
    use io::Write as _;
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(bytes).expect("it is in memory");
    encoder.finish().expect("it is in memory")
}

#[test]
fn gzip_headers_must_not_have_optional_fields() {
    let member = |builder: flate2::GzBuilder| {
        use io::Write as _;
        let mut encoder = builder.write(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&small()).expect("it is in memory");
        encoder.finish().expect("it is in memory")
    };
    accepted(&member(flate2::GzBuilder::new().filename("initrd")));
    refused(&member(flate2::GzBuilder::new().extra(b"BC\x02\0\0\0".to_vec())), Rule::GzipHeader, 3);
    refused(&member(flate2::GzBuilder::new().comment("c")), Rule::GzipHeader, 3);
    let mut sum = gzip(&small());
    sum[3] = 2;
    refused(&sum, Rule::GzipHeader, 3);
    refused(&[0x1f, 0x9e, 0, 0, 0, 0, 0, 0, 0, 0, 0], Rule::GzipHeader, 0);
    refused(&[0x1f, 0x8b, 8], Rule::GzipHeader, 0);
    let right = gzip(&small());
    let end = right.len() - 8;
    // The sum, and the length.
    for at in [end, end + 4] {
        let mut wrong = right.clone();
        wrong[at] ^= 1;
        refused(&wrong, Rule::GzipChecksum, end);
        assert!(report(&wrong).is_accepted());
    }
    refused(&right[..end - 1], Rule::Corrupt, 0);
}

#[test]
fn entries_that_the_kernel_omits_are_reported() {
    let mut tree = empty();
    file(&mut tree, "init", b"#!");
    add(&mut tree, "pipe", image_tree::Kind::Fifo);
    symlink(&mut tree, "the-link", b"a/b");
    let whole = archive(&tree);
    let (init, pipe, link) =
        (header_of(&whole, "init"), header_of(&whole, "pipe"), header_of(&whole, "the-link"));
    let with = |at: usize, field: usize, value: u32| {
        let mut bytes = whole.clone();
        set(&mut bytes, at, field, value);
        bytes
    };
    refused(&with(pipe, MODE, 0o150_644), Rule::FileType, pipe);
    refused(&with(init, NAMESIZE, 0), Rule::NameLength, init);
    let long = [&with(init, NAMESIZE, 4097)[..], &vec![0; 5000]].concat();
    refused(&long, Rule::NameLength, init);
    // A name without its NUL.
    let mut unending = whole.clone();
    unending[init + 114] = b'x';
    refused(&unending, Rule::NameEnd, init);
    // Four zero bytes of data where none are allowed.
    let data = with(pipe, FILESIZE, 4);
    let name_end = link;
    refused(&[&data[..name_end], &[0; 4], &data[name_end..]].concat(), Rule::Data, pipe);
    let mut nul = whole.clone();
    let target = nul.windows(3).position(|window| window == b"a/b").expect("it is there");
    nul[target + 1] = 0;
    refused(&nul, Rule::SymlinkTarget, link);
    let mut dots = whole.clone();
    let at = pipe + 110;
    dots[at..at + 4].copy_from_slice(b"a/..");
    refused(&dots, Rule::NameDotDot, pipe);
    let mut none = whole.clone();
    none[init + 110] = b'j';
    refused(&none, Rule::Init, 0);
}

#[test]
fn directories_must_precede_their_entries() {
    let mut tree = empty();
    file(&mut tree, "etc/hostname", b"guest\n");
    file(&mut tree, "init", b"#!");
    let whole = archive(&tree);
    let (etc, hostname, init) =
        (header_of(&whole, "etc"), header_of(&whole, "etc/hostname"), header_of(&whole, "init"));
    accepted(&whole);
    let without = [&whole[..etc], &whole[hostname..]].concat();
    refused(&without, Rule::Parent, etc);
    let swapped = [&whole[..etc], &whole[hostname..init], &whole[etc..hostname], &whole[init..]].concat();
    refused_within(&zstd(&swapped), Rule::Parent, 0, etc);
    let twice = [&whole[..], &whole[init..]].concat();
    refused(&twice, Rule::Duplicate, whole.len());
    assert!(report(&twice).is_accepted());
    // A directory that is not empty is replaced by a file.
    let mut file = whole[init..].to_vec();
    file[110..114].copy_from_slice(b"etc\0");
    set(&mut file, 0, NAMESIZE, 4);
    refused(&[&whole[..], &file].concat(), Rule::FullDirectory, whole.len());
}

#[test]
fn wrong_checksums_are_reported() {
    let mut tree = empty();
    let init = file(&mut tree, "init", &noise(70_000, 3));
    link(&mut tree, "other", init);
    symlink(&mut tree, "the-link", b"a/b");
    let checksums = Checksums::read(&tree).expect("it is in memory");
    let options = with!(Options::plain(), checksums: Some(checksums));
    let layout = plan(&tree, &EarlyCpio::none(), &options).expect("the tree fits");
    let mut bytes = read_all(&layout).expect("it is in memory");
    accepted(&bytes);
    let other = header_of(&bytes, "other");
    bytes[other + 40_000] ^= 1;
    refused(&bytes, Rule::Checksum, other);
    refused_within(&gzip(&bytes), Rule::Checksum, 0, other);
}

#[test]
fn hard_links_across_archives_are_reported() {
    let mut tree = empty();
    let init = file(&mut tree, "init", b"#!");
    link(&mut tree, "other", init);
    let whole = archive(&tree);
    accepted(&whole);
    let (other, trailer) = (header_of(&whole, "other"), header_of(&whole, "TRAILER!!!"));
    accepted(&[gzip(&whole[..other]), gzip(&whole[other..])].concat());
    let apart = [&whole[..other], &whole[trailer..], &whole[other..]].concat();
    let first = header_of(&whole, "init");
    assert_eq!(found(&apart), [(Rule::HardLink, first as u64, None)]);
    let mut alone = whole.clone();
    set(&mut alone, first, NLINK, 1);
    accepted(&alone);
}

#[test]
fn compressions_that_the_kernel_lacks_are_reported() {
    let check = |bytes: &[u8], text: &str| {
        let kernel = KernelConfig::parse(text.as_bytes()).expect("it has options");
        check(&mut &*bytes, &kernel).expect("it is in memory")
    };
    let rules = |report: &Report| report.findings.iter().map(|finding| finding.rule).collect::<Vec<_>>();
    let all = "CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\nCONFIG_INITRAMFS_PRESERVE_MTIME=y\n";
    assert_eq!(rules(&check(&gzip(&small()), all)), []);
    let later = [small(), zstd(&small())].concat();
    let report = check(&later, all);
    assert_eq!(rules(&report), [Rule::Configured]);
    assert_eq!(report.findings[0].offset, small().len() as u64);
    assert!(report.findings[0].detail.contains("CONFIG_RD_ZSTD"), "{}", report.findings[0]);
    assert_eq!(rules(&check(&small(), "CONFIG_RD_GZIP=y\n")), [Rule::Configured, Rule::Mtime]);
    assert_eq!(rules(&check(&small(), "CONFIG_BLK_DEV_INITRD=y\n")), [Rule::Mtime]);
}

#[test]
fn microcode_after_compressed_members_is_reported() {
    let (microcode, mut tree) = (noise(5000, 4), empty());
    file(&mut tree, "init", b"#!");
    let early = EarlyCpio::microcode(vec![&microcode], Vec::new());
    let layout = plan(&tree, &early, &Options::plain()).expect("the tree fits");
    let bytes = read_all(&layout).expect("it is in memory");
    accepted(&bytes);
    let checksums = Some(Checksums::read(&tree).expect("it is in memory"));
    let layout = plan(&tree, &early, &with!(Options::plain(), checksums: checksums)).expect("the tree fits");
    accepted(&read_all(&layout).expect("it is in memory"));
    let at = header_of(&bytes, "kernel/x86/microcode/GenuineIntel.bin");
    assert_eq!(found(&gzip(&bytes)), [(Rule::Microcode, 0, Some(at as u64))]);
}

#[test]
fn data_that_is_not_examined_is_reported() {
    refused(&[small(), vec![0x89, b'L', b'Z', b'O', 0]].concat(), Rule::Examined, small().len());
    // Only zeros, and far too many.
    let bomb = gzip(&vec![0; 10 << 20]);
    let limits = with!(Limits::default(), unpacked_bytes: 1 << 20);
    let report = check_with_limits(&mut &*bomb, &KernelConfig::unknown(), &limits).expect("it is in memory");
    assert_eq!(report.findings[0].rule, Rule::Examined);
    let several = [gzip(&small()), gzip(&small())].concat();
    let limits = with!(Limits::default(), unpacked_bytes: small().len() as u64 * 3 / 2);
    let report =
        check_with_limits(&mut &*several, &KernelConfig::unknown(), &limits).expect("it is in memory");
    assert_eq!(report.findings.last().map(|finding| finding.rule), Some(Rule::Examined));
}

#[test]
fn errors_of_the_reader_are_not_findings() {
    struct Failing(Vec<u8>);
    impl Read for Failing {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Err(io::Error::other("the disk is gone"));
            }
            let len = out.len().min(self.0.len());
            out[..len].copy_from_slice(&self.0[..len]);
            self.0.drain(..len);
            Ok(len)
        }
    }
    let whole = archive(&every_kind());
    let lz4 = |bytes: &[u8]| lz4(bytes, CHUNK);
    for compress in [gzip, zstd, xz, bzip2, lzma, lz4, <[u8]>::to_vec as Compress] {
        let bytes = compress(&whole);
        for len in [0, 1, 5, bytes.len() / 2, bytes.len()] {
            let error = check(&mut Failing(bytes[..len].to_vec()), &KernelConfig::unknown());
            assert_eq!(error.expect_err("the reader fails").to_string(), "the disk is gone");
        }
    }
}

#[test]
fn rules_have_unique_names() {
    let mut names: Vec<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Rule::ALL.len());
    assert!(Rule::ALL.iter().any(|rule| rule.severity() == Severity::Error));
}
