//! The parts of an ELF file that the dynamic linker reads: program headers and what they refer to,
//! never sections.
//!
//! ```text
//! ELF header ─▶ program headers ─┬─▶ PT_INTERP    the path of the dynamic linker
//!                                ├─▶ PT_LOAD      where addresses lie in the file
//!                                ├─▶ PT_DYNAMIC   tags ─▶ strings: DT_NEEDED, DT_SONAME, DT_RUNPATH …
//!                                ├─▶ PT_NOTE      handed on as bytes
//!                                └─▶ PT_GNU_PROPERTY   which processors can run it
//! ```
//!
//! Only these ranges are read, whatever the length of the file. Nothing in the file is trusted:
//! each count and length has a limit, and a range outside the file is an error.

mod abi;
mod error;
mod isa_level;
pub(super) mod notes;
mod reader;

use std::sync::Arc;

use goblin::container::Ctx;
use goblin::elf::dynamic::{self, Dyn};
use goblin::elf::header::{self, Header};
use goblin::elf::program_header::{PT_DYNAMIC, PT_GNU_PROPERTY, PT_INTERP, PT_LOAD, PT_NOTE, ProgramHeader};
use image_tree::Content;

pub use abi::Abi;
pub use error::{Malformed, ReadError};
use image_tree::resolve::MAX_PATH;
pub use notes::{Note, NoteSegment, Notes};
use reader::Reader;

/// The maximum size of the program headers in bytes: the kernel does not start a program with more.
const MAX_PROGRAM_HEADERS: usize = 65_536;
/// The maximum size of a dynamic segment in bytes. The largest of a Debian system has 1,000.
const MAX_DYNAMIC: u64 = 1 << 20;
/// The maximum number of libraries that one file may need.
pub const MAX_NEEDED: usize = 4096;
/// The maximum total length of their names in bytes. In a forged file many long names can share
/// their bytes.
const MAX_NEEDED_BYTES: usize = 1 << 20;
/// The maximum length of `DT_RPATH` or `DT_RUNPATH` in bytes.
const MAX_RUNPATH: usize = 1 << 16;
/// The maximum size of notes, or of properties, in bytes.
const MAX_NOTES: u64 = 1 << 20;

/// The fields of one file that the dynamic linker reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// The machine that the file is for.
    pub abi: Abi,
    /// `EI_OSABI`: 0 if unspecified, 3 for GNU.
    pub os_abi: u8,
    /// Another reason for glibc's dynamic linker to reject the header, as a sentence.
    pub flaw: Option<&'static str>,
    /// `e_type`.
    pub e_type: u16,
    /// `e_flags`, which distinguish the floating-point ABIs of ARM and RISC-V.
    pub e_flags: u32,
    /// The path in `PT_INTERP`.
    pub interpreter: Option<Vec<u8>>,
    /// The content of `PT_DYNAMIC`; `None` in a static program.
    pub dynamic: Option<Dynamic>,
    /// The note segments, in the order of the program headers.
    pub notes: Vec<NoteSegment>,
    /// The x86 ISA level that its GNU properties require: 1 is x86-64-v2. 0 if they require none.
    pub isa_level: u16,
}

/// The content of the tags of `PT_DYNAMIC`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// `DT_SONAME`: the name by which other files need it.
    pub soname: Option<Vec<u8>>,
    /// `DT_NEEDED`, `DT_FILTER` and `DT_AUXILIARY` in file order.
    pub dependencies: Vec<Dependency>,
    /// `DT_RPATH`, unexpanded. glibc ignores it if there is a `DT_RUNPATH`.
    pub rpath: Option<Vec<u8>>,
    /// `DT_RUNPATH`, unexpanded.
    pub runpath: Option<Vec<u8>>,
    /// `DF_1_NODEFLIB`: the default directories are not searched.
    pub no_default_directories: bool,
    /// The libraries in `DT_AUDIT` and `DT_DEPAUDIT`, which glibc loads to watch the program.
    pub audits: Vec<Vec<u8>>,
}

/// A file that an object needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The kind of the tag.
    pub kind: DependencyKind,
    /// The name of the file, unexpanded.
    pub name: Vec<u8>,
}

/// A parsed file, or the reason why the dynamic linker could not use it.
pub type Parsed = Result<Arc<Elf>, Malformed>;

/// The kind of a tag that names another object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DependencyKind {
    /// `DT_NEEDED`.
    Needed,
    /// `DT_FILTER`.
    Filter,
    /// `DT_AUXILIARY`, which may be missing.
    Auxiliary,
}

