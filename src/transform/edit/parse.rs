//! Parses edits from the text of a flag or a recipe.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use image_tree::acl::{self, Acl};
use image_tree::{Device, LinkTarget, XattrName};

use super::fields::{checked_path, colon, fields, octal_field, split, unescape};
use super::{Action, Edit, Files, Group, capabilities, key_files, write};
use crate::accounts::check_number;
use crate::shown;
use crate::transform::mode::Mode;
use image_tree::glob::Glob;

/// The flag of one kind of edit.
#[derive(Clone, Copy, Debug)]
pub struct EditFlag {
    /// The flag without its dashes, and the key in a recipe.
    pub name: &'static str,
    /// The syntax of its text.
    pub syntax: &'static str,
    /// Its help text.
    pub help: &'static str,
    read: fn(&[u8]) -> Result<Action, String>,
}

/// All kinds of edits.
pub const EDIT_FLAGS: [EditFlag; 14] = [
    EditFlag {
        name: "add",
        syntax: "SRC:DST",
        help: "Put a file or directory of this host into the tree, owned by root; directories are merged, files replaced",
        read: add,
    },
    EditFlag {
        name: "write",
        syntax: "PATH[:MODE]:TEXT",
        help: "Write a file with this text to its end; of an existing file the owner remains, and the mode if none is \
               given, which is 0644 for a new one",
        read: write::parse,
    },
    EditFlag {
        name: "set-key",
        syntax: "PATH:SECTION:KEY=VALUE",
        help: "Set a key of a unit or ini file, in place of all its values; an empty SECTION is what precedes the first",
        read: key_files::parse_set,
    },
    EditFlag {
        name: "add-key",
        syntax: "PATH:SECTION:KEY=VALUE",
        help: "Add a value of a key to a unit or ini file, after those that it has",
        read: key_files::parse_add,
    },
    EditFlag {
        name: "remove-key",
        syntax: "PATH:SECTION:KEY",
        help: "Remove a key of a unit or ini file with all its values; a warning if it has none",
        read: key_files::parse_remove,
    },
    EditFlag {
        name: "mkdir",
        syntax: "PATH[:MODE[:USER:GROUP]]",
        help: "Create a directory and its missing parents",
        read: mkdir,
    },
    EditFlag { name: "symlink", syntax: "TARGET:PATH", help: "Create a symbolic link", read: symlink },
    EditFlag {
        name: "mknod",
        syntax: "PATH:c|b:MAJOR:MINOR[:MODE]",
        help: "Create a device, by default with mode 0600",
        read: mknod,
    },
    EditFlag {
        name: "chmod",
        syntax: "GLOB:MODE",
        help: "Change modes: octal, or in symbols as u+x,go=rX",
        read: chmod,
    },
    EditFlag {
        name: "chown",
        syntax: "GLOB:[USER][:[GROUP]]",
        help: "Change owners: numbers or names of the tree's accounts; USER: is with the user's own group",
        read: chown,
    },
    EditFlag {
        name: "setcap",
        syntax: "GLOB:CAPS",
        help: "Set capabilities of programs, such as cap_net_bind_service+ep",
        read: setcap,
    },
    EditFlag {
        name: "xattr",
        syntax: "GLOB:NAME=VALUE",
        help: "Set an extended attribute; a VALUE is text, 0x and hexadecimal digits, or 0s and base64",
        read: xattr,
    },
    EditFlag { name: "remove", syntax: "GLOB", help: "Remove files; an error if none match", read: remove },
    EditFlag { name: "exclude", syntax: "GLOB", help: "Remove files, if any match", read: exclude },
];

impl EditFlag {
    /// Parses the text of an edit of this kind.
    ///
    /// # Errors
    /// Returns a message on the fault.
    pub fn parse(&self, text: &OsStr) -> Result<Edit, String> {
        let action = (self.read)(text.as_bytes())?;
        Ok(Edit { text: format!("--{} {}", self.name, shown::name(text)), action })
    }
}

fn add(text: &[u8]) -> Result<Action, String> {
    let [source, path] = fields(text)?;
    Ok(Action::Add { source: PathBuf::from(OsStr::from_bytes(&source)), path: checked_path(path)? })
}

