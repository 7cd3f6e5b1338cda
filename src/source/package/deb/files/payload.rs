//! The files and descriptions of packages: verified, decompressed and read, several at a time.
//!
//! ```text
//! file ─▶ hash ─▶ ar ─┬─▶ description ─▶ fields, scripts
//!                     └─▶ decompress ─▶ members ─▶ contents in a spool or in the cache
//! cache ─────▶ hash ─────────────────▶ members, contents in place
//! ```
//!
//! The longest are read first, as one that is begun last would end last.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use image_tree::Content as _;
use sha2::{Digest as _, Sha256};

use super::archive::{Deb, Part, part_name};
use super::control::{self, Control};
use super::options::Options;
use super::package::{Expected, PackageFile, hex};
use crate::blob::{Archive, ArchiveRange, read_chunks};
use crate::cache::{Cache, FoundPayload, PayloadLens};
use crate::error::{Error, ErrorKind, Result, classify_read_error};
use crate::source::container::Message;
use crate::source::tar::{self, Budget, Compression, Entry, ReadMembers, Totals, Warning};

/// A package whose bytes are verified and whose members were read.
pub(super) struct Payload {
    /// The name of the package in messages.
    pub(super) name: PathBuf,
    /// The name of its files in messages.
    pub(super) data_name: PathBuf,
    /// The SHA-256 digest of its file.
    pub(super) sha256: [u8; 32],
    /// The length of its file, in bytes.
    pub(super) size: u64,
    pub(super) control: Control,
    pub(super) members: Vec<Entry>,
    pub(super) budget: Budget,
    pub(super) messages: Vec<Message>,
}

/// Reads packages, in their order.
pub(super) fn read(packages: &[PackageFile], options: &Options<'_>) -> Result<Vec<Payload>> {
    let mut order: Vec<usize> = (0..packages.len()).collect();
    order.sort_by_key(|number| (std::cmp::Reverse(packages[*number].len()), *number));
    let totals = Arc::new(Totals::default());
    let mut read = options.threads.map(packages.len(), |position, (): &mut ()| {
        let number = order[position];
        let reading = Reading { package: &packages[number], options, totals: &totals };
        reading.read().map(|payload| (number, payload))
    })?;
    read.sort_by_key(|(number, _)| *number);
    Ok(read.into_iter().map(|(_, payload)| payload).collect())
}

/// One package that is being read.
struct Reading<'a> {
    package: &'a PackageFile,
    options: &'a Options<'a>,
    totals: &'a Arc<Totals>,
}

/// The parts of a package, from its file or from its entry in the cache.
struct Found {
    control: Control,
    data_name: PathBuf,
    members: ReadMembers,
}

