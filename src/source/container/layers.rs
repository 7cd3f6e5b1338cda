//! Layers as lists of members, whose digests are verified.
//!
//! ```text
//! blob ─▶ hash ─▶ decompress ─▶ hash ─▶ members ─▶ contents in a spool      compressed
//! blob ─▶ hash                     blob ─▶ members, contents in place       not compressed
//! ```
//!
//! Several are read at a time, the longest first, as one that is begun last would end last.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use image_tree::Content as _;

use super::digest::{Algorithm, Digest, Hasher};
use super::image::Layer;
use super::message::Message;
use super::options::Options;
use crate::blob::{Archive, ArchiveRange, read_chunks};
use crate::cache::{Addressed, Cache, LayerState};
use crate::error::{Error, ErrorKind, Result};
use crate::source::tar::{self, Compression, ReadMembers, SpoolPlace, Totals, Warning};

/// The member that holds the table of contents of a layer.
const TOC: &[u8] = b"stargz.index.json";

/// A layer whose members were read and whose digests are right.
pub(super) struct ReadLayer {
    pub(super) members: ReadMembers,
    /// Its name with that of the source.
    pub(super) name: PathBuf,
    pub(super) messages: Vec<Message>,
}

/// Reads the layers of a source, in their order.
pub(super) fn read(source: &Path, layers: &[Layer], options: &Options<'_>) -> Result<Vec<ReadLayer>> {
    let mut order: Vec<usize> = (0..layers.len()).collect();
    order.sort_by_key(|number| std::cmp::Reverse(layers[*number].blob.len()));
    let totals = Arc::new(Totals::default());
    let read = options.threads.map(layers.len(), |position, (): &mut ()| {
        let number = order[position];
        Reading { source, layer: &layers[number], options, totals: &totals }.read().map(|read| (number, read))
    })?;
    let mut read = read;
    read.sort_by_key(|(number, _)| *number);
    Ok(read.into_iter().map(|(_, layer)| layer).collect())
}

/// One layer that is being read.
struct Reading<'a> {
    source: &'a Path,
    layer: &'a Layer,
    options: &'a Options<'a>,
    totals: &'a Arc<Totals>,
}