fn mkdir(text: &[u8]) -> Result<Action, String> {
    let mut fields = split(text).into_iter();
    let path = checked_path(unescape(fields.next().unwrap_or_default())?)?;
    let mode = fields.next().map(octal_field).transpose()?;
    let owner = match (fields.next(), fields.next(), fields.next()) {
        (None, None, None) => None,
        (Some(user), Some(group), None) if !user.is_empty() && !group.is_empty() => {
            [user, group].into_iter().try_for_each(check_number)?;
            Some((user.to_vec(), group.to_vec()))
        }
        _ => return Err("is not PATH[:MODE[:USER:GROUP]]".to_owned()),
    };
    Ok(Action::Mkdir { path, mode, owner })
}

fn symlink(text: &[u8]) -> Result<Action, String> {
    let [target, path] = fields(text)?;
    let target = LinkTarget::new(target).map_err(|error| error.to_string())?;
    Ok(Action::Symlink { target, path: checked_path(path)? })
}

fn mknod(text: &[u8]) -> Result<Action, String> {
    /// Device numbers have 12 and 20 bits in the kernel.
    const LIMITS: (u32, u32) = (1 << 12, 1 << 20);
    let syntax = || "is not PATH:c|b:MAJOR:MINOR[:MODE]".to_owned();
    let fields = split(text);
    let (numbers, mode) = match &fields[..] {
        [numbers @ .., mode] if numbers.len() == 4 => (numbers, octal_field(mode)?),
        numbers => (numbers, 0o600),
    };
    let [path, kind, major, minor] = numbers else { return Err(syntax()) };
    let block = match *kind {
        b"b" => true,
        b"c" => false,
        _ => return Err(syntax()),
    };
    let number = |digits: &[u8], limit: u32| {
        let parsed = digits.iter().all(u8::is_ascii_digit).then(|| str::from_utf8(digits).ok()?.parse().ok());
        parsed
            .flatten()
            .filter(|number| *number < limit)
            .ok_or_else(|| format!("\"{}\" is not a device's number below {limit}", digits.escape_ascii()))
    };
    let device = Device { major: number(major, LIMITS.0)?, minor: number(minor, LIMITS.1)? };
    Ok(Action::Mknod { path: checked_path(unescape(path)?)?, block, device, mode })
}

fn chmod(text: &[u8]) -> Result<Action, String> {
    let (files, mode) = files_and(text, "MODE")?;
    let mode = Mode::parse(&String::from_utf8_lossy(mode))?;
    Ok(Action::Chmod { files, mode })
}

fn chown(text: &[u8]) -> Result<Action, String> {
    let (files, owner) = files_and(text, "USER:GROUP")?;
    let mut parts = owner.split(|byte| *byte == b':');
    let user = parts.next().filter(|user| !user.is_empty()).map(<[u8]>::to_vec);
    let group = match (parts.next(), &user) {
        (None, _) => Group::Keep,
        (Some(b""), Some(_)) => Group::Login,
        (Some(group), _) => Group::Named(group.to_vec()),
    };
    let nothing = matches!((&user, &group), (None, Group::Keep)) || group == Group::Named(Vec::new());
    if nothing || parts.next().is_some() {
        return Err(format!("\"{}\" is not USER, USER:GROUP, USER: or :GROUP", owner.escape_ascii()));
    }
    if let Some(user) = &user {
        check_number(user)?;
    }
    if let Group::Named(group) = &group {
        check_number(group)?;
    }
    Ok(Action::Chown { files, user, group })
}

fn setcap(text: &[u8]) -> Result<Action, String> {
    let (files, caps) = files_and(text, "CAPS")?;
    let value = capabilities::from_text(&String::from_utf8_lossy(caps))?;
    Ok(Action::Setcap { files, value })
}

fn xattr(text: &[u8]) -> Result<Action, String> {
    let (files, assignment) = files_and(text, "NAME=VALUE")?;
    let equals = assignment.iter().position(|byte| *byte == b'=');
    let (name, value) = assignment.split_at(equals.ok_or("has no = after the name of the xattr")?);
    let name = XattrName::new(name).map_err(|error| error.to_string())?;
    // Linux supports no other names.
    if !name.as_bytes().iter().skip(1).any(|byte| *byte == b'.') {
        return Err(format!("xattr name \"{name}\" has no namespace before it, such as user."));
    }
    let value = xattr_value(value.get(1..).unwrap_or_default())?;
    if matches!(name.as_bytes(), acl::ACCESS | acl::DEFAULT) && !Acl::is_removal(&value) {
        let refused = |error| format!("the value of {name} is not a POSIX ACL: {error}");
        Acl::from_xattr(&value).map_err(refused)?;
    }
    Ok(Action::Xattr { files, name, value })
}

