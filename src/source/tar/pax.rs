//! Extended headers: records for one file, or for all that follow (POSIX.1-2017, pax, "pax Extended
//! Header").
//!
//! ```text
//! 30 mtime=1350244992.023960108\n        LENGTH KEYWORD=VALUE\n, where LENGTH counts the whole record
//! ```

use image_tree::{Timestamp, XattrName, Xattrs};

use super::acl::{self, NamedEntry};
use super::error::{MapProblem, Problem};

/// The records of extended headers that apply to a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link_path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) user_name: Option<Vec<u8>>,
    pub(super) group_name: Option<Vec<u8>>,
    pub(super) mtime: Option<Timestamp>,
    pub(super) device_major: Option<u32>,
    pub(super) device_minor: Option<u32>,
    pub(super) xattrs: Xattrs,
    /// Entries of access control lists with users and groups by name.
    pub(super) named: Vec<NamedEntry>,
    pub(super) sparse: SparseRecords,
}

/// `GNU.sparse.*`.
#[derive(Clone, Debug, Default)]
pub(super) struct SparseRecords {
    pub(super) major: Option<u64>,
    pub(super) minor: Option<u64>,
    /// The path, if GNU tar has put a made-up one in the header.
    pub(super) name: Option<Vec<u8>>,
    /// The length including holes, in bytes.
    pub(super) size: Option<u64>,
    pub(super) count: Option<u64>,
    /// Offsets and lengths of the data in versions 0.0 and 0.1, in bytes.
    pub(super) map: Vec<(u64, u64)>,
    /// An offset of version 0.0 whose length has not been read yet.
    offset: Option<u64>,
}

impl SparseRecords {
    /// Returns true for a sparse file.
    pub(super) fn is_sparse(&self) -> bool {
        self.major.is_some() || self.size.is_some() || self.count.is_some() || !self.map.is_empty()
    }
}

/// The prefix of xattrs by their full name, as star and most others write them.
const SCHILY_XATTR: &[u8] = b"SCHILY.xattr.";
/// The prefix of xattrs with URL-encoded names and values in base64, as libarchive writes them.
const LIBARCHIVE_XATTR: &[u8] = b"LIBARCHIVE.xattr.";

