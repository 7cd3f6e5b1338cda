//! Trees as ext4 filesystems.

use std::collections::BTreeMap;

use ext4_view::{Ext4, FileType, Metadata};
use image_runs::Image;
use image_tree::{InodeId, Kind, LinkTarget, Timestamp, Tree};
use mkfs_ext4::{
    BlockSize, DataAlignment, Error, Features, Journal, Label, Layout, LinearOrder, Options, Size, plan,
    plan_sharing,
};
use uuid::Uuid;

use crate::input::pattern::Pattern;
use crate::input::{snapshot, trees};
use crate::{Choices, Outcome};

/// The maximum number of files for comparison; more only take time.
const MAX_FIRSTS: usize = 100;

/// The size of the largest block in bytes.
const LARGEST_BLOCK: u64 = 4096;

/// Plans a filesystem for an arbitrary tree; if that succeeds, another reader must find the same
/// tree in it.
pub fn check(bytes: &[u8]) -> Outcome {
    let mut choices = Choices::new(bytes);
    let options = options(&mut choices);
    let tree = trees::tree(&mut choices);
    let shared = if choices.rarely(4) { duplicates(&tree) } else { BTreeMap::new() };
    match plan_sharing(&tree, &options, &shared) {
        Ok(layout) => {
            check_layout(&tree, &options, &layout);
            Outcome::Checked
        }
        Err(error) if !shared.is_empty() => {
            assert!(!error.to_string().is_empty());
            Outcome::Refused
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            check_needed(&tree, &options, &error)
        }
    }
}

/// Checks that the reported minimum size is exact: the tree fits in it, but not in a block less.
fn check_needed(tree: &Tree<Pattern>, options: &Options, error: &Error) -> Outcome {
    let Error::TooSmall { size_bytes, needed_bytes, missing_bytes } = error else { return Outcome::Refused };
    assert_eq!(options.size, Size::Total { bytes: *size_bytes });
    assert_eq!(size_bytes + missing_bytes, *needed_bytes);
    let of_size = |bytes| {
        let mut options = options.clone();
        options.size = Size::Total { bytes };
        options
    };
    let less = plan(tree, &of_size(needed_bytes - options.block_size.bytes()));
    assert!(less.is_err(), "{needed_bytes} bytes are said to be needed, and less fit");
    let options = of_size(*needed_bytes);
    let layout = match plan(tree, &options) {
        // The limit for growing is compared with a size that the tree fits.
        Err(Error::ResizeLimit { limit_bytes, .. }) if limit_bytes < *needed_bytes => {
            return Outcome::Refused;
        }
        layout => layout.expect("a tree fits the size it is said to need"),
    };
    check_layout(tree, &options, &layout);
    Outcome::Checked
}

