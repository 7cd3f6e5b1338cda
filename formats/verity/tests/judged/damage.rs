//! A flipped bit is found by veritysetup and by this crate, at the same block.

use dm_verity::{HashTree, Options, RootHash, Superblock, Verifier, VerifyError, plan};

use crate::cases::{data, hash_area, layout, options, tree};
use crate::judge::Veritysetup;

/// Verifies data in chunks of 13 blocks, and returns the first error.
fn verify(tree: &HashTree, root_hash: &RootHash, data: &[u8], area: &Vec<u8>) -> Option<VerifyError> {
    let block_size = usize::try_from(tree.layout().options().data_block_size.bytes()).expect("small");
    let verifier = match Verifier::new(tree.layout(), root_hash, area, 0) {
        Ok(verifier) => verifier,
        Err(error) => return Some(error),
    };
    (0..)
        .step_by(13)
        .zip(data.chunks(13 * block_size))
        .find_map(|(first, chunk)| verifier.verify(first, chunk).err())
}

fn all_options() -> Vec<Options> {
    [(4096, 512), (512, 512), (4096, 4096)].into_iter().flat_map(|(data, hash)| options(data, hash)).collect()
}

#[test]
fn a_flipped_bit_of_the_data_is_found_at_the_same_offset() {
    let judge = Veritysetup::new();
    for options in all_options() {
        let mut data = data(&options, 300);
        let tree = tree(&options, &data);
        let area = hash_area(&tree);
        assert!(verify(&tree, tree.root_hash(), &data, &area).is_none(), "{options:?}");
        let block_size = u64::from(options.data_block_size.bytes());
        // The first and the last block, a block of zeros, and the later one of two.
        for (index, bad) in [0, 299, 150, 77].into_iter().enumerate() {
            let at = usize::try_from(bad * block_size).expect("small") + index * 100;
            data[at] ^= 0x10;
            let offset = bad * block_size;
            let found = verify(&tree, tree.root_hash(), &data, &area);
            assert!(
                matches!(found, Some(VerifyError::DataBlock { block, offset: at }) if (block, at) == (bad, offset)),
                "{found:?}"
            );
            if let Some(judge) = &judge {
                judge.write("data", &data);
                judge.write("hash", &area);
                let ended = judge.verify(&options, 300, tree.root_hash());
                let expected = format!("Verification failed at position {offset}.");
                assert!(!ended.succeeded && ended.output.contains(&expected), "{expected} {}", ended.output);
            }
            data[at] ^= 0x10;
        }
    }
}

#[test]
fn the_first_of_several_bad_blocks_is_named() {
    let options = &options(512, 512)[0];
    let mut data = data(options, 100);
    let tree = tree(options, &data);
    for block in [90, 41, 40] {
        data[block * 512] ^= 1;
        let found = verify(&tree, tree.root_hash(), &data, &hash_area(&tree)).expect("it is bad");
        assert_eq!(
            found.to_string(),
            format!("data block {block} at offset {} is not what the hash tree was made of", block * 512)
        );
    }
}

#[test]
fn a_flipped_bit_of_each_level_is_found_at_its_block() {
    let judge = Veritysetup::new();
    for options in options(512, 512) {
        let data = data(&options, 300);
        let tree = tree(&options, &data);
        let area = hash_area(&tree);
        assert!(tree.layout().levels().len() >= 3);
        for (bad_level, level) in tree.layout().levels().iter().enumerate() {
            let bad_block = level.blocks - 1;
            let bad_offset = tree.layout().superblock_len() + (level.first_block + bad_block) * 512;
            let mut area = area.clone();
            area[usize::try_from(bad_offset).expect("small") + 3] ^= 0x80;
            let found = verify(&tree, tree.root_hash(), &data, &area);
            assert!(
                matches!(found, Some(VerifyError::HashBlock { level, block, offset })
                    if (level, block, offset) == (bad_level, bad_block, bad_offset)),
                "{found:?}"
            );
            if let Some(judge) = &judge {
                judge.write("data", &data);
                judge.write("hash", &area);
                let ended = judge.verify(&options, 300, tree.root_hash());
                assert!(!ended.succeeded, "level {bad_level}: {}", ended.output);
            }
        }
    }
}

#[test]
fn another_root_hash_is_a_bad_top_block() {
    for (blocks, options) in [(1, &options(512, 512)[0]), (2, &options(512, 512)[1])] {
        let data = data(options, blocks);
        let tree = tree(options, &data);
        let mut bytes = tree.root_hash().as_bytes().to_vec();
        bytes[31] ^= 1;
        let found = verify(&tree, &RootHash::new(bytes).expect("valid"), &data, &hash_area(&tree));
        match (blocks, found) {
            // A single block has no hash block.
            (1, Some(VerifyError::DataBlock { block: 0, offset: 0 }))
            | (2, Some(VerifyError::HashBlock { level: 0, block: 0, offset: 512 })) => {}
            (_, found) => panic!("{blocks}: {found:?}"),
        }
    }
}

#[test]
fn areas_and_data_of_the_wrong_length_are_refused() {
    let options = &options(512, 512)[1];
    let data = data(options, 20);
    let tree = tree(options, &data);
    let mut area = hash_area(&tree);
    let superblock = Superblock::parse(&area).expect("there is one");
    let described = plan(&superblock.options(), superblock.data_len()).expect("it is valid");
    assert_eq!(described, layout(options, &data), "the superblock describes the whole tree");

    let verifier = Verifier::new(&described, tree.root_hash(), &area, 0).expect("it is intact");
    assert!(matches!(verifier.verify(0, &data[..700]), Err(VerifyError::Input(_))));
    assert!(matches!(verifier.verify(1, &data), Err(VerifyError::Input(_))));
    assert!(matches!(verifier.verify(u64::MAX, &data[..512]), Err(VerifyError::Input(_))));
    assert!(verifier.verify(3, &data[3 * 512..]).is_ok());
    let longer = RootHash::new([7; 64]).expect("a digest of SHA-512");
    let found = Verifier::new(&described, &longer, &area, 0);
    assert!(matches!(found, Err(VerifyError::Input(_))), "{found:?}");

    area.insert(0, 0);
    assert!(Verifier::new(&described, tree.root_hash(), &area, 1).is_ok());
    area.pop();
    let found = Verifier::new(&described, tree.root_hash(), &area, 1).expect_err("it is too short");
    let len = area.len();
    let expected = format!("the hash area ends at {len} bytes, the hash tree ends at {}", len + 1);
    assert_eq!(found.to_string(), expected);
}
