//! Makes a compressed filesystem of a directory, of its regular files, directories and links:
//! `cargo run --example compressed -- DIRECTORY IMAGE lz4hc:9 [fragments] [dedupe] [block] [PCLUSTER]`

#![expect(clippy::disallowed_types, reason = "the image is a new file")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use mkfs_erofs::image_runs::write_sparse;
use mkfs_erofs::image_tree::{Inode, InodeId, Kind, LinkTarget, Metadata, Name, Tree};
use mkfs_erofs::uuid::Uuid;
use mkfs_erofs::{ClusterSize, Inline, Options, PackOptions, PackedUnit, Packing, plan_packed};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, image, codec, flags @ ..] = &arguments[..] else {
        return Err("usage: compressed DIRECTORY IMAGE CODEC [fragments] [dedupe] [block] [PCLUSTER]".into());
    };
    let mut tree = Tree::new(Metadata::new(0o755));
    add(&mut tree, InodeId::ROOT, Path::new(directory))?;

    let mut options = PackOptions::new(codec.parse()?);
    for flag in flags {
        match flag.as_str() {
            "fragments" => options.fragments = true,
            "dedupe" => options.dedupe = true,
            "block" => options.inline = false,
            bytes => options.clusters = ClusterSize::new(bytes.parse()?)?,
        }
    }
    let mut packing = Packing::new(&tree, options, |_| false);
    let mut digests = Vec::new();
    let hasher = sha256_lanes::BlockHasher::new(b"", b"");
    for range in packing.tails_to_compare() {
        if let Kind::Regular(bytes) = &tree.get(range.inode).kind {
            let start = usize::try_from(range.offset)?;
            digests.push(hasher.hash_one(&bytes[start..start + usize::try_from(range.len)?]));
        }
    }
    packing.note_digests(&digests);
    let units = packing.units();
    let mut results = Vec::new();
    let mut buffer = Vec::new();
    for unit in &units {
        // Any thread could do this, in any order.
        unit.read(&tree, &mut buffer)?;
        let (extents, bytes) = packing.options().compress(unit, &buffer)?.split();
        results.push(PackedUnit { extents, stored: (!bytes.is_empty()).then_some(bytes) });
    }
    let inline = packing.options().inline;
    let packed = packing.assemble(&units, results);
    let mut options = Options::new(Uuid::from_u128(1));
    if !inline {
        options.inline = Inline::None;
    }
    let layout = plan_packed(&tree, &options, &BTreeMap::new(), packed)?;
    println!("{:?}", layout.summary());
    write_sparse(&layout, &std::fs::File::create(image)?)?;
    Ok(())
}

fn add(tree: &mut Tree<Vec<u8>>, parent: InodeId, directory: &Path) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = Name::new(path.file_name().unwrap_or_default().as_bytes())?;
        let kind = fs::symlink_metadata(&path)?.file_type();
        if kind.is_dir() {
            let id = tree.insert(parent, name, Inode::directory(Metadata::new(0o755)))?;
            add(tree, id, &path)?;
        } else if kind.is_symlink() {
            let target = LinkTarget::new(fs::read_link(&path)?.as_os_str().as_bytes())?;
            tree.insert(parent, name, Inode { metadata: Metadata::new(0o777), kind: Kind::Symlink(target) })?;
        } else if kind.is_file() {
            let kind = Kind::Regular(fs::read(&path)?);
            tree.insert(parent, name, Inode { metadata: Metadata::new(0o644), kind })?;
        }
    }
    Ok(())
}