impl Reading<'_> {
    fn read(&self) -> Result<Payload> {
        let mut messages = Vec::new();
        let PackageFile { name, expected, .. } = self.package;
        // The file itself is not needed, if its digest is known and the cache has what is in it.
        if let (Some(cache), Some(expected)) = (self.options.cache, expected)
            && let Some((found, _)) = self.taken_from(cache, &expected.sha256, &mut messages)?
        {
            return self.payload((expected.sha256, expected.size), found, messages);
        }
        let deb = self.open().and_then(|archive| Deb::of(ArchiveRange::whole(Arc::new(archive)), name));
        let sha256 = self.verify(&deb)?;
        let deb = deb?;
        let size = deb.file.len();
        if let (Some(cache), None) = (self.options.cache, expected)
            && let Some((found, _)) = self.taken_from(cache, &sha256, &mut messages)?
        {
            return self.payload((sha256, size), found, messages);
        }
        let found = self.decoded(&deb, &sha256, &mut messages)?;
        self.payload((sha256, size), found, messages)
    }

    fn payload(
        &self,
        (sha256, size): ([u8; 32], u64),
        found: Found,
        mut messages: Vec<Message>,
    ) -> Result<Payload> {
        let Found { control, data_name, mut members } = found;
        for warning in members.take_warnings() {
            let text = match warning {
                Warning::MissingEnd(_) => warning.to_string(),
                Warning::Padding(count) => {
                    let what = format!("{count} zeros follow its compressed data");
                    return Err(Error::at(ErrorKind::BadInput, data_name, what));
                }
            };
            messages.push(Message::Warning(text));
        }
        // A file has the same bytes wherever the package was decompressed to.
        members.set_verified(&format!("deb {}", hex(&sha256)));
        let (members, mut budget) = members.into_parts();
        let charged = budget.metadata(control.size());
        charged.map_err(|problem| Error::at(ErrorKind::BadInput, &self.package.name, problem))?;
        let name = self.package.name.clone();
        Ok(Payload { name, data_name, sha256, size, control, members, budget, messages })
    }

    fn open(&self) -> Result<Archive> {
        let PackageFile { path, fetched, name, .. } = self.package;
        if let Some(fetched) = fetched {
            // Other runs change the time of use of a file in the cache.
            let file = fetched.try_clone().and_then(|file| Archive::cached(file, name));
            return file.map_err(|error| Error::io(name, error));
        }
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        let is_file = file.metadata().map_err(|error| Error::io(path, error))?.is_file();
        match is_file {
            true => Archive::host(file, path).map_err(|error| Error::io(path, error)),
            false => Err(Error::at(ErrorKind::BadInput, path, "is not a regular file")),
        }
    }

    /// Returns the digest of a package's file, which is the right one. A file with another digest is
    /// reported as such, whatever else is wrong with it.
    fn verify(&self, deb: &Result<Deb>) -> Result<[u8; 32]> {
        let PackageFile { fetched, name, expected, .. } = self.package;
        if let (Some(_), Some(Expected { sha256, .. }), Ok(_)) = (fetched, expected, deb) {
            return Ok(*sha256);
        }
        let whole = match deb {
            Ok(deb) => deb.file.clone(),
            Err(_) if expected.is_none() => return Ok([0; 32]),
            Err(_) => ArchiveRange::whole(Arc::new(self.open()?)),
        };
        let refuse = |what: String| Err(Error::at(ErrorKind::BadInput, name, what));
        if let Some(expected) = expected
            && expected.size != whole.len()
        {
            return refuse(format!("has {} bytes, and not {} as stated", whole.len(), expected.size));
        }
        let (mut digest, mut buffer) = (Sha256::new(), Vec::new());
        read_chunks(&whole, 0..whole.len(), &mut buffer, self.options.interrupt, |_, bytes| {
            digest.update(bytes)
        })?;
        let found: [u8; 32] = digest.finalize().into();
        match expected {
            Some(expected) if expected.sha256 != found => refuse(format!(
                "its SHA-256 digest is {}, and not {} as stated",
                hex(&found),
                hex(&expected.sha256)
            )),
            _ => Ok(found),
        }
    }

    /// Reads the description of a package.
    fn control(&self, part: &Part) -> Result<Control> {
        let name = part_name(&self.package.name, part);
        let stream = RangeReader { bytes: &part.bytes, position: 0 };
        let unpacked = match part.compression {
            Some(compression) => {
                compression.unpack(stream, control::MAX_LEN, self.options.limits.decoder_memory)
            }
            None if part.bytes.len() > control::MAX_LEN => Err(io::Error::other(format!(
                "it has more than {} bytes, which is the limit",
                control::MAX_LEN
            ))),
            None => {
                let mut bytes = Vec::new();
                { stream }.read_to_end(&mut bytes).map(|_| bytes)
            }
        };
        let unpacked = unpacked.map_err(|error| match error.raw_os_error() {
            Some(_) => classify_read_error(error),
            None => Error::at(ErrorKind::BadInput, &name, format!("cannot be unpacked: {error}")),
        })?;
        Control::read(unpacked, &name, self.options.interrupt)
    }

    /// Decodes a package, into the cache if there is one.
    fn decoded(&self, deb: &Deb, sha256: &[u8; 32], messages: &mut Vec<Message>) -> Result<Found> {
        let control = self.control(&deb.control)?;
        let data_name = part_name(&self.package.name, &deb.data);
        let members = match (deb.data.compression, self.options.cache) {
            (None, _) => self.in_place(&deb.data.bytes, &data_name)?,
            (Some(compression), cache) => {
                let kept =
                    cache.map(|cache| self.kept_in(cache, (deb, compression), (&control, sha256), messages));
                match kept {
                    Some(Ok(Some(members))) => members,
                    Some(Err(error)) if error.kind() == ErrorKind::Io => {
                        let text = format!("--cache: {error}; it is not kept for the next run");
                        messages.push(Message::Warning(text));
                        self.spooled(&deb.data, compression, &data_name)?
                    }
                    Some(Err(error)) => return Err(error),
                    Some(Ok(None)) | None => self.spooled(&deb.data, compression, &data_name)?,
                }
            }
        };
        Ok(Found { control, data_name, members })
    }

    /// Reads members whose contents stay where they are.
    fn in_place(&self, range: &ArchiveRange, name: &Path) -> Result<ReadMembers> {
        let Options { limits, interrupt, .. } = *self.options;
        self.members(tar::Reader::part(range, name, limits, interrupt))
    }

    fn members(&self, reader: tar::Reader<'_>) -> Result<ReadMembers> {
        reader.with_totals(self.totals).with_owner_names().read_members()
    }

    /// Decompresses into memory and an unnamed file.
    fn spooled(&self, part: &Part, compression: Compression, name: &Path) -> Result<ReadMembers> {
        let Options { limits, interrupt, spool: directory, memory, .. } = *self.options;
        let stream = RangeReader { bytes: &part.bytes, position: 0 };
        let place = tar::SpoolPlace { name, directory, memory };
        self.members(tar::Reader::spooled(stream, Some(compression), place, limits, interrupt)?)
    }

    /// Reads a package that an earlier run decoded.
    fn taken_from(
        &self,
        cache: &Cache,
        sha256: &[u8; 32],
        messages: &mut Vec<Message>,
    ) -> Result<Option<(Found, u64)>> {
        let PackageFile { name, expected, .. } = self.package;
        let payload = match cache.open_payload(&hex(sha256), || self.options.interrupt.check())? {
            FoundPayload::Verified(payload) => payload,
            FoundPayload::Damaged => {
                let text = "its entry in the cache is damaged, and is replaced";
                messages.push(Message::Warning(text.to_owned()));
                return Ok(None);
            }
            FoundPayload::Missing => return Ok(None),
        };
        let PayloadLens { package, data, control } = payload.lens;
        if expected.as_ref().is_some_and(|expected| expected.size != package) {
            return Ok(None);
        }
        let data_name = {
            let mut text = name.as_os_str().to_owned();
            text.push(": data.tar");
            PathBuf::from(text)
        };
        let archive = Archive::cached(payload.file, &data_name).map_err(|error| Error::io(name, error))?;
        let archive = Arc::new(archive);
        let part = Part {
            name: "control.tar".to_owned(),
            bytes: ArchiveRange::new(Arc::clone(&archive), data, control),
            compression: None,
        };
        let control = self.control(&part)?;
        let members = self.in_place(&ArchiveRange::new(archive, 0, data), &data_name)?;
        messages.push(Message::Detail("it was in the cache".to_owned()));
        Ok(Some((Found { control, data_name, members }, package)))
    }

    /// Decompresses into a file of the cache; `None` if nothing can be stored there.
    fn kept_in(
        &self,
        cache: &Cache,
        (deb, compression): (&Deb, Compression),
        (control, sha256): (&Control, &[u8; 32]),
        messages: &mut Vec<Message>,
    ) -> Result<Option<ReadMembers>> {
        let data_name = part_name(&self.package.name, &deb.data);
        let failed = |error| Error::io(&data_name, error);
        let Some(new) = cache.begin_payload(&hex(sha256)).map_err(failed)? else { return Ok(None) };
        let Options { limits, interrupt, .. } = *self.options;
        let stream = RangeReader { bytes: &deb.data.bytes, position: 0 };
        let file = new.file().try_clone().map_err(failed)?;
        let hashed = Arc::new(Mutex::new((Sha256::new(), 0_u64)));
        let members = {
            let hashed = Arc::clone(&hashed);
            let tap = move |bytes: &[u8]| {
                let mut hashed = hashed.lock().unwrap_or_else(PoisonError::into_inner);
                hashed.0.update(bytes);
                hashed.1 += bytes.len() as u64;
            };
            let reader = tar::Reader::kept(stream, compression, (&data_name, file), limits, interrupt)?;
            self.members(reader.with_tap(tap))?
        };
        let (digest, data) = hashed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut bytes = vec![0; control.size()];
        control.archive.read_at(&mut bytes, 0).map_err(classify_read_error)?;
        let lens = PayloadLens { package: deb.file.len(), data, control: bytes.len() as u64 };
        // What is in the tree stays readable whether it is kept or not.
        let text = match new.keep_payload(digest, lens, &bytes) {
            Ok(true) => Message::Detail("it is kept in the cache".to_owned()),
            Ok(false) => Message::Detail("it is larger than --cache-size".to_owned()),
            Err(error) => Message::Warning(format!("--cache: {error}; it is not kept for the next run")),
        };
        messages.push(text);
        Ok(Some(members))
    }
}

/// The bytes of a range as a stream.
struct RangeReader<'a> {
    bytes: &'a ArchiveRange,
    position: u64,
}

impl Read for RangeReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.bytes.len().saturating_sub(self.position);
        let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.bytes.read_at(&mut buffer[..count], self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}
