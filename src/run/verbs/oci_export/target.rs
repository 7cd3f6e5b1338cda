//! The layout that an image is written to: a directory, or an archive.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image_tree::{Inode, Kind, Metadata, Tree};
use initramfs::Compression;
use initramfs::codec::Codec;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar_archive::{Layout, Options, Segment, plan};
use tempfile::NamedTempFile;

use super::documents::{Described, REF_NAME, WrittenLayer};
use crate::blob::{Archive, ArchiveRange, Blob};
use crate::bounded;
use crate::error::{Error, ErrorKind, Result};
use crate::output::compress::{self, CompressOptions, Member};
use crate::output::{Destination, WriteOptions, digest};
use crate::run::advice;
use crate::run::output::{hex, write_output};

const LAYOUT: &str = "{\"imageLayoutVersion\":\"1.0.0\"}";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The longest index that is read, in bytes: 4 MiB.
const MAX_INDEX: u64 = 4 << 20;

/// The place of a layout.
pub(super) struct Target {
    place: Place,
    /// The layers that are not in an archive yet, with their digests.
    layers: Vec<(String, NamedTempFile)>,
}

enum Place {
    /// A directory, which exists.
    Directory(PathBuf),
    /// An archive, and the directory for its layer until it is complete.
    Archive(Destination, Option<PathBuf>),
}

impl Target {
    /// Opens a layout, or creates an empty one.
    pub(super) fn directory(path: &Path) -> Result<Self> {
        let blobs = path.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(|error| Error::io(&blobs, error))?;
        Ok(Self { place: Place::Directory(path.to_owned()), layers: Vec::new() })
    }

    /// Returns a layout in an archive, whose layer is kept in a directory until it is complete.
    pub(super) fn archive(destination: Destination, spool: Option<PathBuf>) -> Self {
        Self { place: Place::Archive(destination, spool), layers: Vec::new() }
    }

    /// Writes a layer: hashes the archive, and compresses it.
    pub(super) fn layer(
        &mut self,
        layout: &Layout<'_, Blob>,
        codec: &Codec,
        write: &WriteOptions<'_>,
    ) -> Result<WrittenLayer> {
        let directory = match &self.place {
            Place::Directory(path) => path.join("blobs/sha256"),
            Place::Archive(_, spool) => spool.clone().unwrap_or_else(std::env::temp_dir),
        };
        let failed = |error: io::Error| Error::io(&directory, error);
        let diff_id = format!("sha256:{}", hex(&digest::sha256(layout, write)?));
        let file = tempfile::Builder::new().prefix(".rootcast-").tempfile_in(&directory).map_err(failed)?;
        let segments: Vec<Segment<'_, '_, Blob>> =
            layout.segments(codec.segment_len().unwrap_or(u64::MAX)).collect();
        let compress = codec.compression().is_some();
        let members: Vec<Member<'_, Blob>> =
            segments.iter().map(|segment| Member { image: segment, compress }).collect();
        let (written, digest) = {
            let mut out = Hashed { out: BufWriter::new(file.as_file()), hasher: Sha256::new() };
            let options = CompressOptions { write: *write, cache: None };
            let written = compress::stream(&members, codec, &mut out, &directory, &options)?;
            (written, format!("sha256:{}", hex(&out.hasher.finalize())))
        };
        let media_type = match codec.compression() {
            Some(Compression::Zstd) => "application/vnd.oci.image.layer.v1.tar+zstd",
            Some(_) => "application/vnd.oci.image.layer.v1.tar+gzip",
            None => "application/vnd.oci.image.layer.v1.tar",
        };
        file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(failed)?;
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
            Place::Directory(path) => {
                let blob = |digest: &str| path.join("blobs").join(digest.replacen(':', "/", 1));
                let index = index(Some(&path.join("index.json")), entry)?;
                for (digest, file) in self.layers {
                    file.persist(blob(&digest)).map_err(|error| Error::io(blob(&digest), error.error))?;
                }
                for document in documents {
                    replace(&blob(&document.digest), &document.bytes)?;
                }
                replace(&path.join("oci-layout"), LAYOUT.as_bytes())?;
                replace(&path.join("index.json"), index.to_string().as_bytes())
            }
            Place::Archive(destination, _) => {
                let mut tree: Tree<Blob> = Tree::new(Metadata::new(0o755));
                for (digest, file) in &self.layers {
                    let opened = file.reopen().and_then(|opened| Archive::host(opened, file.path()));
                    let archive = opened.map_err(|error| Error::io(file.path(), error))?;
                    let range = ArchiveRange::whole(Arc::new(archive));
                    add(&mut tree, &blob_path(digest), Blob::Range(range))?;
                }
                for document in documents {
                    add(&mut tree, &blob_path(&document.digest), Blob::from(document.bytes.clone()))?;
                }
                add(&mut tree, "index.json", Blob::from(index(None, entry)?.to_string().into_bytes()))?;
                add(&mut tree, "oci-layout", Blob::from(LAYOUT.as_bytes().to_vec()))?;
                let layout = plan(&tree, &Options::archive()).map_err(advice::tar)?;
                write_output(&layout, Some(&destination), None, write).map(|_| ())
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

/// Returns the index of a layout with the entry of the new image, which replaces one of its name.
fn index(existing: Option<&Path>, entry: &Value) -> Result<Value> {
    let mut entries = Vec::new();
    if let Some(path) = existing
        && let Some(file) = open(path)?
    {
        let bytes = bounded::read_file(file, path, MAX_INDEX)?;
        let index: Value = serde_json::from_slice(&bytes)
            .map_err(|error| Error::at(ErrorKind::BadInput, path, format!("is not an index: {error}")))?;
        let Some(manifests) = index.get("manifests").and_then(Value::as_array) else {
            return Err(Error::at(ErrorKind::BadInput, path, "is not an index: it has no manifests"));
        };
        let name = |entry: &Value| entry.pointer(&format!("/annotations/{REF_NAME}")).cloned();
        entries.extend(manifests.iter().filter(|other| name(other) != name(entry)).cloned());
    }
    entries.push(entry.clone());
    Ok(json!({ "manifests": entries, "mediaType": INDEX, "schemaVersion": 2 }))
}

fn open(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path, error)),
    }
}

/// Writes a file that appears as a whole.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: io::Error| Error::io(path, error);
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".rootcast-").tempfile_in(directory).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error)).map(|_| ())
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