impl Records {
    /// Adds the records of an extended header's payload. The later of two records with one keyword
    /// takes precedence, and one without a value removes the earlier one.
    pub(super) fn read(&mut self, payload: &[u8], global: bool) -> Result<(), Problem> {
        let mut at = 0;
        while let Some(rest) = payload.get(at..).filter(|rest| !rest.is_empty()) {
            let record = split_record(rest).map_err(|why| Problem::Record { at, why })?;
            if global && is_per_file(record.key) {
                return Err(Problem::Global(shown(record.key)));
            }
            self.set(record.key, record.value)?;
            at += record.len;
        }
        match self.sparse.offset.take() {
            Some(_) => Err(Problem::Map(MapProblem::Text)),
            None => Ok(()),
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Problem> {
        let text = |value: &[u8]| (!value.is_empty()).then(|| value.to_vec());
        match key {
            b"path" => self.path = text(value),
            b"linkpath" => self.link_path = text(value),
            b"size" => self.size = optional(key, value, length)?,
            b"uid" => self.uid = optional(key, value, small)?,
            b"gid" => self.gid = optional(key, value, small)?,
            b"uname" => self.user_name = text(value),
            b"gname" => self.group_name = text(value),
            b"mtime" => self.mtime = optional(key, value, time)?,
            b"SCHILY.devmajor" => self.device_major = optional(key, value, small)?,
            b"SCHILY.devminor" => self.device_minor = optional(key, value, small)?,
            b"SCHILY.acl.access" => self.set_acl("SCHILY.acl.access", "system.posix_acl_access", value)?,
            b"SCHILY.acl.default" => self.set_acl("SCHILY.acl.default", "system.posix_acl_default", value)?,
            b"SCHILY.acl.ace" => {
                return Err(bad(key, value, "is an NFSv4 access control list, which Linux filesystems lack"));
            }
            // GNU tar leaves out the NUL that getxattr(2) returns.
            b"RHT.security.selinux" => {
                let label = value.strip_suffix(b"\0").unwrap_or(value);
                self.xattrs.insert(XattrName::new("security.selinux")?, [label, b"\0"].concat().into());
            }
            _ => match key.strip_prefix(SCHILY_XATTR) {
                Some(name) => {
                    // The bytes of a list supersede its text.
                    let is_access = name == b"system.posix_acl_access";
                    if is_access || name == b"system.posix_acl_default" {
                        self.named.retain(|entry| entry.is_access() != is_access);
                    }
                    self.xattrs.insert(XattrName::new(name)?, value.into());
                }
                None => match key.strip_prefix(LIBARCHIVE_XATTR) {
                    Some(name) => self.set_encoded(key, name, value)?,
                    None => self.set_sparse(key, value)?,
                },
            },
        }
        Ok(())
    }

    fn set_acl(&mut self, key: &'static str, xattr: &str, text: &[u8]) -> Result<(), Problem> {
        let name = XattrName::new(xattr)?;
        let is_access = xattr.ends_with("access");
        self.named.retain(|entry| entry.is_access() != is_access);
        if text.trim_ascii().is_empty() {
            self.xattrs.remove(&name);
            return Ok(());
        }
        let (acl, named) = acl::from_text(text, is_access).map_err(|source| Problem::Acl { key, source })?;
        self.xattrs.insert(name, acl.into());
        self.named.extend(named);
        Ok(())
    }

    fn set_encoded(&mut self, key: &[u8], name: &[u8], value: &[u8]) -> Result<(), Problem> {
        let name = from_url(name).ok_or_else(|| bad(key, value, "has a name with an invalid % escape"))?;
        let bytes = from_base64(value).ok_or_else(|| bad(key, value, "is not base64"))?;
        self.xattrs.insert(XattrName::new(name)?, bytes.into());
        Ok(())
    }

    fn set_sparse(&mut self, key: &[u8], value: &[u8]) -> Result<(), Problem> {
        let sparse = &mut self.sparse;
        match key {
            b"GNU.sparse.major" => sparse.major = optional(key, value, length)?,
            b"GNU.sparse.minor" => sparse.minor = optional(key, value, length)?,
            b"GNU.sparse.name" => sparse.name = (!value.is_empty()).then(|| value.to_vec()),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => sparse.size = optional(key, value, length)?,
            b"GNU.sparse.numblocks" => sparse.count = optional(key, value, length)?,
            b"GNU.sparse.offset" => {
                let offset = length(value).ok_or_else(|| bad(key, value, NO_LENGTH))?;
                if sparse.offset.replace(offset).is_some() {
                    return Err(Problem::Map(MapProblem::Text));
                }
            }
            b"GNU.sparse.numbytes" => {
                let len = length(value).ok_or_else(|| bad(key, value, NO_LENGTH))?;
                let offset = sparse.offset.take().ok_or(Problem::Map(MapProblem::Text))?;
                sparse.map.push((offset, len));
            }
            b"GNU.sparse.map" => {
                let numbers: Option<Vec<u64>> = match value {
                    b"" => Some(Vec::new()),
                    value => value.split(|byte| *byte == b',').map(length).collect(),
                };
                let numbers = numbers.filter(|numbers| numbers.len() % 2 == 0);
                let numbers = numbers.ok_or(Problem::Map(MapProblem::Text))?;
                sparse.map = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            }
            // Records that a tree cannot represent: atime, ctime, comment, charset,
            // and those of other vendors.
            _ => {}
        }
        Ok(())
    }
}

const NO_LENGTH: &str = "is not a decimal number below 2^63";

/// Returns true if a record can apply only to a single file.
fn is_per_file(key: &[u8]) -> bool {
    matches!(key, b"path" | b"linkpath" | b"size" | b"RHT.security.selinux")
        || [SCHILY_XATTR, LIBARCHIVE_XATTR, b"SCHILY.acl.", b"SCHILY.dev", b"GNU.sparse."]
            .iter()
            .any(|prefix| key.starts_with(prefix))
}

struct Record<'a> {
    key: &'a [u8],
    value: &'a [u8],
    len: usize,
}

fn split_record(rest: &[u8]) -> Result<Record<'_>, &'static str> {
    let space = rest.iter().take(20).position(|byte| *byte == b' ').ok_or("has no length")?;
    let len = length(&rest[..space]).and_then(|len| usize::try_from(len).ok()).ok_or("has no length")?;
    let record = rest.get(..len).ok_or("is longer than the rest of it")?;
    let body = record.get(space + 1..).and_then(|body| body.strip_suffix(b"\n"));
    let body = body.ok_or("does not end with its line")?;
    let equals = body.iter().position(|byte| *byte == b'=').filter(|at| *at > 0);
    let (key, value) = body.split_at(equals.ok_or("has no keyword")?);
    Ok(Record { key, value: &value[1..], len })
}

fn optional<T>(key: &[u8], value: &[u8], parse: fn(&[u8]) -> Option<T>) -> Result<Option<T>, Problem> {
    if value.is_empty() {
        return Ok(None);
    }
    parse(value).map(Some).ok_or_else(|| bad(key, value, "is not a number in the range of this keyword"))
}

fn bad(key: &[u8], value: &[u8], why: &'static str) -> Problem {
    Problem::Value { key: shown(key), value: shown(value), why }
}

/// Returns as many of the hostile bytes as a message needs.
fn shown(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len().min(100)].to_vec()
}

