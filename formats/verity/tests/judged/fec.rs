//! Forward error correction is that of veritysetup.

use dm_verity::{Options, Salt, plan};

use crate::cases::{data, fec_area, hash_area, noise, options, roots, size, tree};
use crate::judge::{Veritysetup, arguments};

fn check(judge: &Veritysetup, options: &Options, blocks: u64) {
    let data = data(options, blocks);
    let theirs = judge.format(options, &data);
    let ours = tree(options, &data);
    let context = || format!("{blocks} blocks, {options:?}");
    assert_eq!(*ours.root_hash(), theirs.root_hash, "{}", context());
    assert!(hash_area(&ours) == theirs.hash_area, "another tree: {}", context());
    assert!(fec_area(&ours) == theirs.fec_area, "another parity: {}", context());
    let layout = ours.layout().fec().expect("the options ask for it");
    assert_eq!(layout.len(), theirs.fec_area.len() as u64);
}

#[test]
fn parity_is_that_of_veritysetup_for_every_number_of_roots() {
    let Some(judge) = Veritysetup::new() else { return };
    for (index, number) in (0..).zip(2..=24) {
        let all = options(512, 512);
        let mut options = all[index % all.len()].clone();
        options.fec = Some(roots(number));
        check(&judge, &options, 300);
    }
}

/// The numbers of data blocks with which data and tree fill this many rounds, or have a block more.
fn around_rounds(options: &Options, rounds: u64) -> [u64; 2] {
    let fec = options.fec.expect("the options ask for it");
    let full = rounds * (255 - u64::from(fec.get()));
    let covered = |blocks: u64| {
        let layout = plan(options, blocks * u64::from(options.data_block_size.bytes()));
        layout.expect("valid").fec().expect("the options ask for it").blocks()
    };
    // From two blocks on, each block adds one, or more with a new hash block.
    let blocks = (1..full).rev().find(|blocks| covered(*blocks) <= full).expect("one block fits");
    [blocks, blocks + 1]
}

#[test]
fn parity_is_that_of_veritysetup_around_each_round() {
    let Some(judge) = Veritysetup::new() else { return };
    for mut options in options(512, 512) {
        for number in [2, 24] {
            options.fec = Some(roots(number));
            for blocks in
                [1, 2].into_iter().chain([1, 2, 3].into_iter().flat_map(|n| around_rounds(&options, n)))
            {
                check(&judge, &options, blocks);
            }
        }
    }
    let mut options = Options::new(Salt::new(noise(32, 9)).expect("valid"));
    options.fec = Some(roots(2));
    for blocks in around_rounds(&options, 1) {
        check(&judge, &options, blocks);
    }
}

/// The parity of a block of this size is longer than a rendered run.
#[test]
fn parity_of_large_blocks_is_that_of_veritysetup() {
    let Some(judge) = Veritysetup::new() else { return };
    let mut options = Options::new(Salt::EMPTY);
    options.data_block_size = size(65_536);
    options.hash_block_size = size(65_536);
    options.fec = Some(roots(24));
    check(&judge, &options, 3);
}

/// On a shared device, the superblock is not covered, and the offsets are behind data and tree.
#[test]
fn data_tree_and_parity_may_share_a_file() {
    let Some(judge) = Veritysetup::new() else { return };
    for superblock in [None, Some(crate::judge::UUID)] {
        let mut options = Options::new(Salt::new(noise(32, 1)).expect("valid"));
        options.superblock = superblock;
        options.fec = Some(roots(4));
        let data = data(&options, 130);
        let ours = tree(&options, &data);
        let layout = ours.layout();
        let fec_offset = layout.data_len() + layout.hash_area_len();
        judge.write("disk", &data);
        let mut arguments = arguments(&options);
        arguments.splice(0..0, ["format", "disk", "disk", "--fec-device", "disk"].map(str::to_owned));
        for (name, value) in
            [("--hash-offset", layout.data_len()), ("--fec-offset", fec_offset), ("--data-blocks", 130)]
        {
            arguments.extend([name.to_owned(), value.to_string()]);
        }
        let ended = judge.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(ended.succeeded, "{}", ended.output);
        let expected = [data, hash_area(&ours), fec_area(&ours)].concat();
        assert!(judge.read("disk") == expected, "other bytes with superblock {superblock:?}");
        assert_eq!(layout.total_len(1), Ok(expected.len() as u64));
    }
}

/// Proves that the judge checks the parity: it finds what the parity could repair, and no more.
#[test]
fn veritysetup_finds_errors_repairable_with_this_parity() {
    let Some(judge) = Veritysetup::new() else { return };
    let mut options = Options::new(Salt::new(noise(16, 2)).expect("valid"));
    options.superblock = Some(crate::judge::UUID);
    options.fec = Some(roots(2));
    let mut data = data(&options, 300);
    let ours = tree(&options, &data);
    judge.write("hash", &hash_area(&ours));
    judge.write("fec", &fec_area(&ours));
    let root_hash = ours.root_hash().to_string();
    data[7 * 4096 + 1] ^= 0x40;
    let verify = |data: &[u8]| {
        judge.write("data", data);
        judge.run(&["verify", "data", "hash", &root_hash, "--fec-device", "fec", "--fec-roots", "2"])
    };
    let ended = verify(&data);
    assert!(ended.succeeded && ended.output.contains("Found 1 repairable errors"), "{}", ended.output);
    // Two wrong bytes in one code word, whose two parity bytes correct one: blocks at a distance of
    // two rounds share code words.
    assert_eq!(ours.layout().fec().map(|fec| fec.rounds()), Some(2));
    data[9 * 4096 + 1] ^= 0x40;
    let ended = verify(&data);
    assert!(!ended.succeeded, "{}", ended.output);
}
