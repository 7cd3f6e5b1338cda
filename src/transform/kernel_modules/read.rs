//! Reading the contents of modules.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};

use image_tree::path::join;
use image_tree::{Content, Kind, Shown, Tree};
use initramfs::compressed_file::{MAGIC_LEN, compression_of, decompress};
use kmod_index::{Entry, MAX_MEMORY, Module, ModuleError};

use crate::blob::{Blob, CloneSource as _, classify_read_error};
use crate::closure::kernel_modules::ModuleFile;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::threads::Threads;

/// The longest compressed module, before and after it is decompressed, in bytes: 256 MiB.
pub const MAX_MODULE: u64 = 256 << 20;

/// Reads modules by several threads. Of one that is not compressed only the parts with its symbols
/// and `.modinfo` are read.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) with the path below `place` if a module is corrupt, and if all
/// take more memory than [`MAX_MEMORY`]; the error of a file that cannot be read.
pub fn read(
    tree: &Tree<Blob>,
    place: &[u8],
    files: &[ModuleFile],
    threads: &Threads,
    interrupt: &Interrupt,
) -> Result<Vec<Entry>> {
    let memory = AtomicU64::new(0);
    threads.map(files.len(), |number, (): &mut ()| {
        interrupt.check()?;
        let ModuleFile { path, id } = &files[number];
        let Kind::Regular(blob) = &tree.get(*id).kind else {
            return Err(corrupt(place, path, &"it is not a regular file"));
        };
        let module = module(blob).map_err(|failure| match failure {
            Failure::Read(error) => classify_read_error(error),
            Failure::Compressed(error) => {
                corrupt(place, path, &format_args!("it cannot be decompressed: {error}"))
            }
            Failure::Module(error) => corrupt(place, path, &error),
        })?;
        let module_memory = module.memory();
        if memory.fetch_add(module_memory, Ordering::Relaxed) + module_memory > MAX_MEMORY {
            let what = format!("its modules have more than {MAX_MEMORY} bytes of values and symbols");
            return Err(Error::new(ErrorKind::BadInput, format!("{}: {what}", Shown(place))));
        }
        Ok(Entry::new(path.clone(), module))
    })
}

fn corrupt(place: &[u8], path: &[u8], error: &dyn std::fmt::Display) -> Error {
    let path = join(place, path);
    Error::new(ErrorKind::BadInput, format!("{}: not a valid kernel module: {error}", Shown(&path)))
}

enum Failure {
    /// The file cannot be read.
    Read(io::Error),
    /// The compressed data is corrupt or too long.
    Compressed(io::Error),
    /// The object is corrupt.
    Module(ModuleError),
}

impl From<ModuleError> for Failure {
    fn from(error: ModuleError) -> Self {
        match error {
            ModuleError::Read(error) => Self::Read(error),
            error => Self::Module(error),
        }
    }
}

/// Reads a module. A file of the host is opened once.
fn module(blob: &Blob) -> Result<Module, Failure> {
    let Some((host, 0)) = blob.file(0) else { return content(blob) };
    let mut parsed = None;
    let opened = host.with_open_file(&mut |file| parsed = Some(content(&Opened { file, len: blob.len() })));
    // That the file has changed explains every other error.
    opened.map_err(Failure::Read)?;
    parsed.unwrap_or_else(|| Err(Failure::Read(io::ErrorKind::NotFound.into())))
}

fn content<C: Content + ?Sized>(content: &C) -> Result<Module, Failure> {
    let mut start = [0; MAGIC_LEN];
    if content.len() >= MAGIC_LEN as u64 {
        content.read_at(&mut start, 0).map_err(Failure::Read)?;
    }
    let Some(compression) = compression_of(&start) else { return Ok(Module::parse(content)?) };
    let unpacked = decompress(content, compression, MAX_MODULE).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Failure::Compressed(error),
        _ => Failure::Read(error),
    })?;
    Ok(Module::parse(&unpacked)?)
}

/// An open file of the host.
struct Opened<'f> {
    file: &'f File,
    /// The length at the scan, in bytes.
    len: u64,
}

impl Content for Opened<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

#[cfg(test)]
mod tests {
    use image_tree::{Inode, InodeId, Metadata, Name};

    use super::*;
    use crate::closure::testing::kernel_module;

    #[test]
    fn the_memory_of_all_modules_is_limited() {
        let mut tree: Tree<Blob> = Tree::new(Metadata::new(0o755));
        let kind = Kind::Regular(Blob::from(kernel_module(&vec!["alias="; 590_000])));
        let inode = Inode { metadata: Metadata::new(0o644), kind };
        let id = tree.insert(InodeId::ROOT, Name::new("a.ko").expect("a name"), inode).expect("it is new");
        let files = vec![ModuleFile { path: b"a.ko".to_vec(), id }; 19];
        let read = |files| read(&tree, b"/m", files, &Threads::single(), &Interrupt::never());
        let error = read(&files).expect_err("it is too much").to_string();
        assert_eq!(error, "/m: its modules have more than 268435456 bytes of values and symbols");
        assert_eq!(read(&files[..18]).map(|modules| modules.len()).ok(), Some(18));
    }
}