impl Reading<'_> {
    fn name(&self) -> PathBuf {
        let mut name = self.source.as_os_str().to_owned();
        name.push(": ");
        name.push(&self.layer.name);
        name.into()
    }

    fn error(&self, what: impl Into<String>) -> Error {
        Error::at(ErrorKind::BadInput, self.name(), what.into())
    }

    fn read(&self) -> Result<ReadLayer> {
        let Layer { blob, stated, has_toc, .. } = self.layer;
        let mut start = [0; 512];
        let len = start.len().min(usize::try_from(blob.len()).unwrap_or(start.len()));
        blob.read_at(&mut start[..len], 0).map_err(crate::error::classify_read_error)?;
        let found = if tar::is_start(&start) { None } else { Compression::of(&start[..len]) };
        let mut messages = Vec::new();
        if let Some(stated) = stated
            && *stated != found
            && len > 0
        {
            let name =
                |compression: Option<Compression>| compression.map_or("no compression", Compression::name);
            let text = format!("its media type states {}, and it has {}", name(*stated), name(found));
            messages.push(Message::Warning(text));
        }
        let mut members = match found {
            None => self.plain()?,
            Some(compression @ (Compression::Gzip | Compression::Zstd)) => {
                self.compressed(compression, &mut messages)?
            }
            Some(other) => {
                return Err(self.error(format!("is compressed with {}, which layers are not", other.name())));
            }
        };
        for warning in members.take_warnings() {
            match warning {
                // Programs leave the end of a layer out, and its digest is right.
                Warning::MissingEnd(_) => {}
                Warning::Padding(count) => {
                    return Err(self.error(format!("{count} zeros follow its compressed data")));
                }
            }
        }
        members.set_verified(&self.layer.diff_id.to_string());
        if *has_toc {
            members.retain(|path| path.strip_prefix(b"./").unwrap_or(path) != TOC);
        }
        members.drop_xattrs(|name| name.starts_with(b"trusted.overlay."));
        Ok(ReadLayer { members, name: self.name(), messages })
    }

    /// Reads a layer that is not compressed, where it is.
    fn plain(&self) -> Result<ReadMembers> {
        let Layer { blob, digest, diff_id, .. } = self.layer;
        let digest = digest.as_ref().filter(|digest| *digest != diff_id);
        let algorithms = std::iter::once(diff_id).chain(digest).map(Digest::algorithm);
        let mut found = self.hashed(blob, algorithms)?.into_iter();
        if let (Some(diff_id_found), digest_found) = (found.next(), found.next()) {
            if let (Some(digest), Some(found)) = (digest, &digest_found) {
                self.check("digest", digest, found)?;
            }
            self.check("diffID", diff_id, &diff_id_found)?;
        }
        self.in_place(blob)
    }

    /// Returns digests of all bytes.
    fn hashed(
        &self,
        blob: &ArchiveRange,
        algorithms: impl Iterator<Item = Algorithm>,
    ) -> Result<Vec<Digest>> {
        let mut hashers: Vec<Hasher> = algorithms.map(Hasher::new).collect();
        let mut buffer = Vec::new();
        read_chunks(blob, 0..blob.len(), &mut buffer, self.options.interrupt, |_, bytes| {
            hashers.iter_mut().for_each(|hasher| hasher.update(bytes));
        })?;
        Ok(hashers.into_iter().map(Hasher::finish).collect())
    }

    /// Reads members whose contents stay where they are.
    fn in_place(&self, blob: &ArchiveRange) -> Result<ReadMembers> {
        let Options { limits, interrupt, .. } = *self.options;
        let reader = tar::Reader::range(blob, &self.name(), limits, interrupt);
        reader.with_totals(self.totals).read_members()
    }

    /// Reads a compressed layer, which the cache may have, or is to have.
    fn compressed(&self, compression: Compression, messages: &mut Vec<Message>) -> Result<ReadMembers> {
        if let Some(cache) = self.options.cache {
            if let Some(members) = self.taken_from(cache, messages)? {
                return Ok(members);
            }
            match self.kept_in(cache, compression, messages) {
                Err(Failed { error, is_of_layer: false }) if error.kind() == ErrorKind::Io => {
                    messages
                        .push(Message::Warning(format!("--cache: {error}; it is not kept for the next run")));
                }
                Ok(None) => {}
                Ok(Some(members)) => return Ok(members),
                Err(Failed { error, .. }) => return Err(error),
            }
        }
        let Options { limits, interrupt, spool: directory, memory, .. } = *self.options;
        self.decoded(self.totals, |stream| {
            let place = SpoolPlace { name: &self.name(), directory, memory };
            tar::Reader::spooled(stream, Some(compression), place, limits, interrupt)
        })
        .map_err(|failed| failed.error)
    }

    /// Reads a layer that an earlier run decoded, if the cache has it with the right digest.
    fn taken_from(&self, cache: &Cache, messages: &mut Vec<Message>) -> Result<Option<ReadMembers>> {
        let diff_id = &self.layer.diff_id;
        let Some(file) = cache.open_addressed(Addressed::Layer, diff_id.hex()) else { return Ok(None) };
        let opened = file.try_clone().and_then(|file| Archive::cached(file, &self.name()));
        let Ok(archive) = opened else { return Ok(None) };
        let blob = ArchiveRange::whole(Arc::new(archive));
        if !cache.is_verified(diff_id.hex(), &file) {
            let state = LayerState::of(&file);
            let found = match self.hashed(&blob, std::iter::once(diff_id.algorithm())) {
                Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
                found => found.unwrap_or_default(),
            };
            if found.first() != Some(diff_id) {
                let text = "its entry in the cache is damaged, and is replaced";
                messages.push(Message::Warning(text.to_owned()));
                return Ok(None);
            }
            if let Some(state) = state.filter(|state| LayerState::of(&file).as_ref() == Some(state)) {
                cache.set_verified(diff_id.hex(), &state);
            }
        }
        messages.push(Message::Detail("it was in the cache".to_owned()));
        self.in_place(&blob).map(Some)
    }

    /// Decodes a layer into a file of the cache; `None` if nothing can be stored there.
    fn kept_in(
        &self,
        cache: &Cache,
        compression: Compression,
        messages: &mut Vec<Message>,
    ) -> Result<Option<ReadMembers>, Failed> {
        let failed = |error| Error::io(self.name(), error);
        let place = cache.begin_addressed(Addressed::Layer, self.layer.diff_id.hex());
        let Some(new) = place.map_err(failed).map_err(Failed::storing)? else { return Ok(None) };
        let Options { limits, interrupt, .. } = *self.options;
        let totals = Arc::new(Totals::within(self.totals));
        let members = self.decoded(&totals, |stream| {
            let file = new.file().try_clone().map_err(failed)?;
            tar::Reader::kept(stream, compression, (&self.name(), file), limits, interrupt)
        });
        // A layer that cannot be stored is decoded once more, and counts once.
        let members = members.inspect_err(|_| totals.take_back())?;
        // Its digests are right. What is in the tree stays readable whether it is kept or not.
        let text = match new.keep() {
            Ok(true) => Message::Detail("it is kept in the cache".to_owned()),
            Ok(false) => Message::Detail("it is larger than --cache-size".to_owned()),
            Err(error) => Message::Warning(format!("--cache: {error}; it is not kept for the next run")),
        };
        messages.push(text);
        Ok(Some(members))
    }

    /// Decodes a layer, and verifies its digests. `reader` returns the reader of the blob.
    fn decoded<'r>(
        &'r self,
        totals: &Arc<Totals>,
        reader: impl FnOnce(SharedRead) -> Result<tar::Reader<'r>>,
    ) -> Result<ReadMembers, Failed> {
        let Layer { blob, digest, diff_id, .. } = self.layer;
        let hasher = digest.as_ref().map(|digest| Hasher::new(digest.algorithm()));
        let state =
            Arc::new(Mutex::new(HashedRead { blob: blob.clone(), position: 0, hasher, has_failed: false }));
        let unpacked = Arc::new(Mutex::new(Hasher::new(diff_id.algorithm())));
        let read = {
            let unpacked = Arc::clone(&unpacked);
            let tap = move |bytes: &[u8]| {
                unpacked.lock().unwrap_or_else(PoisonError::into_inner).update(bytes);
            };
            let reader = reader(SharedRead(Arc::clone(&state))).map_err(Failed::storing)?;
            reader.of_layer().with_totals(totals).with_tap(tap).read_members()
        };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let read = match read {
            Err(error) if error.kind() != ErrorKind::BadInput => {
                return Err(Failed { error, is_of_layer: state.has_failed });
            }
            read => read,
        };
        // A blob with another digest is the reason for whatever is wrong with its contents.
        io::copy(&mut *state, &mut io::sink()).map_err(crate::error::classify_read_error)?;
        if let (Some(digest), Some(hasher)) = (digest, state.hasher.take()) {
            self.check("digest", digest, &hasher.finish())?;
        }
        let members = read?;
        let unpacked = unpacked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.check("diffID", diff_id, &unpacked.finish())?;
        Ok(members)
    }

    fn check(&self, what: &str, stated: &Digest, found: &Digest) -> Result<()> {
        if stated == found {
            return Ok(());
        }
        Err(self.error(format!("its {what} is {found}, and not {stated} as stated")))
    }
}

