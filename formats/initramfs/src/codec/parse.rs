//! Parsing of `CODEC[:LEVEL]`.

use std::str::FromStr;

use thiserror::Error;

use super::{Codec, Kind};
use crate::Compression;
use crate::decode::disabled_feature;

/// An error for a text or a number that is not a valid codec.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecError {
    /// There is no codec with that name.
    #[error("{0:?} is not a compression; there are none, gzip, zstd, lz4 and xz, with a level as in zstd:19")]
    Unknown(String),
    /// The kernel can unpack the compression, but archives are not made with it.
    #[error("archives are not made with {0}; there are none, gzip, zstd, lz4 and xz")]
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

/// The minimum, maximum and default level, and the binary logarithm of the default window; 0 if it
/// follows from the level.
struct Levels {
    kind: Kind,
    least: u8,
    most: u8,
    default: u8,
    window_log: u8,
}

fn levels(compression: Compression) -> Result<Levels, CodecError> {
    if let Some(feature) = disabled_feature(compression) {
        return Err(CodecError::Disabled { compression, feature });
    }
    let levels = |kind, least, most, default, window_log| Levels { kind, least, most, default, window_log };
    match compression {
        Compression::Gzip => Ok(levels(Kind::Gzip, 1, 12, 6, 0)),
        Compression::Zstd => Ok(levels(Kind::Zstd, 1, 19, 3, 0)),
        // The default level is that used for lz4 by other initramfs generators.
        Compression::Lz4 => Ok(levels(Kind::Lz4, 1, 12, 9, 0)),
        Compression::Xz => Ok(levels(Kind::Xz, 0, 9, 6, 20)),
        other => Err(CodecError::ReadOnly(other)),
    }
}

pub(super) fn codec(compression: Compression, level: Option<u8>) -> Result<Codec, CodecError> {
    let Levels { kind, least, most, default, window_log } = levels(compression)?;
    let level = level.unwrap_or(default);
    if !(least..=most).contains(&level) {
        return Err(CodecError::Level { codec: compression.name(), level, least, most });
    }
    Ok(Codec { kind, level, window_log })
}

impl FromStr for Codec {
    type Err = CodecError;

    fn from_str(text: &str) -> Result<Self, CodecError> {
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (text, None),
        };
        if name == "none" {
            return match level {
                None => Ok(Self::NONE),
                Some(level) => Err(CodecError::LevelOfNone(level.to_owned())),
            };
        }
        let compression = Compression::ALL.into_iter().find(|compression| compression.name() == name);
        let compression = compression.ok_or_else(|| CodecError::Unknown(name.to_owned()))?;
        let Levels { least, most, .. } = levels(compression)?;
        let level = level.map(|level| parse_level(compression, level, least, most)).transpose()?;
        codec(compression, level)
    }
}

fn parse_level(compression: Compression, level: &str, least: u8, most: u8) -> Result<u8, CodecError> {
    // Only digits: a sign is not part of a level.
    let digits = !level.is_empty() && level.bytes().all(|byte| byte.is_ascii_digit());
    level.parse().ok().filter(|_| digits).ok_or_else(|| CodecError::NotANumber {
        codec: compression.name(),
        level: level.to_owned(),
        least,
        most,
    })
}
