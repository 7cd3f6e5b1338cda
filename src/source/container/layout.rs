//! Blobs and documents of a layout by their descriptors, whose lengths and digests are verified.

use std::path::Path;

use image_tree::Content as _;
use serde::de::DeserializeOwned;

use super::digest::{Algorithm, Digest, Hasher};
use super::document::{self, Descriptor, Document};
use super::media_type::{self, Kind};
use super::reference::Transport;
use super::store::Store;
use crate::blob::ArchiveRange;
use crate::bounded;
use crate::error::{Error, ErrorKind, Result};

/// A layout with the name of its source.
pub(super) struct Layout<'r> {
    pub(super) store: Store,
    pub(super) transport: Transport,
    /// The name of the source in messages.
    pub(super) name: &'r Path,
}

impl Layout<'_> {
    /// Returns an error about the source.
    pub(super) fn error(&self, what: impl Into<String>) -> Error {
        Error::at(ErrorKind::BadInput, self.name, what.into())
    }

    /// Returns the bytes of a file of the layout.
    pub(super) fn bytes(&self, path: &str, max: u64) -> Result<Vec<u8>> {
        let file = self.store.file(path)?;
        let file = file.ok_or_else(|| self.error(format!("has no {path}, so it is not such an image")))?;
        self.read(&file, path, max)
    }

    /// Reads a file of at most `max` bytes.
    pub(super) fn read(&self, file: &ArchiveRange, path: &str, max: u64) -> Result<Vec<u8>> {
        let bytes = bounded::read_content(file, max, path);
        bytes.map_err(|error| Error::at(error.kind(), self.name, error.to_string()))
    }

    /// Parses a document; `what` is its name.
    pub(super) fn parse<T: DeserializeOwned>(&self, bytes: &[u8], what: &str) -> Result<T> {
        document::parse(bytes).map_err(|why| self.error(format!("{what} {why}")))
    }

    /// Returns the digest of a descriptor.
    pub(super) fn digest(&self, descriptor: &Descriptor, what: &str) -> Result<Digest> {
        let digest = &descriptor.digest;
        Digest::parse(digest)
            .map_err(|why| self.error(format!("{what}: \"{}\" {why}", digest.escape_debug())))
    }

    /// Returns the bytes of a blob that has the length of its descriptor; none if it is not there.
    /// Its digest has to be verified.
    pub(super) fn blob(&self, descriptor: &Descriptor, what: &str) -> Result<Option<ArchiveRange>> {
        let digest = self.digest(descriptor, what)?;
        let Some(blob) = self.store.file(&self.path(&digest, descriptor))? else { return Ok(None) };
        if blob.len() != descriptor.size {
            let (stated, len) = (descriptor.size, blob.len());
            return Err(
                self.error(format!("{what} ({digest}) has {len} bytes, and its descriptor says {stated}"))
            );
        }
        Ok(Some(blob))
    }

    /// Returns the path of a blob in the layout. The hexadecimal digits of a digest are safe in it.
    fn path(&self, digest: &Digest, descriptor: &Descriptor) -> String {
        let (algorithm, hex) = (digest.algorithm(), digest.hex());
        if self.transport != Transport::Dir {
            return format!("blobs/{}/{hex}", algorithm.name());
        }
        let name = match algorithm {
            Algorithm::Sha256 => hex.to_owned(),
            Algorithm::Sha512 => format!("{}-{hex}", algorithm.name()),
        };
        let is_document = media_type::kind(descriptor.media_type()).is_some();
        if is_document { format!("{name}.manifest.json") } else { name }
    }

    /// Reads a document of at most [`document::MAX_LEN`] bytes, and verifies its length and digest.
    pub(super) fn verified(&self, descriptor: &Descriptor, what: &str) -> Result<(Digest, Vec<u8>)> {
        let digest = self.digest(descriptor, what)?;
        let blob = self.blob(descriptor, what)?;
        let blob = blob.ok_or_else(|| self.error(format!("{what} ({digest}) is missing")))?;
        let bytes = self.read(&blob, what, document::MAX_LEN)?;
        let mut hasher = Hasher::new(digest.algorithm());
        hasher.update(&bytes);
        let found = hasher.finish();
        if found != digest {
            return Err(
                self.error(format!("{what} has the digest {found}, and its descriptor says {digest}"))
            );
        }
        Ok((digest, bytes))
    }

    /// Parses an index or a manifest with this media type, if it is stated, and checks that it is
    /// unambiguous which of the two it is.
    pub(super) fn document(
        &self,
        bytes: &[u8],
        stated: Option<&str>,
        what: &str,
    ) -> Result<(Kind, Document)> {
        let document: Document = self.parse(bytes, what)?;
        let error = |why: String| Err(self.error(format!("{what} {why}")));
        if document.schema_version != Some(2) {
            let version = document.schema_version.map_or("no".to_owned(), |version| version.to_string());
            return error(format!("has {version} schemaVersion, and only 2 is read"));
        }
        if let (Some(stated), Some(own)) = (stated, document.media_type.as_deref())
            && stated != own
        {
            let (own, stated) = (own.escape_debug(), stated.escape_debug());
            return error(format!("has the media type \"{own}\", and its descriptor says \"{stated}\""));
        }
        let kind = match (&document.manifests, &document.layers) {
            (Some(_), Some(_)) => return error("has both layers and manifests".to_owned()),
            (Some(_), None) => Kind::Index,
            (None, _) if document.config.is_some() => Kind::Manifest,
            (None, _) => return error("has neither manifests nor a configuration".to_owned()),
        };
        let media_type = document.media_type.as_deref().or(stated);
        if media_type.is_some_and(|media_type| media_type::kind(media_type) != Some(kind)) {
            let media_type = media_type.unwrap_or_default().escape_debug();
            return error(format!("has the media type \"{media_type}\", which its contents do not match"));
        }
        Ok((kind, document))
    }
}
