//! The compressions of archives that the kernel supports.

pub(crate) mod decode;

use std::fmt;

/// A compression that a kernel can be built to unpack (`lib/decompress.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// bzip2.
    Bzip2,
    /// The `.lzma` format, the predecessor of xz.
    Lzma,
    /// xz.
    Xz,
    /// The format of `lzop`.
    Lzo,
    /// The legacy format of `lz4 -l`. The kernel does not support the frame format.
    Lz4,
    /// zstd.
    Zstd,
}

impl Compression {
    /// All of them, in the order in which the kernel compares magics.
    pub const ALL: [Self; 7] =
        [Self::Gzip, Self::Bzip2, Self::Lzma, Self::Xz, Self::Lzo, Self::Lz4, Self::Zstd];

    /// Returns the compression that the kernel detects from these first two bytes. The kernel
    /// compares only two bytes.
    #[must_use]
    pub fn from_magic(start: [u8; 2]) -> Option<Self> {
        match start {
            // 0x9e (0o236) is an old magic of gzip, which the kernel still compares.
            [0x1f, 0x8b | 0x9e] => Some(Self::Gzip),
            [0x42, 0x5a] => Some(Self::Bzip2),
            [0x5d, 0x00] => Some(Self::Lzma),
            [0xfd, 0x37] => Some(Self::Xz),
            [0x89, 0x4c] => Some(Self::Lzo),
            [0x02, 0x21] => Some(Self::Lz4),
            [0x28, 0xb5] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The name in messages and on command lines: `gzip`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Lzma => "lzma",
            Self::Xz => "xz",
            Self::Lzo => "lzo",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The kernel option that enables its decompressor (`usr/Kconfig`).
    #[must_use]
    pub fn kernel_option(self) -> &'static str {
        match self {
            Self::Gzip => "CONFIG_RD_GZIP",
            Self::Bzip2 => "CONFIG_RD_BZIP2",
            Self::Lzma => "CONFIG_RD_LZMA",
            Self::Xz => "CONFIG_RD_XZ",
            Self::Lzo => "CONFIG_RD_LZO",
            Self::Lz4 => "CONFIG_RD_LZ4",
            Self::Zstd => "CONFIG_RD_ZSTD",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
