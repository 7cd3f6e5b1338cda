//! Makes a compressed initramfs of files in memory:
//! `cargo run -p mkinitramfs-rs --example compressed -- initrd.img zstd:19`.

use std::env::args;
use std::error::Error;

use initramfs::codec::Codec;
use initramfs::image_tree::{Device, Inode, InodeId, Kind, Metadata, Name, Tree};
use initramfs::{EarlyCpio, Options, plan, write_compressed};

#[expect(clippy::disallowed_types, reason = "the library reads no file; this program writes one")]
fn main() -> Result<(), Box<dyn Error>> {
    let path = args().nth(1).ok_or("the path of the initramfs is missing")?;
    let codec: Codec = args().nth(2).as_deref().unwrap_or("gzip").parse()?;

    let mut tree: Tree<Vec<u8>> = Tree::new(Metadata::new(0o755));
    let dev = Inode::directory(Metadata::new(0o755));
    let dev = tree.insert(InodeId::ROOT, Name::new("dev")?, dev)?;
    let console = Kind::CharacterDevice(Device { major: 5, minor: 1 });
    tree.insert(dev, Name::new("console")?, Inode { metadata: Metadata::new(0o600), kind: console })?;
    let init = Kind::Regular(b"#!/bin/sh\nexec /bin/sh\n".to_vec());
    tree.insert(InodeId::ROOT, Name::new("init")?, Inode { metadata: Metadata::new(0o755), kind: init })?;

    let options = codec.segment_len().map_or_else(Options::plain, Options::segmented);
    let layout = plan(&tree, &EarlyCpio::none(), &options)?;
    write_compressed(&layout, &codec, std::fs::File::create(path)?)?;
    println!("{:#?}", layout.summary());
    Ok(())
}
