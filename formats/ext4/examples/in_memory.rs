//! Makes a small filesystem of files in memory:
//! `cargo run -p mkfs-ext4-rs --example in_memory -- root.ext4`.

use std::env::args_os;
use std::error::Error;

use mkfs_ext4::image_runs::write_sparse;
use mkfs_ext4::image_tree::{Inode, InodeId, Kind, LinkTarget, Metadata, Name, Timestamp, Tree};
use mkfs_ext4::uuid::Uuid;
use mkfs_ext4::{Label, Options, Size, plan};

type Memory = Tree<Vec<u8>>;

#[expect(clippy::disallowed_types, reason = "the library reads no file; this program writes one")]
fn main() -> Result<(), Box<dyn Error>> {
    let path = args_os().nth(1).ok_or("the path of the image is missing")?;

    let mut tree = Memory::new(Metadata::new(0o755));
    let etc = tree.insert(InodeId::ROOT, Name::new("etc")?, Inode::directory(Metadata::new(0o755)))?;
    let mtime = Timestamp::new(1_700_000_000, 123_456_789)?;
    let hostname = Inode {
        metadata: Metadata { mtime, ..Metadata::new(0o644) },
        kind: Kind::Regular(b"guest\n".to_vec()),
    };
    let hostname = tree.insert(etc, Name::new("hostname")?, hostname)?;
    tree.link(InodeId::ROOT, Name::new("a second name")?, hostname)?;
    let link =
        Inode { metadata: Metadata::new(0o777), kind: Kind::Symlink(LinkTarget::new("etc/hostname")?) };
    tree.insert(InodeId::ROOT, Name::new("link")?, link)?;

    // Identifiers are the caller's, so that the same tree gives the same bytes.
    let mut options = Options::new(Uuid::from_u128(1), Uuid::from_u128(2));
    options.label = Label::new("example")?;
    options.size = Size::Free { bytes: 1 << 20 };
    let layout = plan(&tree, &options)?;
    write_sparse(&layout, &std::fs::File::create(path)?)?;
    println!("{:#?}", layout.summary());
    Ok(())
}
