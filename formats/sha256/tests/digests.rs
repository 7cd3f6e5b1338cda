//! Every engine of this processor gives the digests of FIPS 180-4.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sha2::{Digest as _, Sha256};
use sha256_lanes::{BlockHasher, Digest, Engine};

/// The hashers of one engine each, and the one that chooses.
fn hashers(prefix: &[u8], suffix: &[u8]) -> Vec<(String, BlockHasher)> {
    let forced = Engine::ALL.into_iter().filter_map(|engine| {
        let hasher = BlockHasher::with_engine(prefix, suffix, engine);
        assert_eq!(hasher.is_some(), engine.is_available(), "{engine}");
        Some((engine.to_string(), hasher?))
    });
    forced.chain([("chosen".to_owned(), BlockHasher::new(prefix, suffix))]).collect()
}

/// Returns the digests in the order of the blocks; each was given once.
fn digests(hasher: &BlockHasher, blocks: &[&[u8]]) -> Vec<Digest> {
    let mut found = vec![None; blocks.len()];
    hasher.hash(blocks, |index, digest| {
        assert_eq!(found[index].replace(digest), None, "block {index} has two digests");
    });
    found.into_iter().map(|digest| digest.expect("every block has a digest")).collect()
}

fn hex(digest: Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// The examples of NIST for FIPS 180-2 and 180-4, each in every lane, and divided into prefix, block
/// and suffix.
#[test]
fn known_messages_have_their_digests() {
    let million = vec![b'a'; 1_000_000];
    let known: [(&[u8], &str); 5] = [
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (
            b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrs\
              mnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
        ),
        (&million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ];
    for (message, expected) in known {
        for (start, end) in [(0, 0), (1, 2), (0, 7), (5, 5), (64, 65), (70, 96)] {
            let (start, end) = (start.min(message.len()), end.min(message.len()));
            let (prefix, suffix) = (&message[..start], &message[message.len() - (end - start)..]);
            let block = &message[start..message.len() - (end - start)];
            for (engine, hasher) in hashers(prefix, suffix) {
                for digest in digests(&hasher, &[block; 16]) {
                    assert_eq!(hex(digest), expected, "{engine} {} bytes, {start}, {end}", message.len());
                }
            }
        }
    }
}

/// Every number of blocks up to more than two rounds of the widest engine, every length around the
/// ends of blocks, with prefixes and suffixes around them.
#[test]
fn every_count_and_length_has_the_digests_of_sha2() {
    let data = noise(40 * 200, 1);
    let affixes = [(0, 0), (32, 0), (0, 32), (63, 1), (64, 0), (65, 55), (128, 56), (256, 0), (0, 256)];
    for (prefix, suffix) in affixes {
        let (prefix, suffix) = (noise(prefix, 2), noise(suffix, 3));
        let hashers = hashers(&prefix, &suffix);
        for len in [0, 1, 31, 32, 33, 54, 55, 56, 63, 64, 65, 96, 119, 120, 127, 128, 129, 192] {
            let blocks: Vec<&[u8]> = (0..40).map(|index| &data[index * 200..][..len]).collect();
            let expected: Vec<Digest> = blocks
                .iter()
                .map(|block| {
                    let message = [&prefix, *block, &suffix].concat();
                    Sha256::digest(message).into()
                })
                .collect();
            for (engine, hasher) in &hashers {
                for count in [0, 1, 2, 3, 5, 7, 8, 9, 10, 15, 16, 17, 24, 31, 33, 40] {
                    let found = digests(hasher, &blocks[..count]);
                    assert!(
                        found == expected[..count],
                        "{engine}: {count} blocks of {len} bytes after {} and before {}",
                        prefix.len(),
                        suffix.len(),
                    );
                }
                assert_eq!(hasher.hash_one(blocks[0]), expected[0]);
            }
        }
    }
}

#[test]
fn blocks_of_different_lengths_are_a_panic() {
    for (engine, hasher) in hashers(b"", b"") {
        let hash = || hasher.hash(&[b"one", b"three"], |_, _| {});
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(hash));
        assert!(panic.is_err(), "{engine}");
    }
}

/// A processor of this kind has the engines whose instructions it lists, so that none is left
/// untested because it was not detected.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[test]
fn engines_are_those_of_the_processor() {
    let info = std::fs::read_to_string("/proc/cpuinfo").expect("Linux has it");
    let flags: Vec<&str> = info
        .lines()
        .find_map(|line| line.strip_prefix("flags"))
        .map(|flags| flags.split_whitespace().collect())
        .unwrap_or_default();
    for (engine, flag) in [(Engine::Avx2, "avx2"), (Engine::Sha, "sha_ni"), (Engine::Avx512, "avx512bw")] {
        assert_eq!(engine.is_available(), flags.contains(&flag), "{engine}");
    }
    assert!(Engine::Portable.is_available());
    assert_eq!(Engine::ALL.map(Engine::lanes), [1, 8, 2, 16]);
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(14), failure_persistence: None, ..ProptestConfig::with_cases(200)
    })]

    #[test]
    fn all_engines_agree_with_sha2(
        prefix in vec(any::<u8>(), 0..300),
        suffix in vec(any::<u8>(), 0..300),
        len in 0..5000usize,
        count in 1..36usize,
        seed in any::<u64>(),
    ) {
        let data = noise(len * count, seed);
        let blocks: Vec<&[u8]> = (0..count).map(|index| &data[index * len..][..len]).collect();
        let state = Sha256::new_with_prefix(&prefix);
        let expected: Vec<Digest> = blocks
            .iter()
            .map(|block| state.clone().chain_update(block).chain_update(&suffix).finalize().into())
            .collect();
        for (engine, hasher) in hashers(&prefix, &suffix) {
            prop_assert!(digests(&hasher, &blocks) == expected, "{engine}");
        }
    }
}
