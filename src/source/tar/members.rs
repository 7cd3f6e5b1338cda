//! Combines headers into members, with all records that apply to each.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use image_tree::{Content, Device, Kind, LinkTarget, Metadata, Timestamp};

use super::acl::NamedEntry;
use super::budget::Budget;
use super::error::{MapProblem, Problem, TarError, Warning};
use super::header::{self, BLOCK, Header, HeaderFormat, TypeFlag};
use super::input::{Failure, Input};
use super::pax::Records;
use super::sparse::{self, TextMap};
use crate::blob::archive::Piece;
use crate::blob::{ArchiveRange, Blob, Sparse};
use crate::error::{Error, ErrorKind};
use crate::stack::{Member, MemberKind};

/// The longest extended header, in bytes: 16 MiB.
const MAX_EXTENDED: u64 = 16 << 20;
/// The longest name or link target in a header of its own, in bytes: 1 MiB.
const MAX_LONG_NAME: u64 = 1 << 20;

/// One member of an archive, with its offset.
#[derive(Debug)]
pub struct Entry {
    /// The offset of its header, in bytes.
    pub(super) offset: u64,
    /// Its path as written, its metadata and its type with contents.
    pub(in crate::source) member: Member<Blob>,
    /// The entries of its access control lists for users and groups by name.
    pub(super) names: Vec<NamedEntry>,
    /// The names of its owners, if the reader keeps them and there are any.
    pub(in crate::source) owner: Option<Box<OwnerNames>>,
}

/// The names of the owners of a member; empty where the archive has a number only.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::source) struct OwnerNames {
    pub(in crate::source) user: Vec<u8>,
    pub(in crate::source) group: Vec<u8>,
}

impl Entry {
    /// Returns the error for the member, in an archive that messages call `name`.
    pub(in crate::source) fn error(&self, name: &Path, problem: impl Into<Problem>) -> Error {
        let (offset, path) = (self.offset, Some(self.member.path.clone()));
        Error::at(ErrorKind::BadInput, name, TarError { offset, path, problem: problem.into() })
    }
}

/// A failure, with its place in the archive.
pub(super) struct Located {
    pub(super) offset: u64,
    pub(super) path: Option<Vec<u8>>,
    pub(super) failure: Failure,
}

impl Located {
    /// Returns the fault of the archive, or another failure.
    pub(super) fn into_tar_error(self) -> Result<TarError, Failure> {
        match self.failure {
            Failure::Bad(problem) => Ok(TarError { offset: self.offset, path: self.path, problem }),
            other => Err(other),
        }
    }
}

/// The members of an archive, one after the other.
pub(super) struct Members<'a> {
    pub(super) input: Input<'a>,
    pub(super) budget: Budget,
    /// The unusual facts about the archive.
    pub(super) warnings: Vec<Warning>,
    global: Records,
    /// True for a layer of an image: a file whose path ends in `/` is a directory only in V7, and
    /// global headers have no effect.
    pub(super) is_layer: bool,
    /// True if the names of owners are kept.
    pub(super) keeps_owner_names: bool,
}

/// The records and names from headers before a member.
#[derive(Default)]
struct Pending {
    /// The offset of the first of these headers, in bytes.
    offset: Option<u64>,
    records: Option<Records>,
    name: Option<Vec<u8>>,
    link_name: Option<Vec<u8>>,
}

impl<'a> Members<'a> {
    pub(super) fn new(input: Input<'a>, budget: Budget) -> Self {
        Self {
            input,
            budget,
            warnings: Vec::new(),
            global: Records::default(),
            is_layer: false,
            keeps_owner_names: false,
        }
    }

