//! The records of an extended header (POSIX.1-2001, pax).
//!
//! ```text
//! 30 mtime=1350244992.023960108\n        LENGTH KEYWORD=VALUE\n, where LENGTH counts the whole record
//! ```

use std::collections::BTreeMap;

use image_tree::{Metadata, Timestamp};

use crate::header::{self, Header, MAX_ID, MAX_NUMBER, NAME_LEN, TypeFlag};

/// Records by keyword.
#[derive(Debug, Default)]
pub(crate) struct Records(BTreeMap<Vec<u8>, Vec<u8>>);

impl Records {
    /// Sets a record.
    pub(crate) fn set(&mut self, keyword: &str, value: impl Into<Vec<u8>>) {
        self.0.insert(keyword.into(), value.into());
    }

    /// Sets a record for a path that does not fit in its field.
    pub(crate) fn set_path(&mut self, keyword: &str, path: &[u8]) {
        if path.len() > NAME_LEN {
            self.set_any_path(keyword, path);
        }
    }

    /// Sets a record for a path.
    pub(crate) fn set_any_path(&mut self, keyword: &str, path: &[u8]) {
        self.set(keyword, path);
        if std::str::from_utf8(path).is_err() {
            self.set("hdrcharset", "BINARY");
        }
    }

    /// Sets a record for a length that does not fit in its field.
    pub(crate) fn set_size(&mut self, size: u64) {
        if size > MAX_NUMBER {
            self.set("size", size.to_string());
        }
    }

    /// Sets records for owners and a time that do not fit in their fields.
    pub(crate) fn set_owner_and_time(&mut self, metadata: &Metadata) {
        for (keyword, id) in [("uid", metadata.uid), ("gid", metadata.gid)] {
            if id > MAX_ID {
                self.set(keyword, id.to_string());
            }
        }
        let time = metadata.mtime;
        let fits = u64::try_from(time.seconds()).is_ok_and(|seconds| seconds <= MAX_NUMBER);
        if !fits || time.nanoseconds() > 0 {
            self.set("mtime", decimal(time));
        }
    }

    /// Sets records for device numbers that do not fit in their fields.
    pub(crate) fn set_device(&mut self, (major, minor): (u32, u32)) {
        for (keyword, number) in [("SCHILY.devmajor", major), ("SCHILY.devminor", minor)] {
            if number > MAX_ID {
                self.set(keyword, number.to_string());
            }
        }
    }

    /// Sets records for all xattrs.
    pub(crate) fn set_xattrs(&mut self, metadata: &Metadata) {
        for (name, value) in &metadata.xattrs {
            let name = name.as_bytes();
            let (prefix, name, value) = if name.contains(&b'=') {
                ("LIBARCHIVE.xattr.", url(name), base64(value))
            } else {
                ("SCHILY.xattr.", name.to_vec(), value.to_vec())
            };
            self.0.insert([prefix.as_bytes(), &name].concat(), value);
        }
    }

    /// Appends the extended header, unless there are no records.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if self.0.is_empty() {
            return;
        }
        let mut payload = Vec::new();
        for (keyword, value) in &self.0 {
            push(&mut payload, keyword, value);
        }
        let header = Header {
            name: b"././@PaxHeader",
            mode: 0,
            uid: 0,
            gid: 0,
            size: payload.len() as u64,
            mtime: 0,
            type_flag: TypeFlag::Records,
            link_name: b"",
            device: (0, 0),
        };
        header.write(out);
        out.extend(payload);
        header::pad(out);
    }
}

/// Appends a record. Its length includes the digits of the length.
fn push(out: &mut Vec<u8>, keyword: &[u8], value: &[u8]) {
    let rest = keyword.len() + value.len() + " =\n".len();
    let mut len = rest + 1;
    while rest + len.to_string().len() != len {
        len = rest + len.to_string().len();
    }
    out.extend(len.to_string().into_bytes());
    out.push(b' ');
    out.extend_from_slice(keyword);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Returns seconds since 1970 as a decimal number, without zeros at its end.
fn decimal(time: Timestamp) -> String {
    let (seconds, nanoseconds) = (time.seconds(), time.nanoseconds());
    if nanoseconds == 0 {
        return seconds.to_string();
    }
    // The fraction of a negative number counts away from zero: half a second before 1970 is -0.5.
    let (sign, whole, fraction) = match seconds < 0 {
        true => ("-", (seconds + 1).unsigned_abs(), 1_000_000_000 - nanoseconds),
        false => ("", seconds.unsigned_abs(), nanoseconds),
    };
    let text = format!("{sign}{whole}.{fraction:09}");
    text.trim_end_matches('0').to_owned()
}

/// Returns a name in which libarchive finds no separator.
fn url(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in name {
        match byte {
            b'!'..=b'~' if !matches!(byte, b'%' | b'=') => out.push(*byte),
            _ => out.extend(format!("%{byte:02X}").into_bytes()),
        }
    }
    out
}

/// Returns bytes in base64 without padding, as libarchive writes them.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
            << (8 * (3 - group.len()));
        for digit in 0..=group.len() {
            out.push(DIGITS[bits >> (18 - 6 * digit) & 63]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_records_count_themselves() {
        let record = |value: &[u8]| {
            let mut out = Vec::new();
            push(&mut out, b"k", value);
            String::from_utf8(out).expect("text")
        };
        assert_eq!(record(b""), "5 k=\n");
        assert_eq!(record(b"1234"), "9 k=1234\n");
        assert_eq!(record(b"12345"), "11 k=12345\n");
        for len in [90, 91, 92, 93, 94, 95, 990, 991, 992, 993, 994, 995] {
            let text = record(&vec![b'v'; len]);
            let stated = text.split_once(' ').expect("a blank").0;
            assert_eq!(stated, text.len().to_string());
        }
    }

    #[test]
    fn times_are_decimal_numbers() {
        let text = |seconds, nanoseconds| decimal(Timestamp::new(seconds, nanoseconds).expect("a time"));
        assert_eq!(text(5, 0), "5");
        assert_eq!(text(5, 123_456_789), "5.123456789");
        assert_eq!(text(5, 500_000_000), "5.5");
        assert_eq!(text(-6, 500_000_000), "-5.5");
        assert_eq!(text(-1, 1), "-0.999999999");
        assert_eq!(text(-1, 0), "-1");
        assert_eq!(text(i64::MIN, 0), i64::MIN.to_string());
    }

    #[test]
    fn names_with_separators_are_encoded() {
        assert_eq!(url(b"user.a=b%\xff "), b"user.a%3Db%25%FF%20");
        for (bytes, text) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg")] {
            assert_eq!(base64(bytes.as_bytes()), text.as_bytes());
        }
    }
}
