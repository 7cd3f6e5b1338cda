//! Prints a small tree in the format of composefs-dump(5):
//! `cargo run -p image-tree --example dump`.

use std::error::Error;
use std::io::stdout;

use image_tree::dump::{self, Body};
use image_tree::{Device, Inode, InodeId, Kind, LinkTarget, Metadata, Name, Timestamp, Tree, XattrName};

type Memory = Tree<Vec<u8>>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut tree = Memory::new(Metadata::new(0o755));
    let etc = tree.insert(InodeId::ROOT, Name::new("etc")?, Inode::directory(Metadata::new(0o755)))?;

    let mtime = Timestamp::new(1_700_000_000, 5)?;
    let mut metadata = Metadata { uid: 1000, gid: 100, mtime, ..Metadata::new(0o640) };
    metadata.xattrs.insert(XattrName::new("user.origin")?, b"example".as_slice().into());
    let hostname = Inode { metadata, kind: Kind::Regular(b"guest\n".to_vec()) };
    let hostname = tree.insert(etc, Name::new("hostname")?, hostname)?;
    tree.link(InodeId::ROOT, Name::new("a second name")?, hostname)?;

    for (name, mode, kind) in [
        ("link", 0o777, Kind::Symlink(LinkTarget::new("etc/hostname")?)),
        ("null", 0o666, Kind::CharacterDevice(Device { major: 1, minor: 3 })),
    ] {
        tree.insert(InodeId::ROOT, Name::new(name)?, Inode { metadata: Metadata::new(mode), kind })?;
    }

    dump::write(&tree, &mut stdout().lock(), |_, bytes| Ok(Body::Inline(bytes.into())))?;
    Ok(())
}
