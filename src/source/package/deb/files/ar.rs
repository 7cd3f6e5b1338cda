//! The container of a package, ar(5), with the few members that a package has.
//!
//! ```text
//! !<arch>\n
//! name[16] mtime[12] uid[6] gid[6] mode[8] size[10] `\n │ bytes │ \n if their number is odd
//! ```
//!
//! Only what dpkg-deb and ar(1) write for packages is read: names of at most 16 bytes, which may end
//! in a slash. Tables of long names, of GNU and of BSD, are refused.

use std::io;

use image_tree::Content;
use thiserror::Error;

/// The first bytes of an archive.
pub(super) const MAGIC: &[u8; 8] = b"!<arch>\n";

/// The length of the header of a member, in bytes.
const HEADER_LEN: usize = 60;

/// The same, as an offset.
const HEADER: u64 = HEADER_LEN as u64;

/// The most members that are read.
const MAX_MEMBERS: usize = 64;

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// The name, which is printable ASCII.
    pub(super) name: String,
    /// The offset of its bytes in the archive, in bytes.
    pub(super) offset: u64,
    /// The number of its bytes.
    pub(super) len: u64,
}

/// A fault of an archive, or of reading it.
#[derive(Debug, Error)]
pub(super) enum ArError {
    #[error("is not an ar archive")]
    Magic,
    #[error("offset {offset}: the header of a member is cut off after {len} bytes of {HEADER}")]
    Header { offset: u64, len: u64 },
    #[error(
        "offset {offset}: is not the header of a member: it does not end in a grave accent and a newline"
    )]
    End { offset: u64 },
    #[error("offset {offset}: the name of a member is \"{}\", {why}", .name.escape_ascii())]
    Name { offset: u64, name: Vec<u8>, why: &'static str },
    #[error("offset {offset}: the {field} of {name} is \"{}\", and not a number in base {base}", .text.escape_ascii())]
    Number { offset: u64, name: String, field: &'static str, base: u32, text: Vec<u8> },
    #[error("offset {offset}: {name} has {len} bytes, of which the file has {left}")]
    Truncated { offset: u64, name: String, len: u64, left: u64 },
    #[error("offset {offset}: the padding of {name}, whose length is odd, is {found}, and not a newline")]
    Padding { offset: u64, name: String, found: &'static str },
    #[error("has more than {MAX_MEMBERS} members")]
    Members,
    #[error(transparent)]
    Read(#[from] io::Error),
}

/// Returns the members of an archive, in order.
pub(super) fn members(archive: &impl Content) -> Result<Vec<Member>, ArError> {
    let end = archive.len();
    let mut magic = [0; MAGIC.len()];
    if end < MAGIC.len() as u64 {
        return Err(ArError::Magic);
    }
    archive.read_at(&mut magic, 0)?;
    if magic != *MAGIC {
        return Err(ArError::Magic);
    }
    let (mut members, mut offset) = (Vec::new(), MAGIC.len() as u64);
    while offset < end {
        if members.len() == MAX_MEMBERS {
            return Err(ArError::Members);
        }
        if end - offset < HEADER {
            return Err(ArError::Header { offset, len: end - offset });
        }
        let mut header = [0; HEADER_LEN];
        archive.read_at(&mut header, offset)?;
        let member = member(&header, offset)?;
        // The length has ten digits, so that no sum overflows.
        let (data, left) = (member.offset, end - member.offset);
        if member.len > left {
            return Err(ArError::Truncated { offset, name: member.name, len: member.len, left });
        }
        offset = data + member.len;
        if member.len % 2 == 1 {
            let mut padding = [0];
            let found = match offset < end {
                true => archive.read_at(&mut padding, offset).map(|()| "another byte")?,
                false => "missing",
            };
            if padding != *b"\n" {
                return Err(ArError::Padding { offset, name: member.name, found });
            }
            offset += 1;
        }
        members.push(member);
    }
    Ok(members)
}

fn member(header: &[u8; HEADER_LEN], offset: u64) -> Result<Member, ArError> {
    if &header[58..] != b"`\n" {
        return Err(ArError::End { offset });
    }
    let name = name(&header[..16], offset)?;
    let number = |field: &'static str, bytes: &[u8], base: u32| {
        let text = bytes.trim_ascii_end();
        let digits = str::from_utf8(text).ok().filter(|text| !text.starts_with('+'));
        let number = digits.and_then(|text| u64::from_str_radix(text, base).ok());
        let (name, text) = (name.clone(), text.to_vec());
        number.ok_or(ArError::Number { offset, name, field, base, text })
    };
    number("time", &header[16..28], 10)?;
    number("user", &header[28..34], 10)?;
    number("group", &header[34..40], 10)?;
    number("mode", &header[40..48], 8)?;
    let len = number("size", &header[48..58], 10)?;
    Ok(Member { name, offset: offset + HEADER, len })
}

fn name(field: &[u8], offset: u64) -> Result<String, ArError> {
    let written = field.trim_ascii_end();
    let refuse = |why| Err(ArError::Name { offset, name: written.to_vec(), why });
    if written.starts_with(b"#1/") {
        return refuse("a long name of BSD, which packages do not have");
    }
    if written.starts_with(b"/") {
        return refuse("a table or a long name of GNU, which packages do not have");
    }
    let name = written.strip_suffix(b"/").unwrap_or(written);
    if name.is_empty() || name.contains(&b'/') {
        return refuse("and not that of a file");
    }
    match str::from_utf8(name) {
        Ok(name) if name.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(name.to_owned()),
        _ => refuse("which is not printable ASCII"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, size: &str) -> String {
        format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 7, 0, 0, "100644")
    }

    fn archive(members: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for (name, text) in members {
            bytes.extend(header(name, &text.len().to_string()).bytes());
            bytes.extend(text.bytes());
            bytes.extend(vec![b'\n'; text.len() % 2]);
        }
        bytes
    }

    #[test]
    fn members_are_listed_with_their_places() {
        let bytes = archive(&[("debian-binary", "2.0\n"), ("a/", "odd"), ("_x", "")]);
        let found = members(&bytes).expect("an archive");
        let found: Vec<(&str, &[u8])> = found
            .iter()
            .map(|Member { name, offset, len }| {
                let start = usize::try_from(*offset).expect("small");
                (name.as_str(), &bytes[start..start + usize::try_from(*len).expect("small")])
            })
            .collect();
        assert_eq!(found, [("debian-binary", &b"2.0\n"[..]), ("a", b"odd"), ("_x", b"")]);
        assert_eq!(members(&MAGIC.to_vec()).expect("an empty archive"), []);
    }

    #[test]
    fn malformed_archives_are_refused() {
        let with = |rest: &str| [&MAGIC[..], rest.as_bytes()].concat();
        let odd = |end: &str| with(&format!("{}x{end}", header("a", "1")));
        let cases: [(Vec<u8>, &str); 16] = [
            (b"!<arch>".to_vec(), "is not an ar archive"),
            (b"!<thin>\n".to_vec(), "is not an ar archive"),
            (with(&header("a", "0")[..59]), "cut off after 59 bytes"),
            (with(&header("a", "0").replace('`', "'")), "is not the header of a member"),
            (with(&header("a", "-1")), "the size of a is \"-1\""),
            (with(&header("a", "+1")), "the size of a is \"+1\""),
            (with(&header("a", "1 1")), "the size of a is \"1 1\""),
            (with(&header("a", "")), "the size of a is \"\""),
            (with(&header("a", "0x1")), "the size of a is \"0x1\""),
            (with(&header("a", "2")), "a has 2 bytes, of which the file has 0"),
            (odd(""), "the padding of a, whose length is odd, is missing"),
            (odd("\0"), "is another byte, and not a newline"),
            (with(&header("//", "0")), "of GNU"),
            (with(&header("#1/20", "0")), "of BSD"),
            (with(&header("a/b", "0")), "not that of a file"),
            (archive(&[("x", ""); MAX_MEMBERS + 1]), "more than 64 members"),
        ];
        for (bytes, expected) in cases {
            let error = members(&bytes).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}, and not {expected}");
        }
        let mode = header("a", "0").replace("100644", "100688");
        assert!(members(&with(&mode)).expect_err("digits").to_string().contains("in base 8"));
    }
}