/// The reason why a layer was not decoded.
#[derive(Debug)]
struct Failed {
    error: Error,
    /// False if its decoded bytes could not be stored.
    is_of_layer: bool,
}

impl Failed {
    fn storing(error: Error) -> Self {
        Self { error, is_of_layer: false }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, is_of_layer: true }
    }
}

/// A blob that is hashed while it is read.
struct HashedRead {
    blob: ArchiveRange,
    position: u64,
    hasher: Option<Hasher>,
    /// True once the blob could not be read.
    has_failed: bool,
}

impl Read for HashedRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.blob.len().saturating_sub(self.position);
        let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.blob.read_at(&mut buffer[..count], self.position);
        read.inspect_err(|_| self.has_failed = true)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        self.position += count as u64;
        Ok(count)
    }
}

/// A reader whose state is needed after it was read.
struct SharedRead(Arc<Mutex<HashedRead>>);

impl Read for SharedRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::blob::SpoolMemory;
    use crate::interrupt::Interrupt;
    use crate::source::tar::Limits;
    use crate::threads::Threads;

    /// A blob that cannot be read is not an error of the cache.
    #[test]
    fn a_layer_that_cannot_be_read_is_not_reported_as_one_that_cannot_be_stored() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("blob");
        std::fs::write(&path, [0x1f; 100]).expect("a new file");
        let unreadable = File::options().write(true).open(&path).expect("it is ours");
        let archive = Archive::host(unreadable, &path).expect("a file");
        let cache = Cache::open(&directory.path().join("cache"), 1 << 30).expect("a new directory");
        let (threads, interrupt, memory) = (Threads::single(), Interrupt::never(), SpoolMemory::default());
        let options = Options {
            platform: None,
            spool: None,
            memory: &memory,
            cache: Some(&cache),
            keep_directory_symlink: false,
            limits: Limits::DEFAULT,
            threads: &threads,
            interrupt: &interrupt,
        };
        let layer = Layer {
            blob: ArchiveRange::whole(Arc::new(archive)),
            digest: None,
            diff_id: Digest::sha256(b""),
            stated: None,
            has_toc: false,
            name: "layer 1".to_owned(),
        };
        let source = Path::new("source");
        let reading = Reading { source, layer: &layer, options: &options, totals: &Arc::default() };
        let mut messages = Vec::new();
        let error = reading.compressed(Compression::Gzip, &mut messages).err().expect("it cannot be read");
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("blob: cannot be read: "), "{error}");
        assert_eq!(messages, []);
    }
}
