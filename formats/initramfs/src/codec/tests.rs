//! Tests that members made piece by piece unpack to their segments with the decoders of the
//! libraries; the tests of the product use other programs.

use std::io::{self, Read};

use liblzma::stream::Stream;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

/// Makes the member of a segment, with the pieces compressed from last to first, because they are
/// independent.
fn member(codec: &Codec, bytes: &[u8], threads: u32) -> Vec<u8> {
    let len = bytes.len() as u64;
    let (piece_len, context_len) = match codec.division(len) {
        Division::Pieces { piece_len, context_len } => (piece_len, context_len),
        Division::Uncompressed => return bytes.to_vec(),
        Division::Long => return long(codec, bytes, threads, 1 << 20),
    };
    let (piece_len, context_len) = (usize::try_from(piece_len).expect("it fits"), context_len);
    let is_whole = bytes.len() <= piece_len;
    let mut pieces: Vec<(usize, CompressedPiece)> = Vec::new();
    let starts: Vec<usize> = (0..bytes.len()).step_by(piece_len).collect();
    for start in starts.into_iter().rev() {
        let context = start.saturating_sub(usize::try_from(context_len).expect("it fits"));
        let end = bytes.len().min(start + piece_len);
        let piece = Piece { context: &bytes[context..start], bytes: &bytes[start..end], is_whole };
        let packed = codec.compress(piece, &|| true).expect("there is memory");
        pieces.push((end - start, packed));
    }
    let mut member = Member::new(codec, len);
    let mut out = member.head().to_vec();
    for (len, packed) in pieces.into_iter().rev() {
        out.extend(&packed.bytes);
        member.add(len as u64, packed.note);
    }
    out.extend(member.tail());
    out
}

fn long(codec: &Codec, bytes: &[u8], threads: u32, slice_len: usize) -> Vec<u8> {
    let mut frame = LongFrame::new(codec, bytes.len() as u64, threads).expect("there is memory");
    let mut out = Vec::new();
    for slice in bytes.chunks(slice_len) {
        frame.push(slice, &mut out).expect("there is memory");
    }
    frame.finish(&mut out).expect("all was given");
    out
}

fn unpack(codec: &Codec, packed: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let result = match codec.kind() {
        Kind::None => Ok(packed.to_vec()),
        Kind::Gzip => flate2::bufread::MultiGzDecoder::new(packed).read_to_end(&mut out).map(|_| out),
        Kind::Zstd => ::zstd::decode_all(packed),
        Kind::Xz => {
            let stream = Stream::new_stream_decoder(u64::MAX, liblzma::stream::CONCATENATED).expect("memory");
            liblzma::bufread::XzDecoder::new_stream(packed, stream).read_to_end(&mut out).map(|_| out)
        }
        Kind::Lz4 => Ok(unpack_lz4(packed)),
    };
    result.expect("it unpacks")
}

fn unpack_lz4(packed: &[u8]) -> Vec<u8> {
    let mut rest = packed.strip_prefix(&lz4_legacy::MAGIC).expect("the magic");
    let mut out = Vec::new();
    while let Some((len, chunk)) = rest.split_first_chunk() {
        let (chunk, after) = chunk.split_at(u32::from_le_bytes(*len) as usize);
        out.extend(lz4_flex::block::decompress(chunk, 8 << 20).expect("a chunk of 8 MiB at most"));
        rest = after;
    }
    out
}

/// Returns bytes that compress to about half, with repetitions at short and long distances.
fn text(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut out: Vec<u8> = Vec::with_capacity(len + 64);
    while out.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pick = state >> 40;
        let back = usize::try_from(pick % 50_000).expect("it fits") + 1;
        if pick.is_multiple_of(3) && back <= out.len() {
            let start = out.len() - back;
            out.extend_from_within(start..start + back.min(20));
        } else {
            out.extend(&state.to_le_bytes()[3..]);
        }
    }
    out.truncate(len);
    out
}

fn codec(text: &str) -> Codec {
    text.parse().expect("a codec")
}

#[test]
fn names_of_codecs_parse_back() {
    for (text, shown) in [
        ("none", "none"),
        ("gzip", "gzip:6"),
        ("gzip:12", "gzip:12"),
        ("zstd", "zstd:3"),
        ("zstd:19", "zstd:19"),
        ("lz4", "lz4:9"),
        ("lz4:1", "lz4:1"),
        ("xz", "xz:6"),
        ("xz:0", "xz:0"),
    ] {
        assert_eq!(codec(text).to_string(), shown);
        assert_eq!(codec(shown), codec(text));
    }
}

