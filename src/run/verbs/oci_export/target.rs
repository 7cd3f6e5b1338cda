//! The layout that an image is written to: a directory, or an archive.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image_tree::{Inode, Kind, Metadata, Tree};
use initramfs::Compression;
use initramfs::codec::Codec;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tar_archive::{Layout, Options, Segment, plan};

use super::documents::{Described, REF_NAME, WrittenLayer};
use crate::blob::{Archive, ArchiveRange, Blob};
use crate::bounded;
use crate::cache::Cache;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Cleanups;
use crate::output::compress::{self, CompressOptions, Member};
use crate::output::digest::OrderedSha256;
use crate::output::file::{self, BlobFile};
use crate::output::{Destination, WriteOptions};
use crate::run::advice;
use crate::run::output::hex;

/// The directory of the blobs in a layout.
const BLOBS: &str = "blobs/sha256";

const LAYOUT: &str = "{\"imageLayoutVersion\":\"1.0.0\"}";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The longest index that is read, in bytes: 4 MiB.
const MAX_INDEX: u64 = 4 << 20;

/// The place of a layout.
pub(super) struct Target {
    /// The layers that are not in the layout yet, with their digests.
    layers: Vec<(String, LayerFile)>,
    place: Place,
}

enum Place {
    /// A directory.
    Directory(LayoutDirectory),
    /// An archive, and the directory for its layer until it is complete.
    Archive(Destination, PathBuf),
}

/// A file without a name.
enum LayerFile {
    /// A blob of a directory.
    Blob(BlobFile),
    /// A file to copy to an archive.
    Spool(File),
}

impl LayerFile {
    fn file(&self) -> &File {
        match self {
            Self::Blob(blob) => blob.file(),
            Self::Spool(file) => file,
        }
    }
}

/// The directory of a layout. Directories are created once the layers are complete, and removed on
/// drop if they are empty: an image that cannot be written leaves nothing, not even after SIGKILL.
struct LayoutDirectory {
    path: PathBuf,
    /// The directory of the blobs, or the lowest one above it that exists: the layers are written there,
    /// without names.
    existing: PathBuf,
    /// The directories that were created, the lowest first.
    new: Vec<PathBuf>,
}

impl LayoutDirectory {
    fn of(path: &Path) -> Result<Self> {
        let blobs = path.join(BLOBS);
        let lowest = blobs.ancestors().find(|above| above.symlink_metadata().is_ok());
        if let Some(other) = lowest.filter(|lowest| !lowest.is_dir()) {
            return Err(Error::io(other, io::Error::from(io::ErrorKind::NotADirectory)));
        }
        let existing = existing(&blobs).unwrap_or_else(|| ".".into());
        Ok(Self { path: path.to_owned(), existing, new: Vec::new() })
    }

    /// Creates the directories that are missing, and returns that of the blobs.
    fn create(&mut self) -> Result<PathBuf> {
        let blobs = self.path.join(BLOBS);
        let new = blobs.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists());
        self.new = new.map(Path::to_owned).collect();
        fs::create_dir_all(&blobs).map_err(|error| Error::io(&blobs, error))?;
        Ok(blobs)
    }
}

/// Returns the lowest existing directory of a path.
pub(super) fn existing(path: &Path) -> Option<PathBuf> {
    let here = |above: &Path| if above.as_os_str().is_empty() { ".".into() } else { above.to_owned() };
    path.ancestors().map(here).find(|above| above.is_dir())
}

impl Drop for LayoutDirectory {
    fn drop(&mut self) {
        for directory in &self.new {
            // OK to ignore: a directory that is not empty stays.
            let _ = fs::remove_dir(directory);
        }
    }
}

impl Target {
    /// Returns a layout in a directory, which may not exist yet.
    pub(super) fn directory(path: &Path) -> Result<Self> {
        Ok(Self { place: Place::Directory(LayoutDirectory::of(path)?), layers: Vec::new() })
    }

    /// Returns a layout in an archive, whose layer is kept in a directory until it is complete.
    pub(super) fn archive(destination: Destination, spool: Option<PathBuf>) -> Self {
        let spool = spool.unwrap_or_else(std::env::temp_dir);
        Self { place: Place::Archive(destination, spool), layers: Vec::new() }
    }

    /// Writes a layer, and computes both of its digests meanwhile.
    pub(super) fn layer(
        &mut self,
        layout: &Layout<'_, Blob>,
        codec: &Codec,
        cache: Option<&Cache>,
        write: &WriteOptions<'_>,
    ) -> Result<WrittenLayer> {
        let (directory, file) = match &self.place {
            Place::Directory(directory) => {
                let existing = directory.existing.clone();
                let file = BlobFile::create(&existing, write.interrupt.cleanups())?;
                (existing, LayerFile::Blob(file))
            }
            Place::Archive(_, spool) => {
                let file = tempfile::tempfile_in(spool).map_err(|error| Error::io(spool, error))?;
                (spool.clone(), LayerFile::Spool(file))
            }
        };
        let segments: Vec<Segment<'_, '_, Blob>> =
            layout.segments(codec.segment_len().unwrap_or(u64::MAX)).collect();
        let compress = codec.compression().is_some();
        let members: Vec<Member<'_, Blob>> =
            segments.iter().map(|segment| Member { image: segment, compress }).collect();
        let unpacked = OrderedSha256::default();
        let (written, digest) = {
            let mut out = Hashed { out: BufWriter::new(file.file()), hasher: Sha256::new() };
            let options = CompressOptions { write: *write, cache, observer: Some(&unpacked) };
            let written = compress::stream(&members, codec, &mut out, &directory, &options)?;
            (written, format!("sha256:{}", hex(&out.hasher.finalize())))
        };
        let diff_id = format!("sha256:{}", hex(&unpacked.finish()));
        let media_type = match codec.compression() {
            Some(Compression::Zstd) => "application/vnd.oci.image.layer.v1.tar+zstd",
            Some(_) => "application/vnd.oci.image.layer.v1.tar+gzip",
            None => "application/vnd.oci.image.layer.v1.tar",
        };
        self.layers.push((digest.clone(), file));
        let (size, archive_bytes) = (written.written_bytes, written.image_bytes);
        Ok(WrittenLayer { digest, diff_id, media_type, size, archive_bytes })
    }

