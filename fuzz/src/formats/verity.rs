//! Superblocks and parameters of dm-verity.

use dm_verity::uuid::Uuid;
use dm_verity::{
    BlockSize, DataHasher, Error, HashAlgorithm, HashType, Layout, Options, Parameters, RootHash, Salt,
    Superblock, Table, Verifier, VerifyError, plan,
};
use image_runs::read_all;

use rootcast::recipe::root_hash::Expected;

use crate::{Choices, Outcome};

/// The longest data that is hashed, in bytes.
const MAX_LEN: u64 = 1 << 16;

/// Parses arbitrary bytes as a superblock. A valid one is written again as the same, and describes
/// a tree that can be planned.
pub fn check_superblock(bytes: &[u8]) -> Outcome {
    let superblock = match Superblock::parse(bytes) {
        Ok(superblock) => superblock,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Outcome::Refused;
        }
    };
    // All that may differ is what the parser ignores: bytes behind the name, the salt and its
    // length.
    let mut expected: [u8; Superblock::LEN] = *bytes.first_chunk().expect("it was parsed");
    expected[32 + superblock.algorithm.name().len()..64].fill(0);
    expected[82..88].fill(0);
    expected[88 + superblock.salt.as_bytes().len()..].fill(0);
    assert_eq!(superblock.to_bytes(), expected);
    if let Some(layout) = check_plan(&superblock.options(), superblock.data_len()) {
        assert_eq!(layout.superblock(), Some(superblock));
        // The bytes behind the superblock take the place of the tree.
        let root_hash = root_hash(layout.options().algorithm, bytes);
        check_hostile_area(&layout, &root_hash, &bytes.to_vec());
    }
    Outcome::Checked
}

/// Parses arbitrary text as parameters. Valid ones are written again as the same.
pub fn check_parameters(bytes: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(bytes);
    // As `rootcast root-hash --check` takes them, or a root hash alone.
    if let Ok(expected) = text.parse::<Expected>() {
        let root_hash = expected.root_hash();
        assert_eq!(text.parse::<Parameters>().is_ok(), matches!(expected, Expected::Parameters(_)));
        assert_eq!(root_hash.to_string().parse(), Ok(root_hash.clone()));
    }
    let parameters: Parameters = match text.parse() {
        Ok(parameters) => parameters,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Outcome::Refused;
        }
    };
    assert_eq!(words(&parameters.to_string()), words(&text));
    let layout = check_plan(&parameters.options(), parameters.data_len()).expect("they were planned");
    assert_eq!(layout.parameters(parameters.root_hash.clone()), parameters);
    let table = Table::new(&layout, &parameters.root_hash, "/dev/vda1", "/dev/vda2");
    let line = table.dm_mod_create("root").expect("it is short");
    assert_eq!(line.matches(',').count(), 4, "{line}");
    check_hostile_area(&layout, &parameters.root_hash, &bytes.to_vec());
    Outcome::Checked
}

/// Returns the parameters of a valid line in order, without the differences that the parser
/// ignores: the case of digits, zeros before numbers, and a newline at the end.
fn words(text: &str) -> Vec<String> {
    let text = text.strip_suffix('\n').unwrap_or(text).to_ascii_lowercase();
    let word = |word: &str| match word.split_once('=') {
        Some((name @ ("root_hash" | "salt"), value)) => format!("{name}={value}"),
        Some((name, value)) => format!("{name}={}", value.trim_start_matches('0')),
        None => panic!("{word} has no value"),
    };
    let mut words: Vec<String> = text.split(',').map(word).collect();
    words.sort_unstable();
    words
}

