//! Parsers of the values of flags.

use std::error::Error;
use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::builder::{OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::filesystem::TIME_RANGE;
use crate::named::Named;
use crate::source::tar::Limits;
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

/// Parses a number of bytes: `4096`, `512K`, `64M`, `10G`, `1T`, each unit 1024 of the one before;
/// `64MiB` is the same.
pub(in crate::cli) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.strip_suffix("iB").unwrap_or(unit) {
        "" if !unit.is_empty() => return Err(bad_bytes(text)),
        "" => 0,
        "K" | "k" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(bad_bytes(text)),
    };
    let number: u64 = number.parse().map_err(|_| bad_bytes(text))?;
    let limit = u64::MAX >> shift;
    if number > limit {
        return Err(format!("\"{text}\" is more than {} bytes", u64::MAX));
    }
    Ok(number << shift)
}

/// Parses the maximum memory of decoders, in bytes.
pub(in crate::cli) fn decoder_memory(text: &str) -> Result<u64, String> {
    const MAX: u64 = Limits::MAX_DECODER_MEMORY;
    match bytes(text)? {
        memory if memory <= MAX => Ok(memory),
        memory => Err(format!("{memory} bytes are more than {MAX}, the most that any format needs")),
    }
}

fn bad_bytes(text: &str) -> String {
    format!("\"{text}\" is not a number of bytes such as 4096, 512K, 64M, 10G or 1T")
}

/// Free space, in bytes or in percent of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Free {
    Bytes(u64),
    Percent(u8),
}

pub(in crate::cli) fn free(text: &str) -> Result<Free, String> {
    match text.strip_suffix('%') {
        Some(_) => percent(text, 98).map(Free::Percent),
        None => bytes(text).map(Free::Bytes),
    }
}

/// Parses the percentage of blocks reserved for root, with or without its sign.
pub(in crate::cli) fn reserved(text: &str) -> Result<u8, String> {
    percent(text, 50)
}

fn percent(text: &str, limit: u8) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    match number.parse::<u8>() {
        Ok(percent) if percent <= limit => Ok(percent),
        _ => Err(format!("\"{text}\" is not a whole number of percent from 0 to {limit}")),
    }
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
    fn sizes_in_bytes_are_parsed() {
        for (text, value) in
            [("0", 0), ("4096", 4096), ("1K", 1024), ("3MiB", 3 << 20), ("16777215T", 16_777_215 << 40)]
        {
            assert_eq!(bytes(text), Ok(value), "{text}");
        }
        for text in
            ["", "M", "-1", "1.5G", "1X", "1MB", "10iB", "16777216T", "99999999999999999999", " 1", "1 M"]
        {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn decoder_memory_sizes_are_parsed() {
        assert_eq!(decoder_memory("2G"), Ok(2 << 30));
        assert_eq!(decoder_memory("8G"), Ok(8 << 30));
        assert!(decoder_memory("8589934593").is_err());
        assert!(decoder_memory("x").is_err());
    }

    #[test]
    fn percentages_are_parsed() {
        assert_eq!(free("10%"), Ok(Free::Percent(10)));
        assert_eq!(free("10"), Ok(Free::Bytes(10)));
        assert!(free("100%").is_err());
        assert!(free("%").is_err());
        assert_eq!(reserved("50%"), Ok(50));
        assert!(reserved("51").is_err());
        assert!(reserved("300").is_err());
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
