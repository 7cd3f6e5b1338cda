//! Compression of the files of an EROFS filesystem, by several threads.
//!
//! ```text
//! units ─▶ thread: read ─▶ in the cache? ─▶ compress ─▶ spool ─▶ ranges of the spool, as contents
//! ```
//!
//! [`mkfs_erofs`] decides what a unit is from the lengths of files, and what becomes of it from its
//! bytes. So the filesystem is the same for every number of threads, and with or without a cache,
//! although the order of units in the spool is chance. The memory is that of a unit for each thread.

mod spool;

use std::collections::{BTreeMap, BTreeSet};

use image_tree::{InodeId, Kind, Tree};
use mkfs_erofs::{Compressed, PackOptions, Packed, PackedUnit, Packing, Range, Unit};
use sha2::{Digest, Sha256};

use crate::blob::{Blob, classify_read_error};
use crate::cache::{Cache, Key, KeyBuilder};
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::Work;
use initramfs::codec::CompressedPiece;
use spool::Spool;

/// Compresses the files of a tree.
///
/// `shared` are files that have the data of another, and `excluded` those that are stored as they
/// are.
///
/// # Errors
/// The error of the first file that cannot be read or has changed, or of the spool.
pub(super) fn pack(
    tree: &Tree<Blob>,
    options: PackOptions,
    shared: &BTreeMap<InodeId, InodeId>,
    excluded: &BTreeSet<InodeId>,
    work: &Work<'_>,
) -> Result<Packed<Blob>> {
    let mut packing = Packing::new(tree, options, |id| shared.contains_key(&id) || excluded.contains(&id));
    let tails = packing.tails_to_compare();
    let digests = work.threads.map(tails.len(), |index, buffer: &mut Vec<u8>| {
        work.interrupt.check()?;
        read(tree, tails[index], buffer)?;
        Ok(Sha256::digest(buffer).into())
    })?;
    packing.note_digests(&digests);
    let units = packing.units();
    let packer =
        Packer { tree, work, spool: Spool::new(work.temporary)?, identity: packing.options().identity() };
    let results = work.threads.map(units.len(), |index, buffer: &mut Vec<u8>| {
        work.interrupt.check()?;
        packer.unit(packing.options(), &units[index], buffer)
    })?;
    packer.spool.finish()?;
    Ok(packing.assemble(&units, results))
}

struct Packer<'p> {
    tree: &'p Tree<Blob>,
    work: &'p Work<'p>,
    spool: Spool,
    /// The identity of the options, for keys.
    identity: String,
}

impl Packer<'_> {
    fn unit(&self, options: &PackOptions, unit: &Unit, buffer: &mut Vec<u8>) -> Result<PackedUnit<Blob>> {
        unit.read(self.tree, buffer).map_err(classify_read_error)?;
        let (extents, bytes) = self.compressed(options, unit, buffer)?.split();
        let stored = if bytes.is_empty() { None } else { Some(self.spool.put(&bytes)?) };
        Ok(PackedUnit { extents, stored })
    }

    fn compressed(&self, options: &PackOptions, unit: &Unit, bytes: &[u8]) -> Result<Compressed> {
        let compress = || options.compress(unit, bytes).map_err(|error| Error::new(ErrorKind::Io, error));
        let Some(cache) = self.work.cache else { return compress() };
        let key = self.key(unit, bytes);
        if let Some(found) = find(cache, &key).filter(|found| found.has_len(unit.len())) {
            return Ok(found);
        }
        let compressed = compress()?;
        cache.put(&key, &CompressedPiece { bytes: compressed.to_bytes(), note: 0 });
        Ok(compressed)
    }

    fn key(&self, unit: &Unit, bytes: &[u8]) -> Key {
        let mut key = KeyBuilder::new("erofs");
        key.text(&self.identity);
        key.text(&unit.identity());
        key.bytes(bytes);
        key.finish()
    }
}

fn find(cache: &Cache, key: &Key) -> Option<Compressed> {
    Compressed::from_bytes(&cache.find(key)?.bytes)
}

/// Reads a range of a file, of at most some MiB.
fn read(tree: &Tree<Blob>, range: Range, buffer: &mut Vec<u8>) -> Result<()> {
    use image_tree::Content as _;
    let len = usize::try_from(range.len).map_err(|error| Error::new(ErrorKind::Io, error))?;
    // Every byte is replaced.
    buffer.resize(len, 0);
    match &tree.get(range.inode).kind {
        Kind::Regular(content) => content.read_at(buffer, range.offset).map_err(classify_read_error),
        _ => Ok(()),
    }
}
