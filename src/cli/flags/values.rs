//! Parsers of the values of flags.

use std::error::Error;
use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::builder::{OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use image_tree::glob::Glob;
use initramfs::Compression;
use initramfs::codec::Codec;

use crate::filesystem::TIME_RANGE;
use crate::named::Named;
use crate::quantity::{bytes, percent};
use crate::recipe::filesystem::erofs::ClusterSize;
use crate::source::tar::Limits;
use crate::transform::image_config::Place;
use crate::transform::ownership::Ownership;

/// Returns the parser of a choice, without help for each.
pub(in crate::cli) fn choice<T>() -> impl TypedValueParser<Value = T>
where
    T: Named + FromStr<Err: Error + Send + Sync> + Send + Sync,
{
    PossibleValuesParser::new(T::ALL.iter().map(|choice| choice.name())).try_map(|name| name.parse())
}

/// Returns the parser of a choice, with help for each.
pub(in crate::cli) fn choice_with_help<T>(help: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Named + FromStr<Err: Error + Send + Sync> + Send + Sync,
{
    let value = |choice: &T| PossibleValue::new(choice.name()).help(help(*choice));
    PossibleValuesParser::new(T::ALL.iter().map(value)).try_map(|name| name.parse())
}

/// Returns the parser of words, each given with its help and the value that it stands for.
pub(in crate::cli) fn one_of<T, const N: usize>(
    words: [(&'static str, &'static str, T); N],
) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    let possible = words.map(|(word, help, _)| match help {
        "" => PossibleValue::new(word),
        help => PossibleValue::new(word).help(help),
    });
    PossibleValuesParser::new(possible).try_map(move |given| {
        let found = words.iter().find(|(word, ..)| *word == given);
        found.map(|(.., value)| *value).ok_or_else(|| format!("\"{given}\" is not one of the words"))
    })
}

/// Returns the parser of the owners of files.
pub(in crate::cli) fn owner() -> impl TypedValueParser<Value = Ownership> {
    OsStringValueParser::new().try_map(|text| Ownership::parse(&text))
}

/// Returns the parser of the place of an image's settings in the tree.
pub(in crate::cli) fn image_config() -> impl TypedValueParser<Value = Place> {
    OsStringValueParser::new().try_map(|text| Place::parse(&text))
}

/// Parses the compression of a tar archive: none, or one that readers of container images support.
pub(in crate::cli) fn tar_codec(text: &str) -> Result<Codec, String> {
    let codec: Codec = text.parse().map_err(|error: initramfs::codec::CodecError| error.to_string())?;
    match codec.compression() {
        None | Some(Compression::Gzip | Compression::Zstd) => Ok(codec),
        Some(_) => Err(format!("\"{text}\" is not none, gzip or zstd, with or without a level")),
    }
}

/// Parses the length of physical clusters.
pub(in crate::cli) fn cluster_size(text: &str) -> Result<ClusterSize, String> {
    ClusterSize::new(bytes(text)?).map_err(|error| error.to_string())
}

/// Checks a glob, and returns it as it is written.
pub(in crate::cli) fn glob(text: &str) -> Result<String, String> {
    Glob::parse(text.as_bytes()).map(|_| text.to_owned())
}

/// Parses the maximum memory of decoders, in bytes.
pub(in crate::cli) fn decoder_memory(text: &str) -> Result<u64, String> {
    const MAX: u64 = Limits::MAX_DECODER_MEMORY;
    match bytes(text)? {
        memory if memory <= MAX => Ok(memory),
        memory => Err(format!("{memory} bytes are more than {MAX}, the most that any format needs")),
    }
}

/// Parses the percentage of blocks reserved for root, with or without its sign.
pub(in crate::cli) fn reserved(text: &str) -> Result<u8, String> {
    percent(text, 50)
}

/// Parses a number of threads.
pub(in crate::cli) fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| format!("\"{text}\" is not a number of threads, at least 1"))
}

/// Parses seconds since 1970, as in `SOURCE_DATE_EPOCH`.
pub(in crate::cli) fn epoch(text: &str) -> Result<i64, String> {
    seconds(text, 0)
}

/// Parses the seconds since 1970 to which earlier times are raised.
pub(in crate::cli) fn earliest(text: &str) -> Result<i64, String> {
    seconds(text, *TIME_RANGE.start())
}

fn seconds(text: &str, first: i64) -> Result<i64, String> {
    let range = first..=*TIME_RANGE.end();
    let seconds = text.parse().ok().filter(|seconds| range.contains(seconds));
    let (first, last) = (range.start(), range.end());
    seconds.ok_or_else(|| format!("\"{text}\" is not a number of seconds since 1970 from {first} to {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoder_memory_sizes_are_parsed() {
        assert_eq!(decoder_memory("2G"), Ok(2 << 30));
        assert_eq!(decoder_memory("8G"), Ok(8 << 30));
        assert!(decoder_memory("8589934593").is_err());
        assert!(decoder_memory("x").is_err());
    }

    #[test]
    fn numbers_of_threads_are_parsed() {
        assert_eq!(jobs("64"), Ok(NonZeroUsize::MIN.saturating_add(63)));
        for text in ["0", "", "-1", "x"] {
            assert_eq!(jobs(text), Err(format!("\"{text}\" is not a number of threads, at least 1")));
        }
    }

    #[test]
    fn epochs_are_parsed() {
        assert_eq!(epoch("0"), Ok(0));
        assert_eq!(epoch("15032385535"), Ok(15_032_385_535));
        assert!(epoch("15032385536").is_err());
        assert!(epoch("-1").is_err());
        assert!(epoch("").is_err());
        assert_eq!(earliest("-2147483648"), Ok(-2_147_483_648));
        assert!(earliest("-2147483649").is_err());
        assert!(earliest("15032385536").is_err());
    }
}
