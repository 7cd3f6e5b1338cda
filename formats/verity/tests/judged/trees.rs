//! Hash trees and superblocks are those of veritysetup.

use dm_verity::{Options, Superblock};

use crate::cases::{around_levels, data, hash_area, options, tree};
use crate::judge::Veritysetup;

/// Sizes of data and hash blocks, and the maximum number of data blocks.
const SIZES: [(u64, u64, u64); 8] = [
    (512, 512, 600),
    (512, 4096, 600),
    (1024, 512, 70),
    (4096, 512, 70),
    (4096, 4096, 200),
    (4096, 65_536, 5),
    (65_536, 4096, 5),
    (65_536, 65_536, 3),
];

fn check(judge: &Veritysetup, options: &Options, blocks: u64) {
    let data = data(options, blocks);
    let mut theirs = judge.format(options, &data);
    let ours = tree(options, &data);
    let context = || format!("{blocks} blocks, {options:?}");
    assert_eq!(*ours.root_hash(), theirs.root_hash, "{}", context());
    if ours.layout().tree_blocks() == 0 {
        // Nothing follows the superblock, and veritysetup ends the file before its hash block ends.
        let len = hash_area(&ours).len();
        assert!(theirs.hash_area.len() <= len, "{}", context());
        theirs.hash_area.resize(len, 0);
    }
    assert!(hash_area(&ours) == theirs.hash_area, "other bytes: {}", context());
    assert_eq!(ours.layout().hash_area_len(), theirs.hash_area.len() as u64);
    if let Some(superblock) = ours.layout().superblock() {
        assert_eq!(Superblock::parse(&theirs.hash_area), Ok(superblock));
    }
}

#[test]
fn the_bytes_are_those_of_veritysetup_around_each_level() {
    let Some(judge) = Veritysetup::new() else { return };
    let mut count = 0;
    for (data, hash, max) in SIZES {
        for options in options(data, hash) {
            for blocks in around_levels(&options, max) {
                check(&judge, &options, blocks);
                count += 1;
            }
        }
    }
    assert!(count >= 300, "only {count} trees were compared");
}

#[test]
fn three_levels_of_4096_byte_blocks_match_veritysetup() {
    let Some(judge) = Veritysetup::new() else { return };
    // 64 digests of SHA-512 a block: 4097 blocks have three levels.
    let options = options(4096, 4096);
    for options in options.iter().filter(|options| options.algorithm.digest_len() == 64) {
        check(&judge, options, 4097);
    }
}

#[test]
fn veritysetup_verifies_what_is_written_and_dumps_the_superblock() {
    let Some(judge) = Veritysetup::new() else { return };
    for options in options(4096, 512) {
        let data = data(&options, 300);
        let tree = tree(&options, &data);
        judge.write("data", &data);
        judge.write("hash", &hash_area(&tree));
        let ended = judge.verify(&options, 300, tree.root_hash());
        assert!(ended.succeeded, "{options:?}: {}", ended.output);
        if options.superblock.is_none() {
            continue;
        }
        let dump = judge.run(&["dump", "hash"]).output;
        for (name, value) in [
            ("UUID", crate::judge::UUID.to_string()),
            ("Hash type", options.hash_type.number().to_string()),
            ("Data blocks", "300".to_owned()),
            ("Data block size", "4096".to_owned()),
            ("Hash block size", "512".to_owned()),
            ("Hash blocks", tree.layout().tree_blocks().to_string()),
            ("Hash algorithm", options.algorithm.to_string()),
            ("Salt", options.salt.to_string()),
        ] {
            let line = dump.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
            assert_eq!(words.first(), Some(&value.as_str()), "{name} in {dump}");
        }
    }
}