/// Plans a tree; if its data is short, zeros of this length are hashed and verified.
fn check_plan(options: &Options, data_len: u64) -> Option<Layout> {
    let layout = match plan(options, data_len) {
        Ok(layout) => layout,
        Err(error) => {
            assert_eq!(error, Error::TooLong, "the fields are valid each");
            return None;
        }
    };
    assert_eq!(layout.data_len(), data_len);
    let blocks: u64 = layout.levels().iter().map(|level| level.blocks).sum();
    assert_eq!(blocks, layout.tree_blocks());
    if data_len <= MAX_LEN {
        let hasher = DataHasher::new(&layout).expect("it is small");
        hasher.zeros_at(0, data_len).expect("it is within the data");
        let tree = hasher.finish().expect("it is complete");
        let area: Vec<u8> = read_all::<Vec<u8>>(&tree.hash_area()).expect("memory does not fail");
        assert_eq!(area.len() as u64, layout.hash_area_len());
        let verifier = Verifier::new(&layout, tree.root_hash(), &area, 0).expect("the tree is intact");
        let data = vec![0; usize::try_from(data_len).expect("short")];
        verifier.verify(0, &data).expect("the data is intact");
    }
    Some(layout)
}

/// Reads bytes that are not a tree as one.
fn check_hostile_area(layout: &Layout, root_hash: &RootHash, area: &Vec<u8>) {
    let block = vec![1; usize::try_from(layout.options().data_block_size.bytes()).expect("small")];
    let verified = Verifier::new(layout, root_hash, area, 0).and_then(|verifier| verifier.verify(0, &block));
    match verified.expect_err("nobody knows bytes with this digest") {
        VerifyError::DataBlock { block: 0, offset: 0 }
        | VerifyError::HashBlock { .. }
        | VerifyError::AreaTooShort { .. } => {}
        error => panic!("{error}"),
    }
}

fn root_hash(algorithm: HashAlgorithm, bytes: &[u8]) -> RootHash {
    let mut digest: Vec<u8> = bytes.iter().rev().copied().chain([7; 64]).collect();
    digest.truncate(usize::try_from(algorithm.digest_len()).expect("small"));
    RootHash::new(digest).expect("it is as long as a digest")
}

/// Creates a superblock, sometimes with a wrong byte, and bytes behind it.
#[must_use]
pub fn superblock(bytes: &[u8]) -> Vec<u8> {
    let mut choices = Choices::new(bytes);
    let superblock = Superblock {
        hash_type: choices.one_of(&[HashType::Normal, HashType::ChromeOs]),
        uuid: Uuid::from_u128(choices.u128()),
        algorithm: choices.one_of(&HashAlgorithm::ALL),
        data_block_size: block_size(&mut choices),
        hash_block_size: block_size(&mut choices),
        data_blocks: data_blocks(&mut choices),
        salt: salt(&mut choices),
    };
    let mut out = superblock.to_bytes().to_vec();
    if choices.wrong() {
        let at = choices.index(out.len());
        out[at] ^= 1 << choices.up_to(7);
    }
    let rest = choices.index(4) * 512;
    out.extend(choices.bytes(rest));
    out
}

/// Creates a line of parameters, sometimes with a wrong byte.
#[must_use]
pub fn parameters(bytes: &[u8]) -> Vec<u8> {
    let mut choices = Choices::new(bytes);
    let algorithm = choices.one_of(&HashAlgorithm::ALL);
    let parameters = Parameters {
        root_hash: root_hash(algorithm, choices.bytes(64)),
        salt: salt(&mut choices),
        data_blocks: data_blocks(&mut choices),
        data_block_size: block_size(&mut choices),
        hash_block_size: block_size(&mut choices),
    };
    let mut out = parameters.to_string().into_bytes();
    if choices.wrong() {
        let at = choices.index(out.len());
        out[at] ^= 1 << choices.up_to(7);
    }
    out
}

fn block_size(choices: &mut Choices<'_>) -> BlockSize {
    BlockSize::new(choices.one_of(&[4096, 512, 1024, 65_536])).expect("a valid size")
}

fn data_blocks(choices: &mut Choices<'_>) -> u64 {
    if choices.wrong() { choices.u64() } else { 1 + choices.up_to(300) }
}

fn salt(choices: &mut Choices<'_>) -> Salt {
    let len = choices.one_of(&[32, 0, 1, 256]);
    Salt::new(choices.bytes(len)).expect("a valid length")
}
