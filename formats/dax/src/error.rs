//! Errors of info blocks.

use thiserror::Error;
use uuid::Uuid;

/// A reason for which Linux would not use an info block.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The bytes end before the block does.
    #[error("{len} bytes are too few for the 4096 bytes of a pfn info block")]
    Truncated {
        /// The number of bytes.
        len: usize,
    },
    /// The bytes do not start with the signature.
    #[error("the pfn info block has no signature")]
    Signature,
    /// The checksum is that of other bytes.
    #[error("the pfn info block has the checksum {found:#018x}, its bytes have {computed:#018x}")]
    Checksum {
        /// The checksum in the block.
        found: u64,
        /// The checksum of the bytes.
        computed: u64,
    },
    /// The mode is unknown.
    #[error("the pfn info block has mode {mode}; 1 (page structures in RAM) and 2 (on the device) exist")]
    Mode {
        /// The mode.
        mode: u32,
    },
    /// The block belongs to a namespace with a label, which a disk image does not have.
    #[error("the pfn info block has the parent {parent}; that of an image has none")]
    Parent {
        /// The UUID of the namespace.
        parent: Uuid,
    },
    /// The alignment is not one that the kernel supports.
    #[error("an alignment of {align} bytes is not supported; 4096, 2 MiB and 1 GiB are")]
    Align {
        /// The alignment in bytes.
        align: u32,
    },
    /// The page structures on the device are not those of the kernel.
    #[error("page structures of {page_struct_size} bytes for {page_size} bytes are not those of x86-64")]
    PageStructs {
        /// The size of a page in bytes.
        page_size: u32,
        /// The length of a page structure in bytes.
        page_struct_size: u16,
    },
    /// The bytes left out at the start of the device are not a number that the kernel can map.
    #[error("{start_pad} bytes of padding are not a multiple of {multiple}, as memory hotplug requires")]
    StartPad {
        /// The bytes left out at the start.
        start_pad: u32,
        /// The multiple in bytes.
        multiple: u32,
    },
    /// The contents do not start at a multiple of the alignment, or overlap the info block.
    #[error(
        "the contents start at {data_offset} bytes (and {start_pad} of padding), which is not a multiple \
         of {align} behind the info block"
    )]
    DataOffset {
        /// The offset of the contents in bytes.
        data_offset: u64,
        /// The bytes left out at the start.
        start_pad: u32,
        /// The alignment in bytes.
        align: u64,
    },
    /// The device ends before its contents start.
    #[error("a device of {len} bytes ends before its contents start, at {data_offset}")]
    DeviceTooShort {
        /// The length of the device in bytes.
        len: u64,
        /// The offset of the contents in bytes.
        data_offset: u64,
    },
    /// The length of the device is not one that the kernel can map.
    #[error(
        "a device of {len} bytes, without the last {end_trunc}, is not a multiple of {multiple}, as memory \
         hotplug requires"
    )]
    DeviceMultiple {
        /// The length of the device in bytes.
        len: u64,
        /// The bytes left out at the end.
        end_trunc: u32,
        /// The multiple in bytes.
        multiple: u32,
    },
}
