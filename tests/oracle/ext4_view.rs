//! The crate ext4-view: a reader of ext4 in Rust.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use ext4_view::{Ext4, Ext4Error, Ext4Read, FileType, Metadata, Path};

use super::expected::{Content, Expected, File as Found, Kind, Sees, Time, join};
use super::{Verdict, Volume, debugfs};

/// The features that the crate is able to read.
const SEES: Sees = Sees { xattrs: false, devices: false, hard_links: false };

/// Checks that the crate reads everything that is expected.
pub(crate) fn check(volume: &Volume, expected: &Expected) -> Verdict {
    let unreadable: Vec<Vec<u8>> =
        expected.files.iter().filter(|(_, file)| !is_readable(file)).map(|(path, _)| path.clone()).collect();
    let found = |volume| read(volume).map_err(|error| error.to_string());
    if unreadable.is_empty() {
        return expected.compare(&found(volume)?, SEES);
    }
    let copy = volume.copy();
    if debugfs::reset_times(&copy.volume, &unreadable)?.is_none() {
        return Ok(());
    }
    let mut expected = expected.clone();
    for path in &unreadable {
        expected.files.entry(path.clone()).and_modify(|file| file.mtime = None);
    }
    expected.compare(&found(&copy.volume)?, SEES)
}

/// Version 1.0.0 rejects an inode whose time has bit 31 set, so one before 1970 or after 2038, as
/// corrupt. Such times are left to the other judges.
fn is_readable(file: &Found) -> bool {
    file.mtime.is_none_or(|time| time.seconds & 0x8000_0000 == 0)
}

fn read(volume: &Volume) -> Result<Expected, Ext4Error> {
    let file =
        File::open(&volume.image).unwrap_or_else(|error| panic!("{}: {error}", volume.image.display()));
    let filesystem = Ext4::load(Box::new(Range { file, offset: volume.offset, len: volume.len }))?;
    let mut found = Expected::default();
    let root = b"/".to_vec();
    found.files.insert(root.clone(), metadata(&filesystem.metadata(Path::ROOT)?, Kind::Directory));
    let mut to_do = vec![root];
    while let Some(directory) = to_do.pop() {
        for entry in filesystem.read_dir(Path::new(&directory))? {
            let entry = entry?;
            if matches!(entry.file_name().as_ref(), b"." | b"..") {
                continue;
            }
            let path = join(&directory, entry.file_name().as_ref());
            let stat = entry.metadata()?;
            found.files.insert(path.clone(), metadata(&stat, kind(&filesystem, &path, stat.file_type())?));
            if stat.is_dir() {
                to_do.push(path);
            }
        }
    }
    Ok(found)
}

/// The crate does not read device numbers; the comparison ignores them.
fn kind(filesystem: &Ext4, path: &[u8], file_type: FileType) -> Result<Kind, Ext4Error> {
    let path = Path::new(path);
    Ok(match file_type {
        FileType::Directory => Kind::Directory,
        FileType::Regular => Kind::Regular(content(filesystem.open(path)?)?),
        FileType::Symlink => Kind::Symlink(filesystem.read_link(path)?.as_ref().to_vec()),
        FileType::CharacterDevice => Kind::CharacterDevice { major: 0, minor: 0 },
        FileType::BlockDevice => Kind::BlockDevice { major: 0, minor: 0 },
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
    })
}

fn metadata(stat: &Metadata, kind: Kind) -> Found {
    let mtime = Time { seconds: stat.modified().seconds(), nanoseconds: stat.modified().nanoseconds() };
    Found { uid: stat.uid(), gid: stat.gid(), mtime: Some(mtime), ..Found::new(kind, u32::from(stat.mode())) }
}

fn content(file: ext4_view::File) -> Result<Content, Ext4Error> {
    Content::read(Reader(file)).map_err(|error| Ext4Error::Io(error.into()))
}

/// The crate's file for `std::io`.
struct Reader(ext4_view::File);

impl std::io::Read for Reader {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_bytes(to).map_err(std::io::Error::other)
    }
}

/// The bytes of a partition.
struct Range {
    file: File,
    offset: u64,
    len: u64,
}

impl Ext4Read for Range {
    fn read(
        &mut self,
        start: u64,
        to: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        if start.checked_add(to.len() as u64).is_none_or(|end| end > self.len) {
            return Err(format!("{} bytes at {start} are outside the partition", to.len()).into());
        }
        Ok(self.file.read_exact_at(to, self.offset + start)?)
    }
}