fn remove(text: &[u8]) -> Result<Action, String> {
    Ok(Action::Remove { files: files(text)?, required: true })
}

fn exclude(text: &[u8]) -> Result<Action, String> {
    Ok(Action::Remove { files: files(text)?, required: false })
}

fn files(text: &[u8]) -> Result<Files, String> {
    if Glob::is_pattern(text) {
        // A literal colon that is escaped is escaped for the glob as well.
        return Glob::parse(text).map(Files::Glob);
    }
    unescape(text).and_then(checked_path).map(Files::Path)
}

/// Returns the files before the first colon, and the text behind it.
fn files_and<'a>(text: &'a [u8], what: &str) -> Result<(Files, &'a [u8]), String> {
    let colon = colon(text).ok_or_else(|| format!("has no :{what} after the path"))?;
    let (path, rest) = text.split_at(colon);
    Ok((files(path)?, rest.get(1..).unwrap_or_default()))
}

/// Parses a value in the syntax of `setfattr(1)`, except that quotation marks are literal.
fn xattr_value(text: &[u8]) -> Result<Box<[u8]>, String> {
    let decoded = match text {
        [b'0', b'x' | b'X', digits @ ..] => hexadecimal(digits),
        [b'0', b's' | b'S', letters @ ..] => base64(letters),
        text => Some(text.to_vec()),
    };
    let bad =
        || format!("\"{}\" is neither 0x and hexadecimal digits nor 0s and base64", text.escape_ascii());
    decoded.map(Vec::into_boxed_slice).ok_or_else(bad)
}

fn hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// Decodes RFC 4648, with or without the `=` at the end.
fn base64(letters: &[u8]) -> Option<Vec<u8>> {
    let end = letters.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let (letters, padding) = letters.split_at(end);
    let mut out = Vec::with_capacity(letters.len() / 4 * 3 + 2);
    for group in letters.chunks(4) {
        let mut bits = 0_u32;
        for letter in group {
            bits = bits << 6 | sextet(*letter)?;
        }
        // A group of n letters has n - 1 bytes; the remaining bits are 0.
        let spare = match group.len() {
            4 => 0,
            3 => 2,
            2 => 4,
            _ => return None,
        };
        if bits & ((1 << spare) - 1) != 0 {
            return None;
        }
        let [_, bytes @ ..] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        out.extend_from_slice(bytes.get(..group.len() - 1)?);
    }
    let expected = (4 - letters.len() % 4) % 4;
    (padding.is_empty() || padding.len() == expected).then_some(out)
}