impl Elf {
    /// Reads an ELF file.
    ///
    /// For an object file, a core or anything else that is not a program or library, only the
    /// header is read.
    ///
    /// # Errors
    /// Returns an error if the file is not an ELF file, the dynamic linker would reject it, or it
    /// exceeds a limit.
    pub fn read<C: Content + ?Sized>(content: &C) -> Result<Self, ReadError> {
        let mut reader = Reader::new(content);
        let header = elf_header(&mut reader)?;
        let abi = Abi {
            class: header.e_ident[header::EI_CLASS],
            data: header.e_ident[header::EI_DATA],
            machine: header.e_machine,
        };
        let mut elf = Self {
            abi,
            os_abi: header.e_ident[header::EI_OSABI],
            flaw: flaw(&header),
            e_type: header.e_type,
            e_flags: header.e_flags,
            interpreter: None,
            dynamic: None,
            notes: Vec::new(),
            isa_level: 0,
        };
        if elf.is_loadable() {
            let container = header.container().map_err(refused)?;
            let context = Ctx::new(container, header.endianness().map_err(refused)?);
            let segments = program_headers(&mut reader, &header, context)?;
            elf.interpreter = interpreter(&mut reader, &segments)?;
            elf.dynamic = dynamic(&mut reader, &segments, context)?;
            elf.notes = notes(&mut reader, &segments, PT_NOTE, abi)?;
            let properties = notes(&mut reader, &properties(segments, abi), PT_GNU_PROPERTY, abi)?;
            let mut levels = properties.iter().filter_map(|notes| isa_level::isa_level(notes, abi));
            elf.isa_level = levels.next_back().unwrap_or(0);
        }
        Ok(elf)
    }

    /// Returns the number of bytes that its strings and notes take.
    #[must_use]
    pub fn held(&self) -> u64 {
        let notes: usize = self.notes.iter().map(|notes| notes.bytes.len()).sum();
        let dynamic = self.dynamic.iter();
        let names = dynamic.clone().flat_map(|dynamic| &dynamic.dependencies);
        let names: usize = names.map(|dependency| dependency.name.len() + 32).sum();
        let paths = dynamic.flat_map(|dynamic| {
            [&dynamic.rpath, &dynamic.runpath].into_iter().flatten().chain(&dynamic.audits)
        });
        let paths: usize = paths.map(Vec::len).sum();
        (notes + names + paths) as u64
    }

    /// The `DT_SONAME`.
    #[must_use]
    pub fn soname(&self) -> Option<&[u8]> {
        self.dynamic.as_ref()?.soname.as_deref()
    }

    /// Returns true for a program or a library, false for an object file or a core.
    #[must_use]
    pub fn is_loadable(&self) -> bool {
        matches!(self.e_type, header::ET_EXEC | header::ET_DYN)
    }
}

impl Dynamic {
    /// Returns the `DT_RPATH` that glibc uses: `None` if there is a `DT_RUNPATH`.
    #[must_use]
    pub fn effective_rpath(&self) -> Option<&[u8]> {
        if self.runpath.is_some() { None } else { self.rpath.as_deref() }
    }
}

fn refused(error: goblin::error::Error) -> Malformed {
    Malformed::Header(format!("its headers make no sense: {error}"))
}

fn elf_header<C: Content + ?Sized>(reader: &mut Reader<'_, C>) -> Result<Header, ReadError> {
    let len = reader.len().min(64);
    let bytes = reader.get("the ELF header", 0, len)?;
    if !bytes.starts_with(header::ELFMAG) {
        return Err(Malformed::NotElf.into());
    }
    let least: usize = if bytes.get(header::EI_CLASS) == Some(&header::ELFCLASS32) { 52 } else { 64 };
    if bytes.len() < least {
        return Err(Malformed::Outside {
            what: "the ELF header",
            offset: 0,
            len: least as u64,
            file: reader.len(),
        }
        .into());
    }
    Ok(goblin::elf::Elf::parse_header(bytes).map_err(refused)?)
}

const EM_MIPS: u16 = 8;

/// Returns the first error that `open_verify` in glibc's `elf/dl-load.c` finds besides machine and
/// type.
fn flaw(header: &Header) -> Option<&'static str> {
    let identity = &header.e_ident;
    // GNU increments its version with glibc's releases, and MIPS numbers its floating-point ABIs.
    let has_versions = identity[header::EI_OSABI] == header::ELFOSABI_GNU || header.e_machine == EM_MIPS;
    if identity[header::EI_VERSION] != header::EV_CURRENT || header.e_version != u32::from(header::EV_CURRENT)
    {
        Some("its version is not 1 (EI_VERSION, e_version)")
    } else if identity[header::EI_ABIVERSION] != 0 && !has_versions {
        Some("its EI_ABIVERSION is not 0")
    } else if identity.iter().skip(header::EI_ABIVERSION + 1).any(|byte| *byte != 0) {
        Some("its padding is not zero (EI_PAD)")
    } else {
        None
    }
}

