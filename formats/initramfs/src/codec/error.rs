//! The errors of codecs.

use thiserror::Error;

use crate::Compression;

/// An error for a text or a number that is not a valid codec.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecError {
    /// There is no codec with that name.
    #[error(
        "{0:?} is not a compression; the valid values are none, gzip, zstd, lz4 and xz, with a level as in zstd:19"
    )]
    Unknown(String),
    /// The kernel can unpack the compression, but archives are not made with it.
    #[error("{0} can be unpacked, but not written; the valid values are none, gzip, zstd, lz4 and xz")]
    ReadOnly(Compression),
    /// The cargo feature of the compression is disabled.
    #[error("this program was built without {compression}, the feature {feature} of mkinitramfs-rs")]
    Disabled {
        /// The compression.
        compression: Compression,
        /// The cargo feature.
        feature: &'static str,
    },
    /// The level is not a number.
    #[error("{level:?} is not a level of {codec}; its levels are {least} to {most}")]
    NotANumber {
        /// The codec.
        codec: &'static str,
        /// The given value.
        level: String,
        /// The lowest level.
        least: u8,
        /// The highest level.
        most: u8,
    },
    /// The level is out of range.
    #[error("{codec} has no level {level}; its levels are {least} to {most}")]
    Level {
        /// The codec.
        codec: &'static str,
        /// The given value.
        level: u8,
        /// The lowest level.
        least: u8,
        /// The highest level.
        most: u8,
    },
    /// `none` was given with a level.
    #[error("none compresses nothing, so it has no level: leave out `:{0}`")]
    LevelOfNone(String),
    /// The window of the codec cannot be chosen.
    #[error("the window of {codec} cannot be chosen, only those of zstd and xz")]
    NoWindow {
        /// The codec.
        codec: &'static str,
    },
    /// The window is out of range.
    #[error("{codec} has no window of 2^{window_log} bytes; it takes 2^{least} to 2^{most}")]
    Window {
        /// The codec.
        codec: &'static str,
        /// The binary logarithm of the given length.
        window_log: u8,
        /// The binary logarithm of the minimum length.
        least: u8,
        /// The binary logarithm of the maximum length.
        most: u8,
    },
}
