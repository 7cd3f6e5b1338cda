//! The compressed files, from the results of all units.

use std::collections::BTreeMap;

use sha256_lanes::Digest;

use super::compress::{BLOCK, Extent, Extents};
use super::packed::{Cluster, Packed, PackedExtent, PackedFile, Source};
use super::packing::{File, Packing};
use super::unit::{Range, Target, Unit};

/// The results of a unit: its extents, and where a caller stores their bytes.
#[derive(Clone, Debug)]
pub struct PackedUnit<C> {
    /// The extents.
    pub extents: Extents,
    /// The stored bytes of [`Compressed::split`](super::Compressed::split), in one content; `None`
    /// if there are none.
    pub stored: Option<C>,
}

/// An extent of a file that is being assembled.
#[derive(Clone, Copy, Debug)]
struct Part {
    extent: Extent,
    source: Source,
}

impl Packing {
    /// Returns the compressed files, given the result of each unit of [`units`](Self::units).
    ///
    /// # Panics
    /// If the results are not those of the units.
    #[must_use]
    pub fn assemble<C>(self, units: &[Unit], results: Vec<PackedUnit<C>>) -> Packed<C> {
        assert_eq!(units.len(), results.len(), "each unit has a result");
        let mut files: Vec<Vec<Part>> = vec![Vec::new(); self.files.len()];
        let mut fragments = Vec::new();
        let mut contents = Vec::new();
        for (unit, result) in units.iter().zip(results) {
            let content = contents.len();
            contents.extend(result.stored);
            let mut extents = result.extents.0.into_iter();
            let mut stored = 0u64;
            for segment in &unit.segments {
                let mut position = 0;
                while position < segment.len {
                    let extent = extents.next().expect("the extents are those of the unit");
                    let (len, from) = (u64::from(extent.stored), stored);
                    let source = if len > 0 {
                        Source::Stored { content, offset: from, len }
                    } else {
                        let Range { inode, offset, .. } = segment.ranges[0];
                        Source::File { inode, offset: offset + position, len: u64::from(extent.len) }
                    };
                    stored += len;
                    position += u64::from(extent.len);
                    match segment.target {
                        Target::File(file) => files[file].push(Part { extent, source }),
                        Target::Fragments => fragments.push(Part { extent, source }),
                    }
                }
            }
        }
        Assembly::new(contents, self).all(files, fragments)
    }
}

struct Assembly<C> {
    packing: Packing,
    packed: Packed<C>,
    /// The clusters of pieces by length and digest.
    pieces: BTreeMap<(u32, Digest), u32>,
}

impl<C> Assembly<C> {
    fn new(contents: Vec<C>, packing: Packing) -> Self {
        let packed = Packed::new(contents, packing.options.codec.algorithm());
        Self { packing, packed, pieces: BTreeMap::new() }
    }

    fn all(mut self, files: Vec<Vec<Part>>, fragments: Vec<Part>) -> Packed<C> {
        for (index, parts) in files.into_iter().enumerate() {
            let file = self.packing.files[index];
            if let Some(packed) = self.file(file, &parts) {
                self.packed.files.insert(file.inode, packed);
            }
        }
        if !fragments.is_empty() {
            let start = self.cluster_count();
            let extents = fragments.iter().map(|part| self.own(part)).collect();
            let len = self.packing.fragments.len;
            self.packed.fragments = Some(PackedFile {
                extents,
                len,
                fragment: None,
                inline: false,
                own: start..self.cluster_count(),
            });
        }
        self.packed
    }

    /// Returns a file, unless it takes less space as it is.
    fn file(&mut self, file: File, parts: &[Part]) -> Option<PackedFile> {
        let may_be_inline = self.packing.options.inline && file.tail.is_none();
        if file.tail.is_none() && !self.pays(file, parts) {
            return None;
        }
        let start = self.cluster_count();
        let mut extents = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            // What may be behind the inode of one file is not shared with others.
            let is_last = may_be_inline && index + 1 == parts.len();
            extents.push(if is_last { self.own(part) } else { self.shared(part) });
        }
        let own = start..self.cluster_count();
        let fragment = file.tail.map(|tail| self.packing.fragments.offsets[tail]);
        Some(PackedFile { extents, len: file.len, fragment, inline: may_be_inline, own })
    }

    /// Returns an extent that refers to an earlier cluster with the same bytes, if there is one.
    fn shared(&mut self, part: &Part) -> PackedExtent {
        let Some(digest) = part.extent.digest else { return self.own(part) };
        let key = (part.extent.len, digest);
        if let Some(&cluster) = self.pieces.get(&key) {
            self.packed.has_shared_pieces = true;
            return PackedExtent { cluster, ..extent(part, 0) };
        }
        let own = self.own(part);
        self.pieces.insert(key, own.cluster);
        own
    }

    /// Returns an extent with a cluster of its own.
    fn own(&mut self, part: &Part) -> PackedExtent {
        let cluster = self.cluster_count();
        self.packed.clusters.push(Cluster { source: part.source, plain: part.extent.plain });
        extent(part, cluster)
    }

    fn cluster_count(&self) -> u32 {
        u32::try_from(self.packed.clusters.len()).unwrap_or(u32::MAX)
    }

    /// Returns true if the file is shorter when compressed, as far as that is known before
    /// planning: inodes and extended attributes are not considered.
    fn pays(&self, file: File, parts: &[Part]) -> bool {
        let inline = self.packing.options.inline;
        let stored: u64 = parts
            .iter()
            .enumerate()
            .map(|(index, part)| {
                let len = if part.extent.stored > 0 { part.extent.stored } else { part.extent.len };
                let is_shared = part
                    .extent
                    .digest
                    .is_some_and(|digest| self.pieces.contains_key(&(part.extent.len, digest)));
                match u64::from(len) {
                    _ if is_shared => 0,
                    len if inline && index + 1 == parts.len() && len < BLOCK => len,
                    len => len.next_multiple_of(BLOCK),
                }
            })
            .sum();
        let full = self.packing.options.dedupe;
        let map = 16 + file.len.div_ceil(BLOCK) * if full { 8 } else { 2 };
        let tail = file.len % BLOCK;
        let flat = file.len - tail + if inline { tail } else { tail.min(1) * BLOCK };
        stored + map < flat
    }
}

fn extent(part: &Part, cluster: u32) -> PackedExtent {
    PackedExtent { len: part.extent.len, plain: part.extent.plain, cluster }
}
