use std::io::Write;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn lzma(bytes: &[u8], stream: Stream) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    lzma(bytes, Stream::new_easy_encoder(0, liblzma::stream::Check::Crc32).expect("memory"))
}

fn lzma_alone(bytes: &[u8]) -> Vec<u8> {
    let options = liblzma::stream::LzmaOptions::new_preset(1).expect("a preset");
    lzma(bytes, Stream::new_lzma_encoder(&options).expect("memory"))
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory")
}

type Pack = fn(&[u8]) -> Vec<u8>;

const ALL: [(Compression, Pack); 6] = [
    (Compression::Gzip, gzip),
    (Compression::Zstd, zstd),
    (Compression::Xz, xz),
    (Compression::Lzma, lzma_alone),
    (Compression::Bzip2, bzip2),
    (Compression::Lz4, lz4),
];

/// Returns the unpacked bytes, and the number of zeros behind them.
fn unpacked(packed: &[u8], memory: Option<u64>) -> Result<(Vec<u8>, u64), String> {
    let mut reader = Decompressed::new(packed, Compression::of(packed), memory);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok((bytes, reader.padding()))
}

/// Bytes that fill more than one block of every format but bzip2, whose blocks are of 900 kB.
fn text() -> Vec<u8> {
    (0..300_000_u32).flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn decompresses_every_format() {
    for (compression, pack) in ALL {
        let packed = pack(&text());
        assert_eq!(Compression::of(&packed), Some(compression));
        assert_eq!(unpacked(&packed, None), Ok((text(), 0)), "{}", compression.name());
        assert_eq!(unpacked(&pack(b""), None), Ok((Vec::new(), 0)), "{}", compression.name());
    }
}

#[test]
fn concatenated_streams_are_one() {
    for (compression, pack) in ALL {
        let two = [pack(b"one"), pack(b""), pack(b"two")].concat();
        let found = unpacked(&two, None);
        if compression == Compression::Lzma {
            assert!(found.is_err(), "a file of .lzma ends where it ends");
        } else {
            assert_eq!(found, Ok((b"onetwo".to_vec(), 0)), "{}", compression.name());
        }
    }
    let skipped =
        [&b"\x50\x2a\x4d\x18\x03\0\0\0abc"[..], &zstd(b"one"), b"\x5f\x2a\x4d\x18\0\0\0\0"].concat();
    assert_eq!(unpacked(&skipped, None), Ok((b"one".to_vec(), 0)));
}

#[test]
fn trailing_zeros_are_counted_and_other_bytes_refused() {
    for (compression, pack) in ALL {
        let name = compression.name();
        let with = |tail: &[u8]| unpacked(&[&pack(b"one")[..], tail].concat(), None);
        assert_eq!(with(&[0; 513]), Ok((b"one".to_vec(), 513)), "{name}");
        assert_eq!(with(&vec![0; 300_000]), Ok((b"one".to_vec(), 300_000)), "{name}");
        for tail in [&b"x"[..], b"\0\0\0\0x", b"\0\0\0\0\x1f\x8b\0\0"] {
            let expected = format!("bytes that are neither {name} nor zeros follow its end");
            assert_eq!(with(tail), Err(expected), "{name} {tail:?}");
        }
    }
    // Streams of xz may be padded, in steps of four bytes.
    let padded = |zeros: usize| unpacked(&[xz(b"one"), vec![0; zeros], xz(b"two")].concat(), None);
    assert_eq!(padded(4), Ok((b"onetwo".to_vec(), 0)));
    assert!(padded(3).is_err());
}

#[test]
fn refuses_truncated_streams() {
    for (compression, pack) in ALL {
        let packed = pack(&text());
        for cut in [packed.len() - 1, packed.len() / 2, packed.len() / 3, 14] {
            assert!(unpacked(&packed[..cut], None).is_err(), "{} cut at {cut}", compression.name());
        }
    }
    // Behind a whole block, of which the header is 7 bytes long and the length four.
    let packed = lz4(&text());
    let length = u32::from_le_bytes([packed[7], packed[8], packed[9], packed[10]]) & !(1 << 31);
    let cut = 11 + usize::try_from(length).expect("small");
    assert_eq!(unpacked(&packed[..cut], None), Err("the frame is cut off".to_owned()));
}

#[test]
fn refuses_endless_zeros() {
    let packed = gzip(b"one");
    let mut reader = Decompressed::new(packed.as_slice().chain(io::repeat(0)), Some(Compression::Gzip), None);
    let error = reader.read_to_end(&mut Vec::new()).expect_err("they do not end").to_string();
    assert_eq!(error, "more than 67108864 bytes of zeros follow its end");
}

#[test]
fn limits_the_memory_of_decoders() {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).expect("memory");
    encoder.window_log(20).expect("a window");
    encoder.write_all(&text()).expect("memory");
    let packed = encoder.finish().expect("memory");
    let error = unpacked(&packed, Some((1 << 20) - 1)).expect_err("too little");
    assert!(error.contains("its window is 1048576 bytes, the limit is 1048575; --decoder-memory"), "{error}");
    assert_eq!(unpacked(&packed, Some(1 << 20)), Ok((text(), 0)));

    for (packed, name) in [(xz(&text()), "xz"), (lzma_alone(&text()), "lzma")] {
        let error = unpacked(&packed, Some(100_000)).expect_err("too little");
        let needs = error.strip_prefix("its dictionary takes ").and_then(|rest| rest.split(' ').next());
        let needs: u64 =
            needs.and_then(|needs| needs.parse().ok()).unwrap_or_else(|| panic!("{name}: {error}"));
        assert!(error.ends_with("the limit is 100000; --decoder-memory sets the limit"), "{error}");
        assert!(unpacked(&packed, Some(needs - 1)).is_err(), "{name} needs less than {needs}");
        assert_eq!(unpacked(&packed, Some(needs)), Ok((text(), 0)), "{name}");
    }
}

#[test]
fn recognizes_lzma_headers() {
    let header = |properties: u8, dictionary: u32, size: u64| {
        [&[properties][..], &dictionary.to_le_bytes(), &size.to_le_bytes()].concat()
    };
    for good in [header(0x5d, 1 << 23, u64::MAX), header(0x5d, 3 << 20, 5), header(0, u32::MAX, 0)] {
        assert_eq!(Compression::of(&good), Some(Compression::Lzma), "{good:x?}");
    }
    for bad in [
        header(225, 1 << 23, 0),
        header(0x5d, 5 << 20, 0),
        header(0x5d, 1 << 11, 0),
        header(0x5d, 1 << 23, 1 << 38),
        header(0x5d, 1 << 23, 0)[..12].to_vec(),
        b"/ 0 40755 2 0 0 0".to_vec(),
        vec![0; 20],
    ] {
        assert_eq!(Compression::of(&bad), None, "{bad:x?}");
    }
}