fn program_headers<C: Content + ?Sized>(
    reader: &mut Reader<'_, C>,
    header: &Header,
    context: Ctx,
) -> Result<Vec<ProgramHeader>, ReadError> {
    let size = ProgramHeader::size(context);
    if header.e_phnum == 0 {
        return Ok(Vec::new());
    }
    if usize::from(header.e_phentsize) != size {
        let size_there = header.e_phentsize;
        return Err(Malformed::Header(format!(
            "its program headers are {size_there} bytes long, not {size}"
        ))
        .into());
    }
    let len = usize::from(header.e_phnum) * size;
    if len > MAX_PROGRAM_HEADERS {
        let limit = MAX_PROGRAM_HEADERS / size;
        return Err(Malformed::TooMany {
            what: "program headers",
            count: header.e_phnum.into(),
            limit: limit as u64,
        }
        .into());
    }
    let bytes = reader.get("the table of program headers", header.e_phoff, len as u64)?;
    Ok(ProgramHeader::parse(bytes, 0, header.e_phnum.into(), context).map_err(refused)?)
}

fn interpreter<C: Content + ?Sized>(
    reader: &mut Reader<'_, C>,
    segments: &[ProgramHeader],
) -> Result<Option<Vec<u8>>, ReadError> {
    // The kernel uses the first.
    let Some(segment) = segments.iter().find(|segment| segment.p_type == PT_INTERP) else { return Ok(None) };
    let what = "the path of the dynamic linker (PT_INTERP)";
    let limit = MAX_PATH as u64 + 1;
    if segment.p_filesz > limit {
        return Err(Malformed::NoEnd { what, offset: segment.p_offset, limit: MAX_PATH }.into());
    }
    let bytes = reader.get(what, segment.p_offset, segment.p_filesz)?;
    let Some(end) = bytes.iter().position(|byte| *byte == 0) else {
        return Err(Malformed::NoEnd { what, offset: segment.p_offset, limit: bytes.len() }.into());
    };
    Ok(Some(bytes[..end].to_vec()))
}

/// Returns the file offset of the byte at an address, and the number of bytes that follow in the
/// segment.
fn place(segments: &[ProgramHeader], what: &'static str, address: u64) -> Result<(u64, u64), Malformed> {
    let holds = |segment: &ProgramHeader| {
        let within = address.checked_sub(segment.p_vaddr)?;
        let left = segment.p_filesz.checked_sub(within).filter(|left| *left > 0)?;
        Some((segment.p_offset.checked_add(within)?, left))
    };
    // Later mappings cover earlier ones.
    let mut loads = segments.iter().rev().filter(|segment| segment.p_type == PT_LOAD);
    loads.find_map(holds).ok_or(Malformed::Unmapped { what, address })
}

fn dynamic<C: Content + ?Sized>(
    reader: &mut Reader<'_, C>,
    segments: &[ProgramHeader],
    context: Ctx,
) -> Result<Option<Dynamic>, ReadError> {
    let what = "the dynamic segment (PT_DYNAMIC)";
    // The dynamic linker uses the last, and finds it by its address.
    let Some(segment) = segments.iter().rfind(|segment| segment.p_type == PT_DYNAMIC) else {
        return Ok(None);
    };
    if segment.p_filesz > MAX_DYNAMIC {
        let (count, limit) = (segment.p_filesz, MAX_DYNAMIC);
        return Err(Malformed::TooMany { what: "bytes of dynamic tags (PT_DYNAMIC)", count, limit }.into());
    }
    let (offset, left) = place(segments, what, segment.p_vaddr)?;
    let len = segment.p_filesz.min(left);
    let bytes = reader.get(what, offset, len)?;
    let only = ProgramHeader { p_type: PT_DYNAMIC, p_filesz: len, ..ProgramHeader::default() };
    let tags = dynamic::Dynamic::parse(bytes, &[only], context).map_err(refused)?;
    let tags = tags.map(|dynamic| dynamic.dyns).unwrap_or_default();
    let dependencies = tags.iter().filter(|tag| need_kind(tag.d_tag).is_some()).count();
    if dependencies > MAX_NEEDED {
        let (count, limit) = (dependencies as u64, MAX_NEEDED as u64);
        return Err(Malformed::TooMany { what: "needed libraries (DT_NEEDED)", count, limit }.into());
    }
    strings(reader, segments, &tags).map(Some)
}

