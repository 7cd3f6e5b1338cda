//! Codecs by compression and level, and parsing of `CODEC[:LEVEL]`.

use std::str::FromStr;

use super::{Codec, CodecError, Kind};
use crate::Compression;
use crate::compression::decode::disabled_feature;

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

impl Codec {
    /// Creates a codec with a level, or with the default level.
    ///
    /// # Errors
    /// Returns an error if archives cannot be made with this compression, its cargo feature is
    /// disabled, or the level is out of range.
    pub fn new(compression: Compression, level: Option<u8>) -> Result<Self, CodecError> {
        let Levels { kind, least, most, default, window_log } = levels(compression)?;
        let level = level.unwrap_or(default);
        if !(least..=most).contains(&level) {
            return Err(CodecError::Level { codec: compression.name(), level, least, most });
        }
        Ok(Self { kind, level, window_log })
    }
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
        Self::new(compression, level)
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
