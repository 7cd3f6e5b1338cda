//! Errors of reading a file.

use std::io;

use thiserror::Error;

/// The reason why the dynamic linker cannot use a file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// The file does not start with the magic number.
    #[error("it is not an ELF file")]
    NotElf,
    /// A range extends past the end of the file.
    #[error("{what} at offset {offset:#x}, {len} bytes long, is not within its {file} bytes")]
    Outside {
        /// A description of the data.
        what: &'static str,
        /// Its offset in bytes from the start of the file.
        offset: u64,
        /// Its length in bytes.
        len: u64,
        /// The file's length in bytes.
        file: u64,
    },
    /// An address that is not mapped by any `PT_LOAD` segment.
    #[error("{what} is at address {address:#x}, which no segment holds")]
    Unmapped {
        /// A description of the data.
        what: &'static str,
        /// The address.
        address: u64,
    },
    /// A header with invalid fields.
    #[error("{0}")]
    Header(String),
    /// A count exceeds its limit, which bounds the memory that a forged file can take.
    #[error("it has {count} {what}, the limit is {limit}")]
    TooMany {
        /// A description of the counted things.
        what: &'static str,
        /// The count.
        count: u64,
        /// The limit.
        limit: u64,
    },
    /// A string is not terminated.
    #[error("{what} at offset {offset:#x} does not end within {limit} bytes")]
    NoEnd {
        /// A description of the string.
        what: &'static str,
        /// Its offset in bytes from the start of the file.
        offset: u64,
        /// Its maximum length in bytes.
        limit: usize,
    },
}

/// The reason why a file could not be parsed.
#[derive(Debug, Error)]
pub enum ReadError {
    /// An I/O error.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The dynamic linker could not use the file.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}
