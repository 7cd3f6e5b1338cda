//! Owners that container tools recorded in xattrs, since they could not change them.
//!
//! * `user.containers.override_stat` (containers/storage, fuse-overlayfs, libkrun):
//!   `UID:GID:MODE[:TYPE]`, the mode in octal with or without type bits, the type one of `file`,
//!   `dir`, `symlink`, `pipe`, `socket`, `block-MAJOR-MINOR` and `char-MAJOR-MINOR`.
//! * `security.fuseoverlayfs.override_stat` and `user.fuseoverlayfs.override_stat` (fuse-overlayfs
//!   with and without privilege, up to 1.4): the same.
//! * `user.rootlesscontainers` (rootless-containers/proto): the protobuf message `Resource`, whose
//!   fields 1 and 2 are the user and the group as varints; the highest 32-bit number there means
//!   unchanged.

use image_tree::{Content, Device, FileType, Kind, Metadata, Tree};

use super::error::visit_inodes;
use crate::accounts;
use crate::error::Result;

/// The xattrs in the order in which fuse-overlayfs tries them.
const OVERRIDE_STATS: [&str; 3] = [
    "security.fuseoverlayfs.override_stat",
    "user.containers.override_stat",
    "user.fuseoverlayfs.override_stat",
];
const ROOTLESS: &[u8] = b"user.rootlesscontainers";

/// Applies the owners in the xattrs of every file, and removes these xattrs. If a file has several,
/// the first in the order of [`OVERRIDE_STATS`] takes precedence, and `user.rootlesscontainers` is
/// last.
///
/// # Errors
/// The paths of all files with an invalid xattr, or one for another file type. An empty regular
/// file may represent a device, a pipe or a socket.
pub(super) fn apply<C: Content>(tree: &mut Tree<C>) -> Result<()> {
    let mut changes = Vec::new();
    visit_inodes(tree, |id, inode| {
        if let Some(recorded) = recorded(&inode.metadata, &inode.kind)? {
            changes.push((id, recorded));
        }
        Ok(())
    })?;
    for (id, recorded) in changes {
        recorded.write_to(tree.metadata_mut(id));
        if let Some(special) = recorded.special {
            // OK to ignore: neither is a directory.
            let _ = tree.replace_kind(id, special.kind());
        }
    }
    Ok(())
}

/// Applies the xattrs of one file.
pub(super) fn apply_to<C: Content>(
    metadata: &mut Metadata,
    kind: &mut Kind<C>,
) -> std::result::Result<(), String> {
    if let Some(recorded) = recorded(metadata, kind)? {
        recorded.write_to(metadata);
        if let Some(special) = recorded.special {
            *kind = special.kind();
        }
    }
    Ok(())
}

/// The state of a file in its xattrs; none is unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Recorded {
    uid: Option<u32>,
    gid: Option<u32>,
    mode: Option<u16>,
    /// The special file that an empty regular file represents.
    special: Option<Special>,
}

