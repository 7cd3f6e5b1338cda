//! Parsing of `CODEC[:LEVEL]`.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::{Codec, CodecError, Kind};

/// Returns the levels of a codec, and the default one.
fn levels(kind: Kind) -> Option<(RangeInclusive<u8>, u8)> {
    match kind {
        Kind::Lz4 => None,
        Kind::Lz4hc => Some((1..=12, 9)),
        Kind::Deflate => Some((1..=12, 6)),
        Kind::Zstd => Some((1..=22, 3)),
    }
}

/// Returns the cargo feature of a codec if it is disabled.
fn disabled_feature(kind: Kind) -> Option<&'static str> {
    let (feature, enabled) = match kind {
        Kind::Lz4 | Kind::Lz4hc => ("lz4", cfg!(feature = "lz4")),
        Kind::Deflate => ("deflate", cfg!(feature = "deflate")),
        Kind::Zstd => ("zstd", cfg!(feature = "zstd")),
    };
    (!enabled).then_some(feature)
}

impl FromStr for Codec {
    type Err = CodecError;

    fn from_str(text: &str) -> Result<Self, CodecError> {
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (text, None),
        };
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        let kind = kind.ok_or_else(|| CodecError::Unknown(name.to_owned()))?;
        let codec = kind.name();
        if let Some(feature) = disabled_feature(kind) {
            return Err(CodecError::Disabled { codec, feature });
        }
        let Some((range, default)) = levels(kind) else {
            return match level {
                None => Ok(Self { kind, level: 0 }),
                Some(level) => Err(CodecError::NoLevels { codec, level: level.to_owned() }),
            };
        };
        let Some(level) = level else { return Ok(Self { kind, level: default }) };
        // Only digits: a sign is not part of a level.
        let digits = level.bytes().all(|byte| byte.is_ascii_digit());
        let number = level.parse().ok().filter(|number| digits && range.contains(number));
        let number = number.ok_or_else(|| {
            let (least, most) = range.into_inner();
            CodecError::Level { codec, level: level.to_owned(), least, most }
        })?;
        Ok(Self { kind, level: number })
    }
}
