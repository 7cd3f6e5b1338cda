//! Access control lists: the text of archives becomes the bytes of `getxattr(2)`.

use thiserror::Error;

/// Why text is no access control list.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AclError {
    /// An entry that is none.
    #[error("\"{}\" is no entry such as user:1000:rw-", .0.escape_ascii())]
    Entry(Vec<u8>),
    /// A user or group without a number.
    #[error("\"{}\" names somebody without a number; have the archive written with numeric ids", .0.escape_ascii())]
    Name(Vec<u8>),
    /// The same user or group twice.
    #[error("two entries are for the same")]
    Twice,
    /// An entry that every list has is missing.
    #[error("user, group and other must all have an entry, and a mask if others have one")]
    Missing,
}

/// `ACL_USER_OBJ` and so on of `linux/posix_acl.h`, in the order the kernel wants them.
const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// `ACL_UNDEFINED_ID`.
const NOBODY: u32 = u32::MAX;

/// `POSIX_ACL_XATTR_VERSION`.
const VERSION: u32 = 2;

/// Reads `user::rw-,user:name:rw-:1000,group::r--,mask::rw-,other::r--`: entries separated by commas or line ends,
/// names or numbers of users and groups, a number behind the permissions as star has it, and comments from `#` on.
pub(super) fn from_text(text: &[u8]) -> Result<Vec<u8>, AclError> {
    let entries = text.split(|byte| matches!(byte, b',' | b'\n'));
    let entries =
        entries.map(|entry| entry.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii());
    let mut acl: Vec<(u16, u32, u16)> =
        entries.filter(|entry| !entry.is_empty()).map(parse_entry).collect::<Result<_, _>>()?;
    acl.sort_unstable();
    if acl.windows(2).any(|pair| pair[0].0 == pair[1].0 && pair[0].1 == pair[1].1) {
        return Err(AclError::Twice);
    }
    let has = |tag| acl.iter().any(|entry| entry.0 == tag);
    let named = has(USER) || has(GROUP);
    if !(has(USER_OBJ) && has(GROUP_OBJ) && has(OTHER)) || (named && !has(MASK)) {
        return Err(AclError::Missing);
    }
    let mut bytes = VERSION.to_le_bytes().to_vec();
    for (tag, id, permissions) in acl {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    Ok(bytes)
}

/// The tag, the id and the permissions of an entry.
fn parse_entry(entry: &[u8]) -> Result<(u16, u32, u16), AclError> {
    let bad = || AclError::Entry(entry.to_vec());
    let mut fields: Vec<&[u8]> = entry.split(|byte| *byte == b':').map(<[u8]>::trim_ascii).collect();
    if matches!(fields.first(), Some(&(b"default" | b"d"))) {
        fields.remove(0);
    }
    let (kind, name, permissions, id) = match fields[..] {
        // A mask and the others have no name, so their field for it may be left out.
        [kind @ (b"mask" | b"m" | b"other" | b"o"), permissions] => (kind, &b""[..], permissions, None),
        [kind, name, permissions] => (kind, name, permissions, None),
        [kind, name, permissions, id] => (kind, name, permissions, Some(id)),
        _ => return Err(bad()),
    };
    let permissions = parse_permissions(permissions).ok_or_else(bad)?;
    let tag = match (kind, name.is_empty()) {
        (b"user" | b"u", true) => USER_OBJ,
        (b"user" | b"u", false) => USER,
        (b"group" | b"g", true) => GROUP_OBJ,
        (b"group" | b"g", false) => GROUP,
        (b"mask" | b"m", true) => MASK,
        (b"other" | b"o", true) => OTHER,
        _ => return Err(bad()),
    };
    if name.is_empty() {
        return Ok((tag, NOBODY, permissions));
    }
    let parse = |id: &[u8]| std::str::from_utf8(id).ok()?.parse::<u32>().ok().filter(|id| *id != NOBODY);
    let id = id.filter(|id| !id.is_empty()).map_or_else(|| parse(name), parse);
    Ok((tag, id.ok_or_else(|| AclError::Name(entry.to_vec()))?, permissions))
}

fn parse_permissions(text: &[u8]) -> Option<u16> {
    let bit = |byte: &u8| match byte {
        b'r' => Some(4),
        b'w' => Some(2),
        b'x' => Some(1),
        b'-' => Some(0),
        _ => None,
    };
    text.iter()
        .try_fold(0, |all, byte| Some(all | bit(byte)?))
        .filter(|_| !text.is_empty() && text.len() <= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_list() {
        let expected = [
            &b"\x02\0\0\0"[..],
            b"\x01\0\x06\0\xff\xff\xff\xff",
            b"\x02\0\x06\0\xd2\x04\0\0",
            b"\x04\0\x04\0\xff\xff\xff\xff",
            b"\x08\0\x04\0\x2e\x16\0\0",
            b"\x10\0\x06\0\xff\xff\xff\xff",
            b"\x20\0\x04\0\xff\xff\xff\xff",
        ]
        .concat();
        let texts = [
            "user::rw-,user:1234:rw-,group::r--,group:5678:r--,mask::rw-,other::r--",
            "user::rw-\nuser:lisa:rw-:1234\ngroup::r--\ngroup:staff:r--:5678\nmask::rw-\nother::r--\n",
            "other:r--, mask:rw-,u::rw,g:5678:r,g::r,u:1234:rw",
            "default:user::rw-,default:user:1234:rw-,default:group::r--,default:group:5678:r--,default:mask::rw-,d:o::r--",
            "user::rw-,user:1234:rw-\t#effective:r--,group::r--,group:5678:r--,mask::rw-,other::r--",
        ];
        for text in texts {
            assert_eq!(from_text(text.as_bytes()).expect(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_list() {
        let base = "user::rw-,group::r--,other::r--";
        let cases = [
            ("", AclError::Missing),
            ("user::rw-", AclError::Missing),
            ("user::rw-,group::r--,other::r--,user:1:r--", AclError::Missing),
            (&format!("{base},user::r--"), AclError::Twice),
            (&format!("{base},mask::r--,user:lisa:r--"), AclError::Name(b"user:lisa:r--".to_vec())),
            (&format!("{base},user:1:rq-"), AclError::Entry(b"user:1:rq-".to_vec())),
            (&format!("{base},somebody::r--"), AclError::Entry(b"somebody::r--".to_vec())),
            (&format!("{base},mask:1:r--"), AclError::Entry(b"mask:1:r--".to_vec())),
            (&format!("{base},user:4294967295:r--"), AclError::Name(b"user:4294967295:r--".to_vec())),
        ];
        for (text, expected) in cases {
            assert_eq!(from_text(text.as_bytes()), Err(expected), "{text}");
        }
    }
}