fn sextet(letter: u8) -> Option<u32> {
    let value = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, text: &str) -> Result<Action, String> {
        let form = EDIT_FLAGS.iter().find(|form| form.name == name).expect("a form");
        form.parse(OsStr::new(text)).map(|edit| edit.action)
    }

    fn path(text: &str) -> Files {
        Files::Path(text.as_bytes().to_vec())
    }

    #[test]
    fn splits_fields_at_unescaped_colons() {
        let Ok(Action::Add { source, path }) = parse("add", r"a\:b:/c\\d\:") else { panic!("it is one") };
        assert_eq!((source, path), (PathBuf::from("a:b"), br"/c\d:".to_vec()));
        let Ok(Action::Symlink { target, path }) = parse("symlink", "../x:/y") else { panic!("it is one") };
        assert_eq!((target.as_bytes(), &path[..]), (&b"../x"[..], &b"/y"[..]));
        let owner = Some((b"www".to_vec(), b"7".to_vec()));
        let mkdir = Action::Mkdir { path: b"/d".to_vec(), mode: Some(0o1777), owner };
        assert_eq!(parse("mkdir", "/d:1777:www:7"), Ok(mkdir));
        let device = Device { major: 1, minor: 3 };
        let mknod = Action::Mknod { path: b"/n".to_vec(), block: false, device, mode: 0o666 };
        assert_eq!(parse("mknod", "/n:c:1:3:0666"), Ok(mknod));
        let value = b"a:b=c".as_slice().into();
        let name = XattrName::new("user.x").expect("a name");
        assert_eq!(
            parse("xattr", "/f:user.x=a:b=c"),
            Ok(Action::Xattr { files: path_of("/f"), name, value })
        );
    }

    fn path_of(text: &str) -> Files {
        path(text)
    }

    #[test]
    fn parses_owners() {
        let chown = |text: &str| parse("chown", text);
        let named = |group: &str| Group::Named(group.as_bytes().to_vec());
        for (text, user, group) in [
            ("/f:www", Some("www"), Group::Keep),
            ("/f:www:", Some("www"), Group::Login),
            ("/f:1:2", Some("1"), named("2")),
            ("/f::staff", None, named("staff")),
        ] {
            let user = user.map(|user| user.as_bytes().to_vec());
            assert_eq!(chown(text), Ok(Action::Chown { files: path("/f"), user, group }), "{text}");
        }
        for text in ["/f", "/f:", "/f::", "/f:a:b:c", ":a"] {
            assert!(chown(text).is_err(), "{text}");
        }
    }

    #[test]
    fn distinguishes_paths_from_globs() {
        for (text, is_glob) in [("/a", false), (r"/a\*", false), ("/a*", true), ("**/x", true)] {
            let Ok(Action::Remove { files, required: true }) = parse("remove", text) else {
                panic!("it is one")
            };
            assert_eq!(matches!(files, Files::Glob(_)), is_glob, "{text}");
        }
        assert_eq!(parse("exclude", r"/a\*"), Ok(Action::Remove { files: path("/a*"), required: false }));
    }

    #[test]
    fn decodes_values_of_xattrs() {
        let value = |text: &str| xattr_value(text.as_bytes()).map(<[u8]>::into_vec);
        for (text, bytes) in [
            ("text", &b"text"[..]),
            ("", b""),
            ("0x", b""),
            ("0x00fF", b"\x00\xff"),
            ("0sAP8=", b"\x00\xff"),
            ("0sAP8", b"\x00\xff"),
            ("0sYWJj", b"abc"),
            ("0sYQ==", b"a"),
        ] {
            assert_eq!(value(text).as_deref(), Ok(bytes), "{text}");
        }
        for text in ["0x0", "0x0g", "0sA", "0sAP9=", "0sYQ=", "0sYWJj=", "0s*"] {
            assert!(value(text).is_err(), "{text}");
        }
    }

    #[test]
    fn refuses_malformed_edits() {
        for (name, text) in [
            ("add", "a"),
            ("add", "a:b:c"),
            ("add", "a:"),
            ("add", "a\\"),
            ("mkdir", ""),
            ("mkdir", "/d:9"),
            ("mkdir", "/d:755:a"),
            ("mkdir", "/d:755:a:"),
            ("mkdir", "/d:755:a:b:c"),
            ("mkdir", "/d:755:a:4294967295"),
            ("chown", "/f:4294967295:0"),
            ("chown", "/f::4294967295"),
            ("xattr", "/f:system.posix_acl_access=x"),
            ("symlink", ":/a"),
            ("symlink", "a"),
            ("mknod", "/n:c:1"),
            ("mknod", "/n:x:1:3"),
            ("mknod", "/n:c:4096:3"),
            ("mknod", "/n:c:1:1048576"),
            ("mknod", "/n:c:+1:3"),
            ("mknod", "/n:c:1:3:9"),
            ("mknod", "/n:c:1:3:6:6"),
            ("chmod", "/f"),
            ("chmod", "/f:"),
            ("chmod", ":755"),
            ("setcap", "/f:cap"),
            ("xattr", "/f:user.x"),
            ("xattr", "/f:=x"),
            ("xattr", "/f:user=x"),
            ("remove", ""),
            ("remove", "/[a"),
            ("exclude", ""),
            ("write", "/f"),
            ("write", ":x"),
            ("set-key", "/f:Unit:After"),
            ("set-key", "/f:Unit"),
            ("set-key", "/f:Unit:=x"),
            ("set-key", "/f:Unit:A=x\ny"),
            ("set-key", "/f:Un]it:A=x"),
            ("add-key", "/f:Unit:[A=x"),
            ("remove-key", "/f:Unit:"),
            ("remove-key", "/f:Unit:A=x"),
            ("remove-key", ":Unit:A"),
        ] {
            assert!(parse(name, text).is_err(), "{name} {text}");
        }
    }
}