#[test]
fn errors_of_codecs_name_the_valid_values() {
    for (text, message) in [
        (
            "",
            "\"\" is not a compression; the valid values are none, gzip, zstd, lz4 and xz, with a level as in zstd:19",
        ),
        ("GZIP", "\"GZIP\" is not a compression"),
        ("bzip2", "bzip2 can be unpacked, but not written; the valid values are none, gzip"),
        ("gzip:", "\"\" is not a level of gzip; its levels are 1 to 12"),
        ("gzip:+6", "\"+6\" is not a level of gzip"),
        ("gzip:0", "gzip has no level 0; its levels are 1 to 12"),
        ("zstd:20", "zstd has no level 20; its levels are 1 to 19"),
        ("zstd:-1", "\"-1\" is not a level of zstd"),
        ("xz:10", "xz has no level 10; its levels are 0 to 9"),
        ("lz4:256", "\"256\" is not a level of lz4; its levels are 1 to 12"),
        ("none:1", "none compresses nothing, so it has no level: leave out `:1`"),
    ] {
        let error = text.parse::<Codec>().expect_err(text).to_string();
        assert!(error.starts_with(message), "{text}: {error}");
    }
    let error = codec("gzip").with_window_log(15).expect_err("it has one window").to_string();
    assert_eq!(error, "the window of gzip cannot be chosen, only those of zstd and xz");
    let error = codec("zstd").with_window_log(28).expect_err("the kernel refuses it").to_string();
    assert_eq!(error, "zstd has no window of 2^28 bytes; it takes 2^10 to 2^27");
}

/// Checks every level of every codec, with a segment of one piece.
#[test]
fn every_level_unpacks() {
    let bytes = text(300_000);
    for (name, levels) in [("gzip", 1..=12), ("zstd", 1..=19), ("lz4", 1..=12), ("xz", 0..=9)] {
        for level in levels {
            let codec = codec(&format!("{name}:{level}"));
            let packed = member(&codec, &bytes, 1);
            assert!(packed.len() < bytes.len(), "{codec}");
            assert!(unpack(&codec, &packed) == bytes, "{codec}");
        }
    }
}

/// Checks segments longer than a piece, at the boundaries of pieces, and incompressible bytes.
#[test]
fn long_segments_unpack() {
    for name in ["gzip:1", "lz4:1", "xz:0"] {
        let codec = codec(name);
        let most = codec.max_piece_len();
        let all = text(usize::try_from(most + (8 << 20)).expect("it fits"));
        for len in [most, most + 1, most + (8 << 20)] {
            let bytes = &all[..usize::try_from(len).expect("it fits")];
            assert!(unpack(&codec, &member(&codec, bytes, 1)) == bytes, "{codec} of {len} bytes");
        }
    }
}

#[test]
fn a_long_frame_depends_on_its_bytes_alone() {
    let bytes = text(20 << 20);
    for codec in [codec("zstd:1"), codec("zstd:3"), codec("zstd").with_window_log(12).expect("a window")] {
        let packed = long(&codec, &bytes, 1, 1 << 20);
        assert!(unpack(&codec, &packed) == bytes);
        for (threads, slice_len) in [(2, 1 << 20), (7, 1 << 20), (7, 77_777), (3, bytes.len())] {
            assert!(long(&codec, &bytes, threads, slice_len) == packed, "{threads} threads by {slice_len}");
        }
    }
}

#[test]
fn a_frame_with_too_few_bytes_is_an_error() {
    let mut frame = LongFrame::new(&codec("zstd"), 10, 1).expect("memory");
    frame.push(b"123", &mut Vec::new()).expect("memory");
    frame.finish(&mut Vec::new()).expect_err("seven bytes are missing");
    LongFrame::new(&codec("gzip"), 10, 1).expect_err("gzip has no such frames");
}

/// Checks the headers that the kernel requires: no extra field in gzip; a length and a checksum, a
/// window within 8 MiB in zstd; a CRC-32 and the requested dictionary in xz.
#[test]
fn headers_are_those_that_the_kernel_recognizes() {
    let bytes = text(9 << 20);
    let long = text(17 << 20);
    for bytes in [&bytes, &long] {
        let gzip = member(&codec("gzip:1"), bytes, 1);
        assert_eq!(gzip[..4], [0x1f, 0x8b, 8, 0], "no flags");
        assert_eq!(gzip[4..8], [0; 4], "no time");
        assert!(member(&codec("xz:0"), &bytes[..5000], 1).starts_with(b"\xfd7zXZ\0\0\x01"), "a CRC-32");
    }
    for level in ["zstd:1", "zstd:19"] {
        let zstd = member(&codec(level), &bytes[..if level == "zstd:1" { 9 << 20 } else { 2 << 20 }], 1);
        assert_eq!(zstd[..4], [0x28, 0xb5, 0x2f, 0xfd]);
        assert_eq!(zstd[4] & 0b100, 0b100, "a checksum");
        assert!(zstd[4] >> 6 > 0 || zstd[4] & 0b10_0000 != 0, "a content size");
    }
    // The only property of LZMA2 is the dictionary size: 40 is 4 GiB, 16 is 1 MiB.
    let xz = member(&codec("xz:9"), &bytes[..5000], 1);
    assert_eq!(xz[12..17], [2, 0, 0x21, 1, 16]);
    let xz = member(&codec("xz:9").with_window_log(23).expect("a dictionary"), &bytes[..5000], 1);
    assert_eq!(xz[12..17], [2, 0, 0x21, 1, 22]);
}

