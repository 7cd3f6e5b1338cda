//! One line of a dump: its fields.

use std::borrow::Cow;

use super::error::{Fault, Field, Problem, fault};
use super::escape;
use crate::{Device, Metadata, Timestamp, XattrName, Xattrs};

/// A parsed line, independent of other lines.
pub(super) struct Line<'a> {
    pub(super) path: Cow<'a, [u8]>,
    pub(super) entry: LineEntry<'a>,
}

pub(super) enum LineEntry<'a> {
    /// Another name of the file with this path.
    HardLink(Cow<'a, [u8]>),
    File(File<'a>),
}

pub(super) struct File<'a> {
    pub(super) metadata: Metadata,
    pub(super) type_bits: u16,
    pub(super) size: u64,
    pub(super) rdev: u64,
    pub(super) payload: Option<Cow<'a, [u8]>>,
    pub(super) content: Option<Cow<'a, [u8]>>,
    pub(super) digest: Option<&'a str>,
}

/// Splits a line, without its newline, into fields and parses each.
pub(super) fn parse(line: &[u8]) -> Result<Line<'_>, Fault> {
    let mut fields = line.split(|byte| *byte == b' ');
    let mut fixed = [&b""[..]; 11];
    for (index, field) in fixed.iter_mut().enumerate() {
        *field = fields.next().ok_or((None, Problem::Fields(index)))?;
    }
    let [path_text, size, mode, nlink, uid, gid, rdev, mtime, payload_text, content, digest] = fixed;
    let path = unescape(Field::Path, path_text)?;
    let size = decimal(Field::Size, size, u64::MAX)?;
    if let Some(mode) = mode.strip_prefix(b"@") {
        octal(mode)?;
        let target = optional(Field::Payload, payload_text)?;
        let target = target.ok_or_else(|| fault(Field::Payload, payload_text, Problem::Unset))?;
        // composefs-dump(5): every other field of a hard link is ignored.
        return Ok(Line { path, entry: LineEntry::HardLink(target) });
    }
    let st_mode = octal(mode)?;
    decimal(Field::Nlink, nlink, u64::MAX)?;
    let metadata = Metadata {
        mode: st_mode & 0o7777,
        uid: decimal_u32(Field::Uid, uid)?,
        gid: decimal_u32(Field::Gid, gid)?,
        mtime: time(mtime).ok_or_else(|| fault(Field::Mtime, mtime, Problem::Time))?,
        xattrs: xattrs(fields)?,
    };
    let file = File {
        metadata,
        type_bits: st_mode & !0o7777,
        size,
        rdev: decimal(Field::Rdev, rdev, u64::MAX)?,
        payload: optional(Field::Payload, payload_text)?,
        content: optional(Field::Content, content)?,
        digest: parse_digest(digest)?,
    };
    Ok(Line { path, entry: LineEntry::File(file) })
}

fn unescape(field: Field, text: &[u8]) -> Result<Cow<'_, [u8]>, Fault> {
    escape::unescape(text).map_err(|problem| fault(field, text, problem))
}

fn optional(field: Field, text: &[u8]) -> Result<Option<Cow<'_, [u8]>>, Fault> {
    match text {
        b"-" => Ok(None),
        // Two consecutive spaces: a field is missing in the input.
        b"" => Err(fault(field, text, Problem::Unset)),
        _ => unescape(field, text).map(Some),
    }
}

/// Parses a decimal number. Only digits are accepted; `str::parse` would also accept a plus sign.
fn decimal(field: Field, text: &[u8], max: u64) -> Result<u64, Fault> {
    let digits = text.iter().all(u8::is_ascii_digit).then_some(text);
    let number = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    number.filter(|number| *number <= max).ok_or_else(|| fault(field, text, Problem::Number(max)))
}

fn decimal_u32(field: Field, text: &[u8]) -> Result<u32, Fault> {
    let number = decimal(field, text, u64::from(u32::MAX))?;
    u32::try_from(number).map_err(|_| fault(field, text, Problem::Number(u64::from(u32::MAX))))
}