    /// Adds the documents. The index comes last, so that a layout never has an incomplete image.
    pub(super) fn finish(
        self,
        config: &Described,
        manifest: &Described,
        entry: &Value,
        write: &WriteOptions<'_>,
    ) -> Result<()> {
        let documents = [config, manifest];
        match self.place {
            Place::Directory(mut directory) => {
                let blobs = directory.create()?;
                let (path, cleanups) = (&directory.path, write.interrupt.cleanups());
                // Another run that adds an image waits, so that neither index is lost.
                let lock = File::open(path).and_then(|opened| opened.lock().map(|()| opened));
                let _lock = lock.map_err(|error| Error::io(path, error))?;
                let index = index(Some(&path.join("index.json")), entry)?;
                for (digest, file) in self.layers {
                    if let LayerFile::Blob(blob) = file {
                        blob.publish(&blobs, hex_of(&digest))?;
                    }
                }
                for document in documents {
                    write_file(&blobs, hex_of(&document.digest), &document.bytes, cleanups)?;
                }
                write_file(path, "oci-layout", LAYOUT.as_bytes(), cleanups)?;
                write_file(path, "index.json", index.to_string().as_bytes(), cleanups)
            }
            Place::Archive(destination, spool) => {
                let mut tree: Tree<Blob> = Tree::new(Metadata::new(0o755));
                let mut added = BTreeSet::new();
                for (digest, file) in &self.layers {
                    // Layers that add nothing are equal.
                    if !added.insert(digest) {
                        continue;
                    }
                    let opened = file.file().try_clone().and_then(|opened| Archive::host(opened, &spool));
                    let archive = opened.map_err(|error| Error::io(&spool, error))?;
                    let range = ArchiveRange::whole(Arc::new(archive));
                    add(&mut tree, &blob_path(digest), Blob::Range(range))?;
                }
                for document in documents {
                    add(&mut tree, &blob_path(&document.digest), Blob::from(document.bytes.clone()))?;
                }
                add(&mut tree, "index.json", Blob::from(index(None, entry)?.to_string().into_bytes()))?;
                add(&mut tree, "oci-layout", Blob::from(LAYOUT.as_bytes().to_vec()))?;
                let layout = plan(&tree, &Options::archive()).map_err(advice::tar)?;
                file::write(&layout, &destination, write).map(|_| ())
            }
        }
    }
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

fn add(tree: &mut Tree<Blob>, path: &str, content: Blob) -> Result<()> {
    let inode = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(content) };
    let added = tree.insert_path(path.as_bytes(), inode, &Metadata::new(0o755));
    // Equal documents would have one path.
    added.map(|_| ()).map_err(|error| Error::new(ErrorKind::Verification, error))
}

/// The digits of a digest by SHA-256.
fn hex_of(digest: &str) -> &str {
    digest.trim_start_matches("sha256:")
}

/// Returns the index of a layout with the entry of the new image, which replaces one of its name.
/// All else of an existing index is kept.
fn index(existing: Option<&Path>, entry: &Value) -> Result<Value> {
    let mut index =
        Map::from_iter([("mediaType".to_owned(), INDEX.into()), ("schemaVersion".to_owned(), 2.into())]);
    let mut entries = Vec::new();
    if let Some(path) = existing
        && let Some(file) = open(path)?
    {
        let bytes = bounded::read_file(file, path, MAX_INDEX)?;
        index = serde_json::from_slice(&bytes)
            .map_err(|error| Error::at(ErrorKind::BadInput, path, format!("is not an index: {error}")))?;
        let Some(manifests) = index.get("manifests").and_then(Value::as_array) else {
            return Err(Error::at(ErrorKind::BadInput, path, "is not an index: it has no manifests"));
        };
        let name = |entry: &Value| entry.pointer(&format!("/annotations/{REF_NAME}")).cloned();
        entries.extend(manifests.iter().filter(|other| name(other) != name(entry)).cloned());
    }
    entries.push(entry.clone());
    index.insert("manifests".to_owned(), entries.into());
    Ok(index.into())
}

fn open(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path, error)),
    }
}

/// Writes a file that appears as a whole.
fn write_file(directory: &Path, name: &str, bytes: &[u8], cleanups: &Cleanups) -> Result<()> {
    let blob = BlobFile::create(directory, cleanups)?;
    blob.file().write_all(bytes).map_err(|error| Error::io(directory.join(name), error))?;
    blob.publish(directory, name)
}

/// Hashes the bytes that are written.
struct Hashed<W> {
    out: W,
    hasher: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