fn options(choices: &mut Choices<'_>) -> Options {
    const MIB: u64 = 1 << 20;
    let small = |number: u64| u8::try_from(number).expect("small");
    let block_size = match choices.up_to(7) {
        0 => BlockSize::B1024,
        1 => BlockSize::B2048,
        _ => BlockSize::B4096,
    };
    let block = block_size.bytes();
    let size = match choices.up_to(15) {
        _ if choices.wrong() => Size::Total { bytes: choices.u64() },
        _ if choices.wrong() => Size::Free { bytes: choices.u64() },
        0..=7 => Size::Smallest,
        8 => Size::Free { bytes: choices.up_to(64 * MIB) },
        9..=10 => Size::FreePercent(small(choices.up_to(99))),
        11 if choices.wrong() => Size::FreePercent(small(choices.up_to(101))),
        // From too small for most trees to a few blocks in a second block group.
        11 | 12 => Size::Total { bytes: 4 * MIB + choices.up_to(8 * MIB) },
        13 => Size::Total { bytes: 8 * block * block + choices.up_to(100) * block },
        _ => Size::Total { bytes: choices.up_to(1024) * MIB },
    };
    let inodes = match choices.up_to(7) {
        _ if choices.wrong() => Some(choices.u32()),
        0..=5 => None,
        _ => Some(30_000 + u32::try_from(choices.up_to(40_000)).expect("small")),
    };
    let journal = match choices.up_to(7) {
        _ if choices.wrong() => Journal::Blocks(choices.u32()),
        0..=3 => Journal::Auto,
        4..=5 => Journal::None,
        _ => Journal::Blocks(1024 + u32::try_from(choices.up_to(5000)).expect("small")),
    };
    let reserved_percent = match choices.up_to(3) {
        0..=2 => 0,
        _ if choices.wrong() => small(choices.up_to(255)),
        _ => small(choices.up_to(50)),
    };
    let linear_order = if choices.rarely(2) { LinearOrder::ByInode } else { LinearOrder::ByName };
    let directory_slack_percent = match choices.up_to(3) {
        0..=1 => 0,
        _ if choices.wrong() => small(choices.up_to(255)),
        _ => small(choices.up_to(50)),
    };
    let created = if choices.rarely(4) { trees::time(choices) } else { Timestamp::EPOCH };
    // The values are drawn in this order, which inputs of earlier runs rely on.
    let label = Label::new(choices.bytes(16)).unwrap_or_default();
    let features = features(choices);
    let num_backup_sb = small(choices.up_to(2));
    let resize_limit = choices.wrong().then(|| choices.u64());
    let data_alignment = data_alignment(choices, block_size);
    let mut options = Options::new(Uuid::from_u128(choices.u128()), Uuid::from_u128(choices.u128()));
    options.label = label;
    options.size = size;
    options.inodes = inodes;
    options.journal = journal;
    options.reserved_percent = reserved_percent;
    options.created = created;
    options.block_size = block_size;
    options.features = features;
    options.num_backup_sb = num_backup_sb;
    options.resize_limit = resize_limit;
    options.directory_slack_percent = directory_slack_percent;
    options.linear_order = linear_order;
    options.data_alignment = data_alignment;
    options
}

/// One in four has no space reserved for growing, one in four few superblock backups; rarely both,
/// which contradict each other.
fn features(choices: &mut Choices<'_>) -> Features {
    let (resize_inode, sparse_super2) = match choices.up_to(3) {
        _ if choices.wrong() => (true, true),
        0..=1 => (true, false),
        2 => (false, false),
        _ => (false, true),
    };
    let metadata_csum_seed = !choices.rarely(4);
    let read_only = choices.rarely(4);
    let orphan_file = choices.rarely(4);
    let inline_data = choices.rarely(4);
    let dir_index = !choices.rarely(4);
    let bit_64 = !choices.rarely(4);
    let metadata_csum = !choices.rarely(4);
    let ea_inode = choices.rarely(4);
    let mut features = Features::DEFAULT;
    features.dir_index = dir_index;
    features.resize_inode = resize_inode;
    features.sparse_super2 = sparse_super2;
    features.orphan_file = orphan_file;
    features.inline_data = inline_data;
    features.ea_inode = ea_inode;
    features.bit_64 = bit_64;
    features.metadata_csum = metadata_csum;
    features.metadata_csum_seed = metadata_csum_seed && (metadata_csum || choices.wrong());
    features.read_only = read_only;
    features
}

/// Pages as large as a block or somewhat larger, so that small trees have files that fill some.
fn data_alignment(choices: &mut Choices<'_>, block_size: BlockSize) -> Option<DataAlignment> {
    if !choices.rarely(3) {
        return None;
    }
    if choices.wrong() {
        return Some(DataAlignment { bytes: choices.u64(), filesystem_offset: choices.u64() });
    }
    let bytes = block_size.bytes() << choices.up_to(4);
    Some(DataAlignment { bytes, filesystem_offset: choices.up_to(40) * block_size.bytes() })
}

/// Returns every file with the bytes of an earlier one, and the first file with these bytes.
fn duplicates(tree: &Tree<Pattern>) -> BTreeMap<InodeId, InodeId> {
    let mut firsts: Vec<(Pattern, InodeId)> = Vec::new();
    let mut duplicates = BTreeMap::new();
    for step in tree.walk().filter(|step| step.first) {
        let Kind::Regular(content) = &tree.get(step.id).kind else { continue };
        match firsts.iter().find(|(first, _)| first == content) {
            Some((_, first)) => drop(duplicates.insert(step.id, *first)),
            None if firsts.len() < MAX_FIRSTS => firsts.push((*content, step.id)),
            None => {}
        }
    }
    duplicates
}