fn octal(text: &[u8]) -> Result<u16, Fault> {
    let digits = text.iter().all(u8::is_ascii_digit).then_some(text);
    digits
        .and_then(|digits| u16::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok())
        .ok_or_else(|| fault(Field::Mode, text, Problem::Mode))
}

/// Parses MTIME. The nanoseconds are a number, not a fraction, so leading zeros are insignificant:
/// `1.5` and `1.000000005` are equal.
fn time(text: &[u8]) -> Option<Timestamp> {
    let (seconds, nanoseconds) = std::str::from_utf8(text).ok()?.split_once('.')?;
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(seconds.strip_prefix('-').unwrap_or(seconds)) || !all_digits(nanoseconds) {
        return None;
    }
    Timestamp::new(seconds.parse().ok()?, nanoseconds.parse().ok()?).ok()
}

fn parse_digest(text: &[u8]) -> Result<Option<&str>, Fault> {
    if text == b"-" {
        return Ok(None);
    }
    let is_digest = matches!(text.len(), 64 | 128) && text.iter().all(u8::is_ascii_hexdigit);
    let digest = std::str::from_utf8(text).ok().filter(|_| is_digest);
    digest.map(Some).ok_or_else(|| fault(Field::Digest, text, Problem::Digest))
}

fn xattrs<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Result<Xattrs, Fault> {
    let mut xattrs = Xattrs::new();
    for text in fields {
        let at = |problem| fault(Field::Xattr, text, problem);
        let end = text.iter().position(|byte| *byte == b'=').ok_or_else(|| at(Problem::XattrValue))?;
        let (name, value) = (&text[..end], &text[end + 1..]);
        let name = escape::unescape(name).map_err(at)?;
        let name = XattrName::new(name).map_err(|error| at(Problem::Xattr(error)))?;
        let value = escape::unescape(value).map_err(at)?;
        if xattrs.insert(name, value.into()).is_some() {
            return Err(at(Problem::XattrTwice));
        }
    }
    Ok(xattrs)
}

/// Packs a device number like `makedev(3)` of the GNU C library: from the lowest bits, 8 bits of
/// the minor, 12 of the major, the other 24 of the minor, and the rest of the major.
pub(super) fn pack_device(device: Device) -> u64 {
    let (major, minor) = (u64::from(device.major), u64::from(device.minor));
    (major & 0xffff_f000) << 32 | (minor & 0xffff_ff00) << 12 | (major & 0xfff) << 8 | minor & 0xff
}

/// The inverse of [`pack_device`]; it accepts every number.
pub(super) fn unpack_device(rdev: u64) -> Device {
    let low_32 = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap_or(0);
    Device {
        major: low_32(rdev >> 32 & 0xffff_f000 | rdev >> 8 & 0xfff),
        minor: low_32(rdev >> 12 & 0xffff_ff00 | rdev & 0xff),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_pack_and_unpack() {
        // The numbers are from `stat -c %d` and Python's `os.makedev`.
        let known = [(8, 1, 2049), (1, 3, 259), (259, 65537, 268_501_761), (0xfff, 0xf_ffff, 0xffff_ffff)];
        for (major, minor, rdev) in known {
            assert_eq!(pack_device(Device { major, minor }), rdev);
            assert_eq!(unpack_device(rdev), Device { major, minor });
        }
        for rdev in [0, 1, u64::MAX, u64::MAX - 1, 0x0123_4567_89ab_cdef] {
            assert_eq!(pack_device(unpack_device(rdev)), rdev);
        }
    }

    #[test]
    fn times_are_parsed_with_nanoseconds() {
        let of = |text: &str| time(text.as_bytes()).map(|time| (time.seconds(), time.nanoseconds()));
        assert_eq!(of("123.0"), Some((123, 0)));
        assert_eq!(of("123.5"), Some((123, 5)));
        assert_eq!(of("123.000000005"), Some((123, 5)));
        assert_eq!(of("-1.999999999"), Some((-1, 999_999_999)));
        assert_eq!(of("-9223372036854775808.0"), Some((i64::MIN, 0)));
        for text in [
            "",
            ".",
            "1",
            "1.",
            ".1",
            "+1.0",
            "1.+0",
            "1.-0",
            "1.1000000000",
            "9223372036854775808.0",
            "--1.0",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
