//! The errors of codecs.

use thiserror::Error;

/// An error for a text that is not a valid codec.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecError {
    /// There is no codec with that name.
    #[error(
        "{0:?} is not a compression of EROFS; the valid values are none, lz4, lz4hc, deflate and zstd, with a level as in lz4hc:12"
    )]
    Unknown(String),
    /// The cargo feature of the compression is disabled.
    #[error("this program was built without {codec}, the feature {feature} of mkfs-erofs-rs")]
    Disabled {
        /// The codec.
        codec: &'static str,
        /// The cargo feature.
        feature: &'static str,
    },
    /// The level is not a number of the range.
    #[error("{codec} has no level {level:?}; its levels are {least} to {most}")]
    Level {
        /// The codec.
        codec: &'static str,
        /// The given value.
        level: String,
        /// The lowest level.
        least: u8,
        /// The highest level.
        most: u8,
    },
    /// A level was given for a codec that has none.
    #[error("{codec} has no levels: leave out `:{level}`")]
    NoLevels {
        /// The codec.
        codec: &'static str,
        /// The given value.
        level: String,
    },
}
