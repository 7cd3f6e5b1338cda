//! Tests of what is kept and refused; the digests themselves are compared with veritysetup.

use image_runs::read_all;

use super::DataHasher;
use crate::{BlockSize, Error, FecRoots, HashAlgorithm, HashTree, Options, Salt, Verifier, plan};

fn options() -> Options {
    let block_size = BlockSize::new(512).expect("valid");
    Options {
        data_block_size: block_size,
        hash_block_size: block_size,
        fec: Some(FecRoots::DEFAULT),
        ..Options::new(Salt::new(*b"salt").expect("valid"))
    }
}

fn hasher(len: usize) -> DataHasher {
    DataHasher::new(&plan(&options(), len as u64).expect("valid")).expect("it is small")
}

fn bytes_of(tree: &HashTree) -> (Vec<u8>, Vec<u8>) {
    let fec = tree.fec_area().expect("there is one");
    let read = "memory does not fail";
    (read_all::<Vec<u8>>(&tree.hash_area()).expect(read), read_all::<Vec<u8>>(&fec).expect(read))
}

/// The first 40 blocks are zeros: two whole groups of 16, and half of one.
fn data() -> Vec<u8> {
    let mut data = vec![0; 75 * 512];
    for (index, byte) in (0..).zip(&mut data[40 * 512..]) {
        *byte = u32::to_le_bytes(index * 37 / 5)[0];
    }
    data
}

#[test]
fn zeros_are_the_same_given_as_bytes_and_as_a_number() {
    let data = data();
    let whole = hasher(data.len());
    whole.write_at(0, &data).expect("within");
    let whole = whole.finish().expect("complete");
    for end in [40 * 512, 40 * 512 - 1, 39 * 512 + 1, 32 * 512, 16 * 512 + 100, 1] {
        let parts = hasher(data.len());
        parts.write_at(end, &data[usize::try_from(end).expect("small")..]).expect("within");
        parts.zeros_at(end / 2, end - end / 2).expect("within");
        parts.zeros_at(0, end / 2).expect("within");
        let parts = parts.finish().expect("complete");
        assert_eq!(parts.root_hash(), whole.root_hash(), "{end}");
        assert_eq!(bytes_of(&parts), bytes_of(&whole), "{end}");
    }
}

#[test]
fn data_of_zeros_only_is_hashed_without_its_bytes() {
    for blocks in [1, 2, 15, 16, 17, 256, 257, 300] {
        let bytes = vec![0; blocks * 512];
        let (given, counted) = (hasher(bytes.len()), hasher(bytes.len()));
        given.write_at(0, &bytes).expect("within");
        counted.zeros_at(0, bytes.len() as u64).expect("within");
        let (given, counted) = (given.finish().expect("complete"), counted.finish().expect("complete"));
        assert_eq!(given.root_hash(), counted.root_hash());
        assert_eq!(bytes_of(&given), bytes_of(&counted), "{blocks}");
    }
}

/// The tree has more blocks than are rendered at a time.
#[test]
fn a_hash_area_of_several_runs_is_verified_to_its_end() {
    let block_size = BlockSize::new(512).expect("valid");
    let options = Options {
        algorithm: HashAlgorithm::Sha512,
        data_block_size: block_size,
        hash_block_size: block_size,
        ..Options::new(Salt::EMPTY)
    };
    let data_blocks = 8 * 2048 + 1;
    let layout = plan(&options, data_blocks * 512).expect("valid");
    assert!(layout.hash_area_len() > image_runs::MAX_RENDERED);
    let hasher = DataHasher::new(&layout).expect("it is small");
    hasher.zeros_at(0, layout.data_len()).expect("within");
    let tree = hasher.finish().expect("complete");
    let area = read_all::<Vec<u8>>(&tree.hash_area()).expect("memory does not fail");
    let verifier = Verifier::new(&layout, tree.root_hash(), &area, 0).expect("the tree is intact");
    for block in [0, data_blocks / 2, data_blocks - 1] {
        verifier.verify(block, &[0; 512]).expect("the data is intact");
    }
}

#[test]
fn a_byte_that_is_given_twice_is_refused() {
    let data = data();
    let twice = |block| Err(Error::GivenTwice { block });
    let hasher = hasher(data.len());
    hasher.write_at(512, &data[512..5 * 512 + 10]).expect("the first time");
    assert_eq!(hasher.write_at(4 * 512, &data[4 * 512..5 * 512]), twice(4));
    assert_eq!(hasher.write_at(0, &data[..1024]), twice(1));
    assert_eq!(hasher.zeros_at(5 * 512 + 9, 20), twice(5));
    hasher.write_at(6 * 512 + 10, &data[..10]).expect("the first time");
    assert_eq!(hasher.write_at(6 * 512 + 5, &data[..10]), twice(6), "its end was there");
    assert_eq!(hasher.write_at(2 * 512 + 5, &data[..10]), twice(2), "the block is complete");
    assert_eq!(hasher.zeros_at(0, 16 * 512), twice(1), "blocks 1 to 4 are there already");
    hasher.zeros_at(16 * 512, 16 * 512).expect("the first time");
    assert_eq!(hasher.zeros_at(16 * 512, 16 * 512), twice(16));
    assert_eq!(hasher.write_at(20 * 512, &data[..512]), twice(20));
    assert_eq!(hasher.zeros_at(20 * 512 + 1, 1), twice(20));
}

#[test]
fn the_first_byte_that_was_not_given_is_named() {
    let data = data();
    let missing = |given: &[(usize, usize)]| {
        let hasher = hasher(data.len());
        for (start, end) in given {
            hasher.write_at(*start as u64, &data[*start..*end]).expect("within");
        }
        hasher.finish().err()
    };
    assert_eq!(missing(&[]), Some(Error::NotGiven { block: 0 }));
    assert_eq!(missing(&[(0, 74 * 512)]), Some(Error::NotGiven { block: 74 }));
    assert_eq!(missing(&[(0, 512), (1024, 75 * 512)]), Some(Error::NotGiven { block: 1 }));
    assert_eq!(missing(&[(0, 75 * 512 - 1)]), Some(Error::NotGiven { block: 74 }));
    assert_eq!(missing(&[(0, 1024), (5 * 512, 5 * 512 + 7)]), Some(Error::NotGiven { block: 2 }));
    assert_eq!(missing(&[(0, 600), (601, 75 * 512)]), Some(Error::NotGiven { block: 1 }));
    assert_eq!(missing(&[(0, 600), (600, 75 * 512)]), None);
}

#[test]
fn bytes_behind_the_data_are_refused() {
    let hasher = hasher(1024);
    let beyond = |offset, len| Err(Error::BeyondData { offset, len, data_len: 1024 });
    assert_eq!(hasher.write_at(1023, &[0, 0]), beyond(1023, 2));
    assert_eq!(hasher.zeros_at(0, 1025), beyond(0, 1025));
    assert_eq!(hasher.zeros_at(u64::MAX, 2), beyond(u64::MAX, 2));
    assert_eq!(hasher.zeros_at(1024, 0), Ok(()));
}

/// Data of 1 EiB has 2^44 groups of digests.
#[test]
fn too_much_data_is_an_error_and_not_an_abort() {
    let layout = plan(&Options::new(Salt::EMPTY), 1 << 62).expect("valid");
    let found = DataHasher::new(&layout).err();
    assert_eq!(found, Some(Error::OutOfMemory { data_blocks: 1 << 50 }));
}