#[test]
fn compression_stops_when_the_callback_returns_false() {
    let bytes = text(3 << 20);
    for name in ["xz:0", "zstd:10"] {
        let piece = Piece { context: &[], bytes: &bytes, is_whole: true };
        let error = codec(name).compress(piece, &|| false).expect_err("it has to stop");
        assert_eq!(error.kind(), io::ErrorKind::Interrupted, "{name}");
    }
}

#[test]
fn the_identity_has_everything_that_affects_the_bytes() {
    let window = codec("xz").with_window_log(21).expect("a dictionary");
    let mut seen = std::collections::BTreeSet::new();
    for codec in
        [codec("xz"), window, codec("xz:5"), codec("gzip:5"), codec("lz4:5"), codec("zstd:5"), Codec::NONE]
    {
        assert!(seen.insert(codec.identity()), "{}", codec.identity());
    }
}

/// Numbers in the index of an xz stream have 7 bits per byte.
#[test]
fn lengths_around_each_size_of_their_encoding_unpack() {
    let codec = codec("xz:0");
    for len in [127, 128, 129, 16_383, 16_384, 16_511, 16_512, 2_097_151, 2_097_152] {
        let bytes = text(len);
        assert!(unpack(&codec, &member(&codec, &bytes, 1)) == bytes, "{len} bytes");
    }
}

#[test]
fn long_gzip_members_begin_like_those_of_libdeflate() {
    for level in 1..=12 {
        let codec = Codec::new(Compression::Gzip, Some(level)).expect("a level of gzip");
        let empty = Piece { context: b"", bytes: b"", is_whole: true };
        let short = codec.compress(empty, &|| true).expect("there is memory");
        assert_eq!(gzip::Frame::new(level).head(), &short.bytes[..10], "level {level}");
    }
}

#[test]
fn a_piece_of_gzip_refers_to_the_bytes_before_it() {
    let bytes = text(30_000);
    let len = |context| {
        let piece = Piece { context, bytes: &bytes, is_whole: false };
        codec("gzip").compress(piece, &|| true).expect("there is memory").bytes.len()
    };
    let (with, without) = (len(&bytes), len(&[]));
    assert!(with * 10 < without, "{with} bytes, and {without} without the bytes before");
}

#[test]
fn the_longest_piece_is_a_whole_segment() {
    for name in ["gzip", "zstd", "zstd:9", "zstd:19", "lz4", "xz"] {
        let piece_len = codec(name).max_piece_len();
        let whole = Division::Pieces { piece_len, context_len: 0 };
        assert_eq!(codec(name).division(piece_len), whole, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, rng_seed: RngSeed::Fixed(0), ..ProptestConfig::default() })]

    /// Checks arbitrary pieces, as parts of one gzip member and as blocks of one xz stream.
    #[test]
    fn pieces_of_any_length_form_a_member(pieces in prop::collection::vec(any_bytes(), 1..5)) {
        let all = pieces.concat();
        for name in ["gzip:1", "gzip:6", "xz:1", "lz4:2"] {
            let codec = codec(name);
            let mut member = match codec.kind() {
                // Treat the segment as a long one.
                Kind::Gzip => Member::new(&codec, u64::MAX),
                _ => Member::new(&codec, all.len() as u64),
            };
            let mut out = member.head().to_vec();
            let mut start = 0;
            for bytes in &pieces {
                let context = match codec.kind() {
                    Kind::Gzip => &all[start - start.min(32 << 10)..start],
                    _ => &[],
                };
                let packed = codec.compress(Piece { context, bytes, is_whole: false }, &|| true).expect("memory");
                out.extend(&packed.bytes);
                member.add(bytes.len() as u64, packed.note);
                start += bytes.len();
            }
            out.extend(member.tail());
            prop_assert!(unpack(&codec, &out) == all, "{}", codec);
        }
    }
}

/// Generates repetitive bytes, random bytes, or a few bytes.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 1..200),
        (1..70_000_usize).prop_map(text),
        (any::<u8>(), 1..70_000_usize).prop_map(|(byte, len)| vec![byte; len]),
        (any::<u64>(), 1..40_000_usize).prop_map(|(seed, len)| {
            (0..len as u64)
                .map(|at| (at ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()[7])
                .collect()
        }),
    ]
}