impl Recorded {
    fn write_to(&self, metadata: &mut Metadata) {
        metadata.xattrs.retain(|name, _| {
            let name = name.as_bytes();
            name != ROOTLESS && OVERRIDE_STATS.iter().all(|known| known.as_bytes() != name)
        });
        metadata.uid = self.uid.unwrap_or(metadata.uid);
        metadata.gid = self.gid.unwrap_or(metadata.gid);
        if let Some(mode) = self.mode {
            metadata.chmod(mode);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Special {
    CharacterDevice(Device),
    BlockDevice(Device),
    Fifo,
    Socket,
}

impl Special {
    fn kind<C>(self) -> Kind<C> {
        match self {
            Special::CharacterDevice(device) => Kind::CharacterDevice(device),
            Special::BlockDevice(device) => Kind::BlockDevice(device),
            Special::Fifo => Kind::Fifo,
            Special::Socket => Kind::Socket,
        }
    }
}

fn recorded<C: Content>(
    metadata: &Metadata,
    kind: &Kind<C>,
) -> std::result::Result<Option<Recorded>, String> {
    let override_stats =
        OVERRIDE_STATS.iter().find_map(|name| Some((name, metadata.xattrs.get(name.as_bytes())?)));
    if let Some((name, value)) = override_stats {
        let text = || value.get(..100).unwrap_or(value).escape_ascii();
        return match override_stat(value) {
            Some((recorded, file_type)) => special(file_type, kind)
                .map(|special| Some(Recorded { special, ..recorded }))
                .map_err(|why| format!("{name} \"{}\" {why}", text())),
            None => Err(format!("{name} \"{}\" is not UID:GID:MODE[:TYPE]", text())),
        };
    }
    let Some(value) = metadata.xattrs.get(ROOTLESS) else { return Ok(None) };
    let recorded = resource(value)
        .ok_or_else(|| "user.rootlesscontainers is not the protobuf message with uid and gid".to_owned())?;
    Ok(Some(recorded))
}

/// The file type in an xattr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecordedType {
    None,
    /// The type bits of a file without a device number.
    Bits(u16),
    Device(Special),
}

fn override_stat(value: &[u8]) -> Option<(Recorded, RecordedType)> {
    let text = str::from_utf8(value).ok()?;
    // Some writers include a final NUL.
    let mut parts = text.strip_suffix('\0').unwrap_or(text).split(':');
    let uid = accounts::parse_number(parts.next()?.as_bytes())?;
    let gid = accounts::parse_number(parts.next()?.as_bytes())?;
    let digits = parts.next().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o177_777)?;
    let bits = u16::try_from(mode & 0o170_000).ok()?;
    let file_type = match (parts.next(), bits) {
        (Some(text), _) => type_word(text)?,
        (None, 0) => RecordedType::None,
        (None, bits) => RecordedType::Bits(bits),
    };
    if parts.next().is_some() {
        return None;
    }
    let mode = u16::try_from(mode & 0o7777).ok()?;
    Some((Recorded { uid: Some(uid), gid: Some(gid), mode: Some(mode), special: None }, file_type))
}

fn type_word(text: &str) -> Option<RecordedType> {
    let device = |numbers: &str| {
        let (major, minor) = numbers.split_once('-')?;
        Some(Device { major: major.parse().ok()?, minor: minor.parse().ok()? })
    };
    match text {
        "file" => Some(RecordedType::Bits(FileType::Regular.bits())),
        "dir" => Some(RecordedType::Bits(FileType::Directory.bits())),
        "symlink" => Some(RecordedType::Bits(FileType::Symlink.bits())),
        "pipe" => Some(RecordedType::Bits(FileType::Fifo.bits())),
        "socket" => Some(RecordedType::Bits(FileType::Socket.bits())),
        _ => match (text.strip_prefix("char-"), text.strip_prefix("block-")) {
            (Some(numbers), _) => {
                device(numbers).map(|device| RecordedType::Device(Special::CharacterDevice(device)))
            }
            (_, Some(numbers)) => {
                device(numbers).map(|device| RecordedType::Device(Special::BlockDevice(device)))
            }
            _ => None,
        },
    }
}

/// Returns the special file that a file represents, if it represents one.
fn special<C: Content>(
    file_type: RecordedType,
    kind: &Kind<C>,
) -> std::result::Result<Option<Special>, String> {
    const FIFO: u16 = FileType::Fifo.bits();
    const SOCKET: u16 = FileType::Socket.bits();
    let stands_for_another = matches!(kind, Kind::Regular(content) if content.is_empty());
    match file_type {
        RecordedType::None => Ok(None),
        RecordedType::Bits(bits) if bits == kind.type_bits() => Ok(None),
        RecordedType::Bits(FIFO) if stands_for_another => Ok(Some(Special::Fifo)),
        RecordedType::Bits(SOCKET) if stands_for_another => Ok(Some(Special::Socket)),
        RecordedType::Device(special)
            if stands_for_another || special.kind::<C>().type_bits() == kind.type_bits() =>
        {
            Ok(Some(special))
        }
        RecordedType::Bits(_) | RecordedType::Device(_) => {
            Err(format!("is about another type of file than {:o}, which it has", kind.type_bits()))
        }
    }
}

/// Decodes `message Resource { uint32 uid = 1; uint32 gid = 2; }` of proto3, where a missing field
/// is 0.
fn resource(message: &[u8]) -> Option<Recorded> {
    let mut ids = [0_u32; 2];
    let mut rest = message;
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let (field, wire_type) = (key >> 3, key & 7);
        match (field, wire_type) {
            (1 | 2, 0) => {
                let index = usize::from(field == 2);
                ids[index] = u32::try_from(varint(&mut rest)?).ok()?;
            }
            // Fields of later versions are skipped, as protobuf specifies.
            (1.., 0) => _ = varint(&mut rest)?,
            (1.., 1) => rest = rest.get(8..)?,
            (1.., 2) => {
                let len = usize::try_from(varint(&mut rest)?).ok()?;
                rest = rest.get(len..)?;
            }
            (1.., 5) => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    let given = |id: u32| (id != u32::MAX).then_some(id);
    Some(Recorded { uid: given(ids[0]), gid: given(ids[1]), ..Recorded::default() })
}

/// Decodes base 128, the lowest seven bits first, with at most 64 bits.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(first & 0x7f);
        // The tenth byte has room for one bit.
        if shift == 63 && part > 1 {
            return None;
        }
        value |= part << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use image_tree::dump;

    use super::*;

    /// Returns a tree of one file with the given line after its name, after the xattrs are applied.
    fn applied(file: &str) -> std::result::Result<String, String> {
        let text = format!("/ 0 40755 2 5 6 0 0.0 - - -\n/f {file}\n");
        let tree = dump::parse(text.as_bytes(), |file| {
            Ok::<_, std::io::Error>(vec![0; usize::try_from(file.size).unwrap_or(0)])
        });
        let mut tree: Tree<Vec<u8>> = tree.expect("a dump");
        apply(&mut tree).map_err(|error| error.to_string())?;
        let mut text = Vec::new();
        dump::write(&tree, &mut text, |_, _| Ok(dump::Body::None)).expect("memory");
        let text = String::from_utf8(text).expect("ASCII");
        Ok(text.lines().nth(1).expect("the file's line").trim_start_matches("/f ").to_owned())
    }

    #[test]
    fn applies_override_stat() {
        let file = |value: &str| {
            applied(&format!("0 100600 1 5 6 0 0.0 - - - user.containers.override_stat={value}"))
        };
        for (value, expected) in [
            ("1:2:4755", "0 104755 1 1 2 0 0.0 - - -"),
            ("1:2:0100755", "0 100755 1 1 2 0 0.0 - - -"),
            ("1:2:0755:file", "0 100755 1 1 2 0 0.0 - - -"),
            (r"1:2:0755\x00", "0 100755 1 1 2 0 0.0 - - -"),
            ("0:5:0620:char-1-3", "0 20620 1 0 5 259 0.0 - - -"),
            ("0:5:0660:block-8-1", "0 60660 1 0 5 2049 0.0 - - -"),
            ("0:0:0600:pipe", "0 10600 1 0 0 0 0.0 - - -"),
            ("0:0:0140600", "0 140600 1 0 0 0 0.0 - - -"),
        ] {
            assert_eq!(file(value).as_deref(), Ok(expected), "{value}");
        }
        for value in [
            "",
            "1:2",
            "1:2:",
            "1:2:9",
            "1:2:0755:door",
            "1:2:0755:file:x",
            "-1:2:0755",
            "1:2:0755:char-1",
            "4294967296:0:0755",
            "1:2:0755:dir",
            "1:2:0755:symlink",
            "1:2:040755",
            "1:2:020600",
        ] {
            let error = file(value).expect_err(value);
            assert!(error.starts_with("/f: user.containers.override_stat"), "{error}");
        }
        let full = applied("3 100600 1 5 6 0 0.0 p - - user.containers.override_stat=0:0:0600:pipe");
        assert!(full.expect_err("it has bytes").contains("is about another type of file"));
    }

    #[test]
    fn an_access_acl_follows_the_mode() {
        let acl = |group: char, other: char| {
            format!(
                r"system.posix_acl_access=\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x04\x00\x06\x00\xff\xff\xff\xff\x10\x00\x0{group}\x00\xff\xff\xff\xff\x20\x00\x0{other}\x00\xff\xff\xff\xff"
            )
        };
        let (before, after) = (acl('6', '0'), acl('4', '4'));
        let found =
            applied(&format!("0 100660 1 5 6 0 0.0 - - - {before} user.containers.override_stat=1:2:0644"));
        assert_eq!(found, Ok(format!("0 100644 1 1 2 0 0.0 - - - {after}")));
    }

    #[test]
    fn applies_rootlesscontainers() {
        let file =
            |value: &str| applied(&format!("0 100640 1 5 6 0 0.0 - - - user.rootlesscontainers={value}"));
        for (value, expected) in [
            (r"\x08\xe8\x07\x10\x21", "0 100640 1 1000 33 0 0.0 - - -"),
            ("", "0 100640 1 0 0 0 0.0 - - -"),
            // The group is unchanged.
            (r"\x08\x01\x10\xff\xff\xff\xff\x0f", "0 100640 1 1 6 0 0.0 - - -"),
            // An unknown string, number and fixed numbers.
            (r"\x1a\x02ab\x20\x01\x29abcdefgh\x35abcd\x08\x03", "0 100640 1 3 0 0 0.0 - - -"),
        ] {
            assert_eq!(file(value).as_deref(), Ok(expected), "{value}");
        }
        for value in
            [r"\x08", r"\x08\xff", r"\x08\xff\xff\xff\xff\x1f", r"\x1a\x05ab", r"\x0b", r"\x00\x01", "hello"]
        {
            assert!(file(value).is_err(), "{value}");
        }
        let several = applied(
            "0 100640 1 5 6 0 0.0 - - - user.containers.override_stat=7:8:0600 user.fuseoverlayfs.override_stat=1:2:0644",
        );
        assert_eq!(several.as_deref(), Ok("0 100600 1 7 8 0 0.0 - - -"));
        for name in ["user.fuseoverlayfs.override_stat", "security.fuseoverlayfs.override_stat"] {
            let file = |value: &str| applied(&format!("0 100640 1 5 6 0 0.0 - - - {name}={value}"));
            assert_eq!(file("1:2:4755").as_deref(), Ok("0 104755 1 1 2 0 0.0 - - -"));
            let error = file("1:2").expect_err("no mode");
            assert!(error.starts_with(&format!("/f: {name} \"1:2\"")), "{error}");
        }
        let both = applied(
            r"0 100640 1 5 6 0 0.0 - - - user.containers.override_stat=7:8:0600 user.rootlesscontainers=\x08\x01 user.x=y",
        );
        assert_eq!(both.as_deref(), Ok("0 100600 1 7 8 0 0.0 - - - user.x=y"));
    }

    #[test]
    fn varints_have_at_most_64_bits() {
        let mut bytes: &[u8] = &[0xff; 20];
        assert_eq!(varint(&mut bytes), None);
        let mut bytes: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(varint(&mut bytes), Some(u64::MAX));
    }
}