fn need_kind(tag: u64) -> Option<DependencyKind> {
    const DT_AUXILIARY: u64 = 0x7fff_fffd;
    const DT_FILTER: u64 = 0x7fff_ffff;
    match tag {
        dynamic::DT_NEEDED => Some(DependencyKind::Needed),
        DT_FILTER => Some(DependencyKind::Filter),
        DT_AUXILIARY => Some(DependencyKind::Auxiliary),
        _ => None,
    }
}

fn strings<C: Content + ?Sized>(
    reader: &mut Reader<'_, C>,
    segments: &[ProgramHeader],
    tags: &[Dyn],
) -> Result<Dynamic, ReadError> {
    // If a tag is repeated, the dynamic linker uses the last one.
    let last = |wanted| tags.iter().rfind(|tag| tag.d_tag == wanted).map(|tag| tag.d_val);
    let table = last(dynamic::DT_STRTAB);
    let mut string = |what, offset: u64, limit| {
        let table =
            table.ok_or(Malformed::Unmapped { what: "the table of strings (DT_STRTAB)", address: 0 })?;
        let address = table.checked_add(offset).ok_or(Malformed::Unmapped { what, address: offset })?;
        let (offset, left) = place(segments, what, address)?;
        reader.string(what, offset, left, limit)
    };
    let mut dynamic = Dynamic {
        no_default_directories: last(dynamic::DT_FLAGS_1).is_some_and(|f| f & dynamic::DF_1_NODEFLIB != 0),
        ..Dynamic::default()
    };
    if let Some(offset) = last(dynamic::DT_SONAME) {
        dynamic.soname = Some(string("the name of the library (DT_SONAME)", offset, MAX_PATH)?);
    }
    if let Some(offset) = last(dynamic::DT_RPATH) {
        dynamic.rpath = Some(string("the search path (DT_RPATH)", offset, MAX_RUNPATH)?);
    }
    if let Some(offset) = last(dynamic::DT_RUNPATH) {
        dynamic.runpath = Some(string("the search path (DT_RUNPATH)", offset, MAX_RUNPATH)?);
    }
    for tag in [dynamic::DT_AUDIT, dynamic::DT_DEPAUDIT] {
        if let Some(offset) = last(tag) {
            let list = string("the auditing libraries (DT_AUDIT, DT_DEPAUDIT)", offset, MAX_RUNPATH)?;
            let names = list.split(|byte| *byte == b':').filter(|name| !name.is_empty());
            dynamic.audits.extend(names.map(<[u8]>::to_vec));
        }
    }
    let mut total = 0;
    for tag in tags {
        if let Some(kind) = need_kind(tag.d_tag) {
            let name = string("the name of a needed library (DT_NEEDED)", tag.d_val, MAX_PATH)?;
            total += name.len();
            if total > MAX_NEEDED_BYTES {
                let (count, limit) = (total as u64, MAX_NEEDED_BYTES as u64);
                let what = "bytes of names of needed libraries (DT_NEEDED)";
                return Err(Malformed::TooMany { what, count, limit }.into());
            }
            dynamic.dependencies.push(Dependency { kind, name });
        }
    }
    Ok(dynamic)
}

/// Returns the property segments, which are valid only with the alignment of their class.
fn properties(mut segments: Vec<ProgramHeader>, abi: Abi) -> Vec<ProgramHeader> {
    let align = if abi.class == header::ELFCLASS64 { 8 } else { 4 };
    segments.retain(|segment| segment.p_align == align);
    segments
}

fn notes<C: Content + ?Sized>(
    reader: &mut Reader<'_, C>,
    segments: &[ProgramHeader],
    kind: u32,
    abi: Abi,
) -> Result<Vec<NoteSegment>, ReadError> {
    let big_endian = abi.data == header::ELFDATA2MSB;
    let segments = segments.iter().filter(|segment| segment.p_type == kind);
    let (mut total, mut notes) = (0_u64, Vec::new());
    for segment in segments {
        total = total.saturating_add(segment.p_filesz);
        if total > MAX_NOTES {
            let what = "bytes of notes (PT_NOTE or PT_GNU_PROPERTY)";
            return Err(Malformed::TooMany { what, count: total, limit: MAX_NOTES }.into());
        }
        let what = "notes (PT_NOTE or PT_GNU_PROPERTY)";
        let bytes = reader.get(what, segment.p_offset, segment.p_filesz)?.to_vec();
        notes.push(NoteSegment { bytes, align: if segment.p_align == 8 { 8 } else { 4 }, big_endian });
    }
    Ok(notes)
}

#[cfg(test)]
mod tests;