fn check_layout(tree: &Tree<Pattern>, options: &Options, layout: &Layout<'_, Pattern>) {
    check_summary(tree, options, layout);
    let Some(snapshot) = snapshot::take(layout) else { return };
    if options.features.inline_data || options.features.ea_inode {
        // The other reader does not support them, so only rendering is checked.
        return;
    }
    let mut times = tree.walk().map(|step| tree.get(step.id).metadata.mtime).chain([options.created]);
    if !times.all(is_readable) {
        return;
    }
    let filesystem = Ext4::load(Box::new(snapshot)).expect("the superblock is readable");
    assert_eq!(filesystem.uuid().as_bytes(), options.uuid.as_bytes(), "UUID");
    check_files(tree, &filesystem);
}

/// Returns true if `ext4-view` accepts an inode with that time: it rejects seconds whose low word
/// is negative.
fn is_readable(time: Timestamp) -> bool {
    time.seconds() & 0x8000_0000 == 0
}

fn check_summary(tree: &Tree<Pattern>, options: &Options, layout: &Layout<'_, Pattern>) {
    let (len, summary) = (Image::len(layout), layout.summary());
    let block = options.block_size.bytes();
    assert_eq!(u64::from(summary.block_size), block);
    match options.size {
        Size::Smallest => assert_eq!(summary.blocks * block, len),
        Size::Free { bytes } => assert!(summary.available_blocks >= bytes.div_ceil(block), "{summary:?}"),
        Size::FreePercent(percent) => {
            assert!(summary.available_blocks * 100 >= summary.blocks * u64::from(percent), "{summary:?}");
        }
        Size::Total { bytes } => {
            assert_eq!(len, bytes);
            assert!(summary.blocks * block <= len);
        }
        _ => unreachable!("sizes are of these kinds"),
    }
    assert!(options.inodes.is_none_or(|asked| summary.inodes >= asked), "{summary:?}");
    let own = tree.lookup(InodeId::ROOT, b"lost+found").is_some();
    let files = tree.walk().filter(|step| step.first).count() - 1 - usize::from(own);
    assert_eq!(summary.files as usize, files);
}

/// Compares everything that the crate `ext4-view` can read with the tree. It reads all directories
/// on a path to find it, so in a large tree only some of the files other than directories are
/// checked by path.
fn check_files(tree: &Tree<Pattern>, filesystem: &Ext4) {
    /// The crate rejects longer paths.
    const MAX_PATH: usize = 4096;
    const MANY: usize = 50;
    let every = if tree.walk().nth(MANY).is_some() { 8 } else { 1 };
    let mut walk = tree.walk();
    let mut count = 0;
    while let Some(step) = walk.next() {
        count += 1;
        let inode = tree.get(step.id);
        let is_directory = matches!(inode.kind, Kind::Directory(_));
        if !is_directory && (count % every != 0 || !step.first) {
            continue;
        }
        let mut path = Vec::new();
        walk.write_path(&mut path);
        if path.len() > MAX_PATH {
            continue;
        }
        let shown = path.escape_ascii().to_string();
        // OK to unwrap: names of a tree are valid paths.
        let path = ext4_view::Path::try_from(path.as_slice()).expect("a valid path");
        // Directories other than the root are compared as entries, and then read by their path.
        if !is_directory || walk.depth() == 0 {
            let found = filesystem.symlink_metadata(path).unwrap_or_else(|error| panic!("{shown}: {error}"));
            check_metadata(&found, &inode.metadata, &shown);
        }
        match &inode.kind {
            Kind::Directory(_) => check_entries(tree, filesystem, path, step.id, &shown),
            Kind::Regular(content) => check_content(filesystem, path, *content, &shown),
            Kind::Symlink(target) => check_target(filesystem, path, target, &shown),
            _ => {}
        }
    }
}

fn check_metadata(found: &Metadata, expected: &image_tree::Metadata, shown: &str) {
    assert_eq!(found.mode(), expected.mode, "{shown}: mode");
    assert_eq!((found.uid(), found.gid()), (expected.uid, expected.gid), "{shown}: owner");
    let (time, mtime) = (found.modified(), expected.mtime);
    assert_eq!(
        (time.seconds(), time.nanoseconds()),
        (mtime.seconds(), mtime.nanoseconds()),
        "{shown}: mtime"
    );
}