/// Parses a decimal number below 2^63.
pub(super) fn length(digits: &[u8]) -> Option<u64> {
    let value = digits.iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })?;
    u64::try_from(value).ok().filter(|_| !digits.is_empty())
}

fn small(digits: &[u8]) -> Option<u32> {
    length(digits).and_then(|value| u32::try_from(value).ok())
}

/// Parses seconds with a fraction of any length, rounded down to nanoseconds.
fn time(text: &[u8]) -> Option<Timestamp> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let mut parts = digits.splitn(2, |byte| *byte == b'.');
    let seconds = i64::try_from(length(parts.next()?)?).ok()?;
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (kept, dropped) = fraction.split_at(fraction.len().min(9));
    let digit = |index: usize| kept.get(index).map_or(0, |digit| u32::from(digit - b'0'));
    let nanoseconds = (0..9).fold(0, |sum, index| sum * 10 + digit(index));
    if !negative {
        return Timestamp::new(seconds, nanoseconds).ok();
    }
    let up = u32::from(dropped.iter().any(|digit| *digit != b'0'));
    match nanoseconds + up {
        0 => Some(Timestamp::from_seconds(-seconds)),
        below => Timestamp::new((-seconds).checked_sub(1)?, 1_000_000_000 - below).ok(),
    }
}

fn from_url(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(digits[0])? << 4 | digit(digits[1])?);
        rest = after;
    }
    Some(bytes)
}

/// Decodes base64 with or without the padding at its end.
fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let (digits, padding) = text.split_at(end);
    if padding.len() > 2 || digits.len() % 4 == 1 {
        return None;
    }
    let value = |byte: &u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for digit in group {
            bits = bits << 6 | u32::from(value(digit)?);
        }
        bits <<= 6 * (4 - group.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &str) -> Result<Records, String> {
        let mut records = Records::default();
        records.read(payload.as_bytes(), false).map(|()| records).map_err(|problem| problem.to_string())
    }

    #[test]
    fn splits_records_by_length() {
        let records = read("11 path=é\n12 path=a\nb\n9 size=7\n9 uid=12\n").expect("records");
        assert_eq!(
            (records.path.as_deref(), records.size, records.uid),
            (Some(&b"a\nb"[..]), Some(7), Some(12))
        );
        let taken_back = read("11 path=é\n8 path=\n").expect("records");
        assert_eq!(taken_back.path, None);
        let wrong = [
            ("path=x\n", "the record at byte 0 of the extended header has no length"),
            ("9 path=\n", "the record at byte 0 of the extended header is longer than the rest of it"),
            ("8 path=\n7 path\n", "the record at byte 8 of the extended header has no keyword"),
            ("7 path=\n", "the record at byte 0 of the extended header does not end with its line"),
            ("0 path=\n", "the record at byte 0 of the extended header does not end with its line"),
            ("99999999999999999999 a=\n", "the record at byte 0 of the extended header has no length"),
            ("5 =x\n", "the record at byte 0 of the extended header has no keyword"),
        ];
        for (payload, expected) in wrong {
            assert_eq!(read(payload).expect_err(payload), expected);
        }
    }

    #[test]
    fn parses_times_with_fractions() {
        let cases = [
            ("0", Some((0, 0))),
            ("1350244992.023960108", Some((1_350_244_992, 23_960_108))),
            ("1.5", Some((1, 500_000_000))),
            ("1.0000000019", Some((1, 1))),
            ("-1", Some((-1, 0))),
            ("-1.5", Some((-2, 500_000_000))),
            ("-0.25", Some((-1, 750_000_000))),
            ("-1.0000000001", Some((-2, 999_999_999))),
            ("-1.9999999999", Some((-2, 0))),
            ("7.", Some((7, 0))),
            ("1.5e3", None),
            ("--1", None),
            ("", None),
            (".5", None),
            ("9223372036854775808", None),
        ];
        for (text, expected) in cases {
            let found = time(text.as_bytes()).map(|time| (time.seconds(), time.nanoseconds()));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn decodes_xattrs() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("eA", Some(b"x")),
            ("eA==", Some(b"x")),
            ("AP8i", Some(b"\0\xff\"")),
            ("e", None),
            ("eA===", None),
            ("e*==", None),
        ] {
            assert_eq!(from_base64(text.as_bytes()).as_deref(), expected, "{text}");
        }
        assert_eq!(from_url(b"user.a%3Db%20").as_deref(), Some(&b"user.a=b "[..]));
        assert_eq!(from_url(b"user.%4"), None);
        assert_eq!(from_url(b"user.%zz"), None);
    }
}