    /// Returns the next member; none at the end of the archive.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Located> {
        let mut pending = Pending::default();
        loop {
            let offset = self.input.position();
            let at = |failure| Located { offset, path: None, failure };
            let header = match self.header(&pending) {
                Ok(Some(header)) => header,
                Ok(None) => return Ok(None),
                // Bytes that follow the end are reported at their own offset.
                Err(failure @ Failure::Bad(Problem::Trailing | Problem::Zeros(_))) => {
                    return Err(Located { offset: self.input.position(), path: None, failure });
                }
                Err(failure @ Failure::Bad(Problem::Dangling)) => {
                    let offset = pending.offset.unwrap_or(offset);
                    return Err(Located { offset, path: None, failure });
                }
                Err(failure) => return Err(at(failure)),
            };
            if self.is_extension(&header, offset, &mut pending).map_err(at)? {
                continue;
            }
            let path = pending.path(&header);
            let owner = self.owner_names(&header, &pending);
            return match self.member(&header, pending, &path) {
                Ok((metadata, kind, names)) => {
                    Ok(Some(Entry { offset, member: Member { path, metadata, kind }, names, owner }))
                }
                Err(failure) => Err(Located { offset, path: Some(path), failure }),
            };
        }
    }

    /// Returns the names of a member's owners, if they are kept.
    fn owner_names(&self, header: &Header, pending: &Pending) -> Option<Box<OwnerNames>> {
        if !self.keeps_owner_names {
            return None;
        }
        let records = pending.records.as_ref().unwrap_or(&self.global);
        let (user, group) = header.owner_names();
        let owner = OwnerNames {
            user: records.user_name.as_deref().unwrap_or(user).to_vec(),
            group: records.group_name.as_deref().unwrap_or(group).to_vec(),
        };
        (owner != OwnerNames::default()).then(|| Box::new(owner))
    }

    /// Returns the next header; none at the end.
    fn header(&mut self, pending: &Pending) -> Result<Option<Header>, Failure> {
        let end = self.input.position();
        let Some(block) = self.input.block()? else {
            if pending.offset.is_some() {
                return Err(Problem::Dangling.into());
            }
            // Tools that write layers of images leave the end out.
            self.warnings.push(Warning::MissingEnd(end));
            return self.finish();
        };
        let header = Header(block);
        if !header.is_zero() {
            header.check()?;
            self.budget.entry()?;
            return Ok(Some(header));
        }
        if pending.offset.is_some() {
            return Err(Problem::Dangling.into());
        }
        match self.input.block()? {
            Some(block) if !Header(block).is_zero() => Err(Problem::LoneZeroBlock.into()),
            // Some programs write one block only.
            _ => self.finish(),
        }
    }

    fn finish(&mut self) -> Result<Option<Header>, Failure> {
        self.input.finish()?;
        let padding = self.input.padding();
        if padding > 0 {
            self.warnings.push(Warning::Padding(padding));
        }
        Ok(None)
    }

    /// Reads a header that is not a member's own, and returns true for one.
    fn is_extension(&mut self, header: &Header, offset: u64, pending: &mut Pending) -> Result<bool, Failure> {
        match header.type_flag() {
            TypeFlag::GLOBAL => {
                let payload = self.extension(header, "an extended header", MAX_EXTENDED)?;
                // Programs that read layers ignore global headers.
                if !self.is_layer {
                    self.global.read(&payload, true)?;
                }
                return Ok(true);
            }
            TypeFlag::VOLUME_LABEL => {
                let len = self.payload_size(header, &Records::default())?;
                self.input.skip(len)?;
                return Ok(true);
            }
            TypeFlag::EXTENDED | TypeFlag::SOLARIS_EXTENDED => {
                let payload = self.extension(header, "an extended header", MAX_EXTENDED)?;
                let mut records = self.global.clone();
                records.read(&payload, false)?;
                pending.records = Some(records);
            }
            TypeFlag::LONG_NAME => pending.name = Some(self.long_name(header)?),
            TypeFlag::LONG_LINK => pending.link_name = Some(self.long_name(header)?),
            _ => return Ok(false),
        }
        pending.offset.get_or_insert(offset);
        Ok(true)
    }

    fn extension(&mut self, header: &Header, what: &'static str, max: u64) -> Result<Vec<u8>, Failure> {
        let len = self.payload_size(header, &Records::default())?;
        if len > max {
            return Err(Problem::TooLong { what, len, max }.into());
        }
        self.input.bytes(len, what)
    }

    fn long_name(&mut self, header: &Header) -> Result<Vec<u8>, Failure> {
        let mut name = self.extension(header, "a long name", MAX_LONG_NAME)?;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        name.truncate(end);
        Ok(name)
    }

    fn payload_size(&self, header: &Header, records: &Records) -> Result<u64, Failure> {
        match records.size {
            Some(size) => Ok(size),
            None => number_up_to(header, header::SIZE, i64::MAX),
        }
    }

    fn member(
        &mut self,
        header: &Header,
        pending: Pending,
        path: &[u8],
    ) -> Result<(Metadata, MemberKind<Blob>, Vec<NamedEntry>), Failure> {
        let link_name = pending.link_name;
        let mut records = pending.records.unwrap_or_else(|| self.global.clone());
        let link = records.link_path.take().or(link_name).unwrap_or_else(|| header.link_name());
        let metadata = metadata(header, &mut records)?;
        let xattrs: usize =
            metadata.xattrs.iter().map(|(name, value)| name.as_bytes().len() + value.len()).sum();
        let names = std::mem::take(&mut records.named);
        let of_names: usize = names.iter().map(NamedEntry::size).sum();
        self.budget.metadata(xattrs + of_names + link.len())?;
        let kind = match header.type_flag() {
            TypeFlag::HARD_LINK => return Ok((metadata, MemberKind::HardLink(link), Vec::new())),
            TypeFlag::SYMLINK => Kind::Symlink(LinkTarget::new(link)?),
            TypeFlag::CHARACTER_DEVICE => Kind::CharacterDevice(device(header, &records)?),
            TypeFlag::BLOCK_DEVICE => Kind::BlockDevice(device(header, &records)?),
            TypeFlag::FIFO => Kind::Fifo,
            TypeFlag::DIRECTORY => Kind::Directory(BTreeMap::new()),
            TypeFlag::DUMP_DIRECTORY => self.directory_with_payload(header, &records)?,
            // Directories were written so before they had a type of their own.
            flag @ (TypeFlag::REGULAR | TypeFlag::V7_REGULAR)
                if path.ends_with(b"/") && !(self.is_layer && flag == TypeFlag::REGULAR) =>
            {
                self.directory_with_payload(header, &records)?
            }
            TypeFlag::REGULAR | TypeFlag::V7_REGULAR | TypeFlag::CONTIGUOUS => {
                Kind::Regular(self.regular(header, &records)?)
            }
            TypeFlag::SPARSE => Kind::Regular(self.old_sparse(header, &records)?),
            TypeFlag::CONTINUED => {
                let why = "is the rest of a file of an earlier volume; join the volumes first";
                return Err(Problem::Type { flag: TypeFlag::CONTINUED.0, why }.into());
            }
            TypeFlag(flag) => {
                let why = "is none of a file, a directory, a link, a device or a fifo";
                return Err(Problem::Type { flag, why }.into());
            }
        };
        Ok((metadata, MemberKind::Inode(kind), names))
    }

    fn directory_with_payload(&mut self, header: &Header, records: &Records) -> Result<Kind<Blob>, Failure> {
        let len = self.payload_size(header, records)?;
        self.input.skip(len)?;
        Ok(Kind::Directory(BTreeMap::new()))
    }

    fn regular(&mut self, header: &Header, records: &Records) -> Result<Blob, Failure> {
        let len = self.payload_size(header, records)?;
        if records.sparse.is_sparse() {
            return self.sparse_by_records(len, records);
        }
        self.budget.file(len)?;
        Ok(blob_of(self.input.payload(len)?))
    }

    /// Reads the sparse file of `GNU.sparse.*`, version 0.0 or 0.1 with the map in the records, or
    /// 1.0 with the map in the payload.
    fn sparse_by_records(&mut self, payload: u64, records: &Records) -> Result<Blob, Failure> {
        let sparse = &records.sparse;
        let size = sparse.size.ok_or(Problem::Map(MapProblem::NoSize))?;
        let version = (sparse.major.unwrap_or(0), sparse.minor.unwrap_or(0));
        match version {
            (0, 0 | 1) => {
                let actual = sparse.map.len() as u64;
                if let Some(stated) = sparse.count.filter(|stated| *stated != actual) {
                    return Err(Problem::Map(MapProblem::Count { stated, actual }).into());
                }
                self.sparse(&sparse.map, size, payload)
            }
            (1, 0) => {
                let mut map = TextMap::new();
                let mut left = payload;
                loop {
                    left = left.checked_sub(BLOCK as u64).ok_or(Problem::Map(MapProblem::Text))?;
                    let block = self.input.require_block("a sparse map")?;
                    let known = map.pairs.len();
                    let ends = map.push(&block)?;
                    self.budget.metadata((map.pairs.len() - known) * size_of::<Piece>())?;
                    if ends {
                        break;
                    }
                }
                self.sparse(&map.pairs, size, left)
            }
            (major, minor) => Err(Problem::Map(MapProblem::Version(major, minor)).into()),
        }
    }

    /// Reads the sparse file of GNU tar before extended headers: four entries of the map in the
    /// header and 21 in each block that follows.
    fn old_sparse(&mut self, header: &Header, records: &Records) -> Result<Blob, Failure> {
        let stored = self.payload_size(header, records)?;
        let size = number_up_to(header, header::REAL_SIZE, i64::MAX)?;
        let mut pairs = Vec::new();
        let mut block = header.0;
        let (mut entries, mut is_extended) = (header::SPARSE_IN_HEADER, header::IS_EXTENDED_IN_HEADER);
        loop {
            for index in 0..entries.1 {
                let Some((offset, len)) = header::sparse_entry(&block, entries.0 + 24 * index)? else {
                    break;
                };
                let in_range = |value| check_range("sparse", value, i64::MAX);
                pairs.push((in_range(offset)?, in_range(len)?));
                self.budget.metadata(size_of::<Piece>())?;
            }
            if block[is_extended] == 0 {
                break;
            }
            block = self.input.require_block("a sparse map")?;
            (entries, is_extended) = (header::SPARSE_IN_EXTENSION, header::IS_EXTENDED_IN_EXTENSION);
        }
        self.sparse(&pairs, size, stored)
    }

    fn sparse(&mut self, pairs: &[(u64, u64)], size: u64, stored: u64) -> Result<Blob, Failure> {
        let pieces = sparse::pieces(pairs, size, stored)?;
        self.budget.file(stored)?;
        self.budget.metadata(pieces.len() * size_of::<Piece>())?;
        let range = self.input.payload(stored)?;
        let has_no_holes = stored == size;
        Ok(if has_no_holes {
            blob_of(range)
        } else {
            Blob::Sparse(Arc::new(Sparse::new(size, &pieces, range)))
        })
    }
}