/// Compares the names and their inodes.
fn check_entries(
    tree: &Tree<Pattern>,
    filesystem: &Ext4,
    path: ext4_view::Path<'_>,
    id: InodeId,
    shown: &str,
) {
    let mut expected = tree.entries(id).cloned().unwrap_or_default();
    let is_root = id == InodeId::ROOT;
    let mut has_lost_and_found = !is_root || expected.contains_key(b"lost+found".as_slice());
    for entry in filesystem.read_dir(path).unwrap_or_else(|error| panic!("{shown}: {error}")) {
        let entry = entry.unwrap_or_else(|error| panic!("{shown}: {error}"));
        let name = entry.file_name();
        if matches!(name.as_ref(), b"." | b"..") {
            continue;
        }
        if !has_lost_and_found && name == b"lost+found" {
            has_lost_and_found = true;
            continue;
        }
        let Some(child) = expected.remove(name.as_ref()) else { panic!("{shown}: there is {name:?}") };
        let shown = entry.path();
        let metadata = entry.metadata().unwrap_or_else(|error| panic!("{shown:?}: {error}"));
        let inode = tree.get(child);
        assert_eq!(entry.file_type().ok(), Some(metadata.file_type()), "{shown:?}: type");
        assert_eq!(metadata.file_type(), file_type(&inode.kind), "{shown:?}: type");
        check_metadata(&metadata, &inode.metadata, &format!("{shown:?}"));
        if let Kind::Regular(content) = &inode.kind {
            assert_eq!(metadata.len(), content.len, "{shown:?}: length");
        }
    }
    assert!(expected.is_empty() && has_lost_and_found, "{shown}: not there are {:?}", expected.keys());
}

fn file_type(kind: &Kind<Pattern>) -> FileType {
    match kind {
        Kind::Directory(_) => FileType::Directory,
        Kind::Regular(_) => FileType::Regular,
        Kind::Symlink(_) => FileType::Symlink,
        Kind::CharacterDevice(_) => FileType::CharacterDevice,
        Kind::BlockDevice(_) => FileType::BlockDevice,
        Kind::Fifo => FileType::Fifo,
        Kind::Socket => FileType::Socket,
    }
}

/// Compares short files completely, others at both ends and at possible extent boundaries, as far
/// as the reader gets in a moment.
fn check_content(filesystem: &Ext4, path: ext4_view::Path<'_>, content: Pattern, shown: &str) {
    const WHOLE: u64 = 128 * 1024;
    const WINDOW: u64 = 2 * LARGEST_BLOCK;
    // To seek, the reader takes one step for each block before, which in 16 TiB of holes are
    // billions.
    const FARTHEST: u64 = 1 << 30;
    let mut file = filesystem.open(path).unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert_eq!(file.metadata().len(), content.len, "{shown}: length");
    let windows = if content.len <= WHOLE {
        vec![(0, content.len)]
    } else {
        let longest_extent = (32_768 * LARGEST_BLOCK).min(content.len - WINDOW);
        [0, content.len / 2, longest_extent, content.len - WINDOW].map(|start| (start, WINDOW)).to_vec()
    };
    for (start, len) in windows.into_iter().filter(|(start, _)| *start <= FARTHEST) {
        let mut expected = vec![0; usize::try_from(len).expect("small")];
        content.fill(&mut expected, start);
        let mut bytes = vec![0; expected.len()];
        file.seek_to(start).unwrap_or_else(|error| panic!("{shown}: {error}"));
        let mut rest = bytes.as_mut_slice();
        while !rest.is_empty() {
            let count = file.read_bytes(rest).unwrap_or_else(|error| panic!("{shown}: {error}"));
            assert_ne!(count, 0, "{shown}: it ends early");
            rest = &mut rest[count..];
        }
        assert!(bytes == expected, "{shown}: bytes differ from {start} on");
    }
}

fn check_target(filesystem: &Ext4, path: ext4_view::Path<'_>, target: &LinkTarget, shown: &str) {
    // A target may be any bytes, but the crate returns targets as valid paths.
    if ext4_view::Path::try_from(target.as_bytes()).is_err() {
        return;
    }
    let found = filesystem.read_link(path).unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert_eq!(found.as_ref(), target.as_bytes(), "{shown}: target");
}
