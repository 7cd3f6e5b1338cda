//! The composefs dump format, read for expectations: one file a line, fields separated by spaces,
//! `PATH SIZE MODE NLINK UID GID RDEV MTIME PAYLOAD CONTENT DIGEST [XATTR=VALUE…]`, `\xHH` and C
//! escapes.

use super::expected::{Content, Expected, File, Kind, Time};

/// Returns the tree of the dump. The bytes of a file that is not inline are unknown.
pub(crate) fn read(text: &str) -> Expected {
    let mut expected = Expected::default();
    let mut links = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let path = unescape(fields[0]);
        if fields[2].starts_with('@') {
            links.push((path, unescape(fields[8])));
        } else {
            let file = file(&fields).unwrap_or_else(|| panic!("not a line of a dump: {line}"));
            expected.files.insert(path, file);
        }
    }
    let mut inodes: std::collections::BTreeMap<Vec<u8>, u64> =
        (0..).zip(expected.files.keys()).map(|(inode, path)| (path.clone(), inode)).collect();
    for (path, target) in links {
        let file = expected.files.get(&target).expect("a hard link's target comes with its own line").clone();
        expected.files.insert(path.clone(), file);
        inodes.insert(path, inodes[&target]);
    }
    expected.link(&inodes);
    expected
}

fn file(fields: &[&str]) -> Option<File> {
    let [_, size, mode, _, uid, gid, device, mtime, payload, content, _, xattrs @ ..] = fields else {
        return None;
    };
    let mode = u32::from_str_radix(mode, 8).ok()?;
    let device: u64 = device.parse().ok()?;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let kind = match mode & 0o170_000 {
        0o040_000 => Kind::Directory,
        0o100_000 => {
            let len = size.parse().ok()?;
            let content = match *content {
                "-" if len > 0 => Content { len, ..Content::UNKNOWN },
                "-" => Content::of(b""),
                inline => Content::of(&unescape(inline)),
            };
            assert_eq!(content.len, len, "the content is not of the size given");
            Kind::Regular(content)
        }
        0o120_000 => Kind::Symlink(unescape(payload)),
        0o020_000 => Kind::CharacterDevice { major, minor },
        0o060_000 => Kind::BlockDevice { major, minor },
        0o010_000 => Kind::Fifo,
        0o140_000 => Kind::Socket,
        _ => return None,
    };
    let (seconds, nanoseconds) = mtime.split_once('.')?;
    Some(File {
        kind,
        mode: mode & 0o7777,
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        mtime: Some(Time { seconds: seconds.parse().ok()?, nanoseconds: nanoseconds.parse().ok()? }),
        xattrs: xattrs
            .iter()
            .map(|xattr| xattr.split_once('=').map(|(name, value)| (unescape(name), unescape(value))))
            .collect::<Option<_>>()?,
        same_as: None,
    })
}

fn unescape(field: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = field.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let (escape, after) = rest.split_first().expect("an escape is a backslash and what follows");
        rest = after;
        bytes.push(match escape {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'\\' => b'\\',
            b'x' => {
                let digits = std::str::from_utf8(&rest[..2]).unwrap();
                rest = &rest[2..];
                u8::from_str_radix(digits, 16).unwrap()
            }
            other => panic!("unknown escape \\{}", char::from(*other)),
        });
    }
    bytes
}
