use super::*;

fn text(len: usize) -> Vec<u8> {
    (0..len).map(|index| b"0123456789abcdefghijklmn"[(index * index / 7) % 24]).collect()
}

#[test]
fn codecs_are_read_and_printed_with_their_level() {
    for (text, shown) in [
        ("lz4", "lz4"),
        ("lz4hc", "lz4hc:9"),
        ("lz4hc:12", "lz4hc:12"),
        ("deflate", "deflate:6"),
        ("zstd", "zstd:3"),
    ] {
        assert_eq!(text.parse::<Codec>().unwrap().to_string(), shown);
    }
    let refused = |text: &str| text.parse::<Codec>().unwrap_err().to_string();
    assert_eq!(refused("lz4:3"), "lz4 has no levels: leave out `:3`");
    assert_eq!(refused("lz4hc:13"), "lz4hc has no level \"13\"; its levels are 1 to 12");
    for level in ["", "0", "-1", "+3", "23", "3x", "999"] {
        assert!(matches!(format!("zstd:{level}").parse::<Codec>(), Err(CodecError::Level { .. })), "{level}");
    }
    assert!(matches!("xz".parse::<Codec>(), Err(CodecError::Unknown(_))));
}

#[test]
fn what_is_compressed_is_decoded_by_the_libraries() {
    let random = noise(70_000);
    for bytes in [text(1), text(13), text(5000), text(131_072), vec![0; 1 << 20], random] {
        for codec in ["lz4", "lz4hc:1", "lz4hc:9", "lz4hc:12", "deflate:1", "deflate:12", "zstd:1", "zstd:19"]
        {
            let codec: Codec = codec.parse().unwrap();
            let packed = codec.compress(&bytes).unwrap();
            assert_ne!(packed[0], 0, "{codec}: readers skip zeros");
            let decoded = match codec.algorithm() {
                Algorithm::Lz4 => lz4_decoded(&packed, bytes.len()),
                Algorithm::Deflate => {
                    let mut out = vec![0; bytes.len()];
                    libdeflater::Decompressor::new().deflate_decompress(&packed, &mut out).unwrap();
                    out
                }
                Algorithm::Zstd => ::zstd::bulk::decompress(&packed, bytes.len()).unwrap(),
            };
            assert!(decoded == bytes, "{codec} of {} bytes", bytes.len());
        }
    }
}

fn lz4_decoded(packed: &[u8], len: usize) -> Vec<u8> {
    ::lz4::block::decompress(packed, Some(i32::try_from(len).unwrap())).unwrap()
}

/// Bytes that no codec makes shorter.
fn noise(len: usize) -> Vec<u8> {
    let hasher = sha256_lanes::BlockHasher::new(b"", b"");
    (0u32..).flat_map(|index| hasher.hash_one(&index.to_le_bytes())).take(len).collect()
}
