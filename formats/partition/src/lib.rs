//! Partitioned disks as images: a GUID partition table (UEFI 2.10, section 5) or a classic MBR
//! around existing partition images.
//!
//! ```text
//! GPT   LBA 0        1              2                 alignment                          last LBA
//!       ├ protective ┼ primary      ┼ primary    ┼ 0 ┼ partition 1 ┼ 0 ┼ … ┼ 0 ┼ backup  ┼ backup ┤
//!       │ MBR        │ header       │ entries    │   │             │   │   │   │ entries │ header │
//!       └──────────── head ─────────────────────┘     images                   └────── tail ──────┘
//!
//! MBR   LBA 0        alignment
//!       ├ MBR ┼  0   ┼ partition 1 ┼ 0 ┼ … ┤          no tail
//! ```
//!
//! All fields on disk are little-endian; GUIDs are in mixed-endian form. Sectors are 512 or 4096
//! bytes; the entry array has 128 entries of 128 bytes, so it takes 32 or 4 sectors.
//!
//! [`plan`] decides every offset from the lengths alone, and reads nothing: a disk of many
//! terabytes is planned in microseconds. It has no clock and no randomness, so every GUID and the
//! MBR disk signature come from the caller. [`Layout::assemble`] then places the images at the
//! offsets of their partitions.
//!
//! ```
//! use partition_table::{Gpt, GptPartition, Options, SectorSize, Table, plan, uuid::uuid};
//!
//! let table = Table::Gpt(Gpt {
//!     disk_guid: uuid!("1b0bd4b4-0a86-4b0f-8a0a-4f0b2f3c8a11"),
//!     partitions: vec![GptPartition {
//!         name: "root".into(),
//!         type_guid: partition_table::LINUX_FILESYSTEM,
//!         guid: uuid!("7d2e5a43-2d0c-4f4e-9a53-7d2c6ed2f8c2"),
//!         attributes: 0,
//!         len: 8 << 20,
//!     }],
//! });
//! let layout = plan(&table, &Options::new(SectorSize::Bytes512))?;
//! let root = layout.partitions()[0];
//! assert_eq!((root.first_lba(), root.offset(), root.sector_count()), (2048, 1 << 20, 16384));
//! // 9 MiB, and the 33 sectors of the backup rounded up to 4096 bytes.
//! assert_eq!(layout.len(), (9 << 20) + 5 * 4096);
//! # Ok::<(), partition_table::Error>(())
//! ```

mod disk;
mod ends;
mod error;
mod extent;
mod gpt;
mod layout;
mod mbr;
mod options;

pub use disk::Disk;
pub use error::Error;
pub use extent::Extent;
/// The crate that defines the [`Image`](image_runs::Image) trait of disks and partitions.
pub use image_runs;
pub use layout::{End, Layout, plan};
pub use options::{
    Gpt, GptPartition, LINUX_FILESYSTEM, MBR_TYPE_LINUX, Mbr, MbrPartition, Options, SectorSize,
    SectorSizeError, Table,
};
/// The crate that defines the `Uuid` type of the tables.
pub use uuid;

/// The program of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
