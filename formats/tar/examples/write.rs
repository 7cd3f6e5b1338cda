//! Writes an archive of files in memory: `cargo run -p tar-archive --example write -- archive.tar`.

use std::env::args;
use std::error::Error;

use tar_archive::image_runs::write_to;
use tar_archive::image_tree::{Device, Inode, InodeId, Kind, Metadata, Name, Tree, XattrName};
use tar_archive::{Options, plan};

#[expect(clippy::disallowed_types, reason = "the library reads no file; this program writes one")]
fn main() -> Result<(), Box<dyn Error>> {
    let path = args().nth(1).ok_or("the path of the archive is missing")?;

    let mut tree: Tree<Vec<u8>> = Tree::new(Metadata::new(0o755));
    let dev = tree.insert(InodeId::ROOT, Name::new("dev")?, Inode::directory(Metadata::new(0o755)))?;
    let console = Kind::CharacterDevice(Device { major: 5, minor: 1 });
    tree.insert(dev, Name::new("console")?, Inode { metadata: Metadata::new(0o600), kind: console })?;
    let mut metadata = Metadata { uid: 1000, gid: 1000, ..Metadata::new(0o644) };
    metadata.xattrs.insert(XattrName::new("user.comment")?, b"made without tar".as_slice().into());
    let greeting = Inode { metadata, kind: Kind::Regular(b"hello\n".to_vec()) };
    let greeting = tree.insert(InodeId::ROOT, Name::new("greeting")?, greeting)?;
    tree.link(InodeId::ROOT, Name::new("second name")?, greeting)?;

    let layout = plan(&tree, &Options::archive())?;
    write_to(&layout, std::fs::File::create(path)?)?;
    println!("{:?}", layout.summary());
    Ok(())
}
