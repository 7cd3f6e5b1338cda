//! Errors of modules, indices and plans.

use std::io;

use thiserror::Error;

use crate::limits;

/// An error in the file of a module.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// The file is not an ELF object.
    #[error("it is not an ELF object")]
    NotElf,
    /// The word size or byte order does not exist.
    #[error("class {class} with byte order {order} is not a kind of ELF object")]
    Class {
        /// The byte for the word size.
        class: u8,
        /// The byte for the byte order.
        order: u8,
    },
    /// The section headers have another length than those of the class.
    #[error("its section headers have {len} bytes each; those of its class have {expected}")]
    HeaderLength {
        /// The length in bytes.
        len: u64,
        /// The length of the class in bytes.
        expected: u64,
    },
    /// A part is not within the file.
    #[error("the file ends before {part} does")]
    Truncated {
        /// The part.
        part: &'static str,
    },
    /// A part is longer than a module needs.
    #[error("{part} has {len} bytes, the limit is {limit}")]
    TooLong {
        /// The part.
        part: &'static str,
        /// The length in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A name of a section is not within the table of names.
    #[error("the name of a section at offset {offset} is not within the table of names")]
    SectionName {
        /// The offset in the table.
        offset: u64,
    },
    /// The length of a table is not a multiple of that of its entries.
    #[error("{section} has {len} bytes, not a multiple of {entry}")]
    Table {
        /// The section.
        section: &'static str,
        /// The length in bytes.
        len: usize,
        /// The length of an entry in bytes.
        entry: usize,
    },
    /// A name of a symbol is not within the table of names.
    #[error("the name of symbol {index} is not within .strtab")]
    SymbolName {
        /// The number of the symbol.
        index: usize,
    },
    /// A name in `__versions` has no end.
    #[error("name {index} of __versions does not end")]
    VersionName {
        /// The number of the record.
        index: usize,
    },
    /// `__ksymtab_strings` does not end with a NUL.
    #[error("__ksymtab_strings does not end with a NUL")]
    Exports,
    /// The length of a signature is not within the file.
    #[error("its signature of {len} bytes is longer than the file")]
    Signature {
        /// The length that the trailer gives, in bytes.
        len: u32,
    },
    /// The object is not one that is relocated, or has more sections than a module.
    #[error("it is not a relocatable object with at most 65279 sections")]
    NotRelocatable,
    /// Sections are in the same place of the file.
    #[error("its sections overlap")]
    Overlap,
    /// The bytes cannot be read.
    #[error(transparent)]
    Read(io::Error),
}

/// An error in the bytes of a binary index.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexError {
    /// The file does not begin as an index.
    #[error("it does not begin with the magic number and version of a module index")]
    NotAnIndex,
    /// A node is not within the file, or its children are out of order.
    #[error("the node at offset {offset} is not valid")]
    Node {
        /// The offset in bytes.
        offset: usize,
    },
    /// The nodes are longer together than the file: some lead in a circle or are used twice.
    #[error("nodes of the index lead in a circle")]
    Circle,
}

/// An error of [`plan`](crate::plan).
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Modules need each other in a circle.
    #[error("modules need each other in a circle: {}", circle(.names))]
    Cycle {
        /// The names, each of which needs the next; the last needs the first.
        names: Vec<Vec<u8>>,
    },
    /// A path that the lines of `modules.dep` cannot hold.
    #[error(
        "the path \"{}\" has a blank, a colon, a control character or a byte beyond ASCII, which \
         modules.dep cannot hold",
        .path.escape_ascii()
    )]
    Path {
        /// The path.
        path: Vec<u8>,
    },
    /// A value of a module that the lines or the keys of an index cannot hold.
    #[error(
        "{}: the {kind} \"{}\" has a control character, a byte beyond ASCII or more than {max} bytes",
        .module.escape_ascii(),
        shortened(.value).escape_ascii(),
        max = limits::MAX_KEY
    )]
    Value {
        /// The name of the module.
        module: Vec<u8>,
        /// The kind of the value.
        kind: &'static str,
        /// The value.
        value: Vec<u8>,
    },
    /// Modules need more others than those of a kernel do.
    #[error("the modules need more than {max} others in all", max = limits::MAX_DEPENDENCIES)]
    TooManyDependencies,
    /// The lines of an index, or its nodes, are too long for references of 28 bits.
    #[error("{file} would have more than {max} bytes, which a module index cannot", max = limits::MAX_OFFSET)]
    TooLong {
        /// The file.
        file: &'static str,
    },
}

fn shortened(value: &[u8]) -> &[u8] {
    &value[..value.len().min(80)]
}

fn circle(names: &[Vec<u8>]) -> String {
    let all = names.iter().chain(names.first()).map(|name| name.escape_ascii().to_string());
    all.collect::<Vec<_>>().join(" -> ")
}