impl Pending {
    fn path(&self, header: &Header) -> Vec<u8> {
        let records = self.records.as_ref();
        let by_records = records.and_then(|records| records.sparse.name.as_ref().or(records.path.as_ref()));
        by_records.or(self.name.as_ref()).cloned().unwrap_or_else(|| header.path())
    }
}

/// Returns the contents of a file without holes. An empty file needs no archive.
fn blob_of(range: ArchiveRange) -> Blob {
    if range.is_empty() { Blob::from(Vec::new()) } else { Blob::Range(range) }
}

fn metadata(header: &Header, records: &mut Records) -> Result<Metadata, Failure> {
    let id = |record: Option<u32>, field| match record {
        Some(id) => Ok(id),
        None => number_u32(header, field),
    };
    let mode = number_up_to(header, header::MODE, 0o177_777)?;
    // The range is 16 bits; the type bits are dropped.
    let mode = u16::try_from(mode).unwrap_or(0);
    let mtime = match records.mtime {
        Some(mtime) => mtime,
        None => Timestamp::from_seconds(header.number(header::MTIME)?),
    };
    let mut metadata = Metadata {
        uid: id(records.uid, header::UID)?,
        gid: id(records.gid, header::GID)?,
        mtime,
        xattrs: std::mem::take(&mut records.xattrs),
        ..Metadata::new(mode)
    };
    // The mode is derived from the list, since libarchive writes the group's permissions in place
    // of the mask.
    if header.type_flag() != TypeFlag::SYMLINK {
        metadata.update_mode_from_acl();
    }
    Ok(metadata)
}

fn device(header: &Header, records: &Records) -> Result<Device, Failure> {
    // V7 has no such fields.
    let number = |record: Option<u32>, field| match record {
        Some(number) => Ok(number),
        None if header.format() == HeaderFormat::V7 => Ok(0),
        None => number_u32(header, field),
    };
    Ok(Device {
        major: number(records.device_major, header::DEVICE_MAJOR)?,
        minor: number(records.device_minor, header::DEVICE_MINOR)?,
    })
}

fn number_u32(header: &Header, field: header::Field) -> Result<u32, Failure> {
    // The range is 32 bits.
    number_up_to(header, field, i64::from(u32::MAX)).map(|value| u32::try_from(value).unwrap_or(u32::MAX))
}

fn number_up_to(header: &Header, field: header::Field, max: i64) -> Result<u64, Failure> {
    check_range(field.name(), header.number(field)?, max)
}

fn check_range(field: &'static str, value: i64, max: i64) -> Result<u64, Failure> {
    let in_range = u64::try_from(value).ok().filter(|_| value <= max);
    in_range.ok_or_else(|| Problem::Range { field, value, min: 0, max }.into())
}
