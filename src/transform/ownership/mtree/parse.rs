//! Parses the text of a manifest.
//!
//! ```text
//! /set type=file uid=0 gid=0 mode=0644     defaults for the lines after it, until /unset
//! .            type=dir mode=0755          relative: an entry of the current directory; a directory becomes that one
//!     bin      type=dir
//!         sh   uname=root
//!     ..                                   back to the directory above
//! ./etc/x\040y uid=7 \                     full: from the top, since it has a slash; \ continues the line
//!              mode=0600
//! ```
//!
//! The keywords of mtree(5) of FreeBSD, NetBSD and libarchive are supported; any other one is an
//! error.

use image_tree::FileType;

use super::vis;
use crate::accounts;
use crate::transform::mode::Mode;

/// The longest path, in bytes: as deep as a tree of 4,000 directories with names of 255 bytes.
const MAX_PATH: usize = 1024 * 1024;

/// One file of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its path from the top, without a leading `/`; empty for the top itself.
    pub path: &'a [u8],
    /// The settings on the line and in `/set` before it.
    pub settings: Settings,
}

/// The settings of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `uid`
    pub uid: Option<u32>,
    /// `gid`
    pub gid: Option<u32>,
    /// `uname`, unless a number takes precedence.
    pub uname: Option<Vec<u8>>,
    /// `gname`, unless a number takes precedence.
    pub gname: Option<Vec<u8>>,
    /// `mode`
    pub mode: Option<Mode>,
    /// `type`
    pub kind: Option<FileType>,
    /// `link`: the target of a symbolic link.
    pub link: Option<Vec<u8>>,
    /// `optional`: the file may be missing.
    pub optional: bool,
    /// `nochange`: the file must exist, but is unchanged.
    pub nochange: bool,
}

/// The words of mtree(5) for the types of files.
const TYPES: [(FileType, &str); 7] = [
    (FileType::BlockDevice, "block"),
    (FileType::CharacterDevice, "char"),
    (FileType::Directory, "dir"),
    (FileType::Fifo, "fifo"),
    (FileType::Regular, "file"),
    (FileType::Symlink, "link"),
    (FileType::Socket, "socket"),
];

/// Returns the word for a type in manifests.
#[must_use]
pub fn type_word(file_type: FileType) -> &'static str {
    TYPES.iter().find(|(known, _)| *known == file_type).map_or("", |(_, word)| word)
}

fn parse_type(word: &[u8]) -> Option<FileType> {
    TYPES.iter().find(|(_, known)| known.as_bytes() == word).map(|(file_type, _)| *file_type)
}

/// Parses a manifest and calls `visit` for each of its files, in order.
///
/// # Errors
/// Returns the number of the first line that is invalid or for which `visit` fails, and the reason.
pub fn parse(manifest: &[u8], mut visit: impl FnMut(&Entry<'_>) -> Result<(), String>) -> Result<(), String> {
    let mut defaults = Settings::default();
    let mut position = Position::default();
    let mut lines = manifest.split(|byte| *byte == b'\n').zip(1_usize..);
    let mut joined = Vec::new();
    while let Some((first, number)) = lines.next() {
        let line = join_continuations(first, &mut lines, &mut joined);
        read_line(line, &mut defaults, &mut position, &mut visit)
            .map_err(|why| format!("line {number}: {why}"))?;
    }
    Ok(())
}

/// The current directory of relative entries.
#[derive(Debug, Default)]
struct Position {
    /// The path of the current directory; empty at the top.
    directory: Vec<u8>,
    /// True if `.` entered the top, so that `..` may leave it once.
    entered: bool,
}

impl Position {
    fn leave(&mut self) -> Result<(), String> {
        if self.directory.is_empty() && !std::mem::take(&mut self.entered) {
            return Err("\"..\" leads above the top".to_owned());
        }
        let parent = self.directory.iter().rposition(|byte| *byte == b'/');
        self.directory.truncate(parent.unwrap_or(0));
        Ok(())
    }
}

/// Returns the line with its continuation lines.
fn join_continuations<'m: 'j, 'j>(
    first: &'m [u8],
    lines: &mut impl Iterator<Item = (&'m [u8], usize)>,
    joined: &'j mut Vec<u8>,
) -> &'j [u8] {
    if !continues(first) || is_comment(first) {
        return first;
    }
    joined.clear();
    let mut part = first;
    while continues(part) {
        joined.extend_from_slice(part.get(..part.len().saturating_sub(1)).unwrap_or_default());
        joined.push(b' ');
        part = lines.next().map_or(&b""[..], |(line, _)| line);
    }
    joined.extend_from_slice(part);
    joined
}

fn is_comment(line: &[u8]) -> bool {
    line.trim_ascii_start().first() == Some(&b'#')
}

/// Returns true if the line ends with a backslash that is not escaped.
fn continues(line: &[u8]) -> bool {
    line.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

fn read_line(
    line: &[u8],
    defaults: &mut Settings,
    position: &mut Position,
    visit: &mut impl FnMut(&Entry<'_>) -> Result<(), String>,
) -> Result<(), String> {
    if is_comment(line) {
        return Ok(());
    }
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let Some(first) = words.next() else { return Ok(()) };
    match first {
        b"/set" => {
            let set = settings(words)?;
            *defaults = set.over(defaults);
            return Ok(());
        }
        b"/unset" => return words.try_for_each(|word| unset(defaults, word)),
        [b'/', ..] => return Err(format!("\"{}\" is neither /set nor /unset", first.escape_ascii())),
        // The rest of such a line is ignored, as by mtree.
        b".." => return position.leave(),
        _ => {}
    }
    let settings = settings(words)?.over(defaults);
    let name = vis::decode(first)
        .ok_or_else(|| format!("\"{}\" has an invalid backslash escape", first.escape_ascii()))?;
    // A slash written as an escape is not valid in a name either, and is refused with the
    // component.
    if first.contains(&b'/') {
        let mut path = Vec::new();
        for component in name.split(|byte| *byte == b'/') {
            push(&mut path, component)?;
        }
        return visit(&Entry { path: &path, settings });
    }
    let directory = &mut position.directory;
    let outer = directory.len();
    if name == b"." && outer > 0 {
        return Err("\".\" is valid only at the top".to_owned());
    }
    push(directory, &name)?;
    let is_directory = settings.kind == Some(FileType::Directory);
    let result = visit(&Entry { path: directory, settings });
    position.entered |= is_directory && name == b".";
    if !is_directory {
        position.directory.truncate(outer);
    }
    result
}

fn push(path: &mut Vec<u8>, component: &[u8]) -> Result<(), String> {
    match component {
        b"" | b"." => return Ok(()),
        b".." => return Err("\"..\" is within a path".to_owned()),
        _ if component.iter().any(|byte| matches!(byte, 0 | b'/')) => {
            return Err(format!("name \"{}\" contains '/' or NUL", component.escape_ascii()));
        }
        _ if path.len() + component.len() >= MAX_PATH => {
            return Err(format!("the path is longer than {MAX_PATH} bytes"));
        }
        _ => {}
    }
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(component);
    Ok(())
}

fn settings<'a>(words: impl Iterator<Item = &'a [u8]>) -> Result<Settings, String> {
    let mut settings = Settings::default();
    for word in words {
        let equals = word.iter().position(|byte| *byte == b'=');
        let (keyword, value) = match equals {
            Some(equals) => (&word[..equals], word.get(equals + 1..)),
            None => (word, None),
        };
        let accepted = match value {
            None => set_flag(&mut settings, keyword),
            Some(value) => set(&mut settings, keyword, value),
        };
        accepted.ok_or_else(|| match value {
            _ if !is_keyword(keyword) => {
                format!("\"{}\" is not a keyword of mtree(5)", keyword.escape_ascii())
            }
            None => format!("keyword {} has no value", keyword.escape_ascii()),
            Some(_) => format!("\"{}\" is not a valid value of that keyword", word.escape_ascii()),
        })?;
    }
    Ok(settings)
}

const FLAGS: [&[u8]; 3] = [b"ignore", b"nochange", b"optional"];

fn set_flag(settings: &mut Settings, keyword: &[u8]) -> Option<()> {
    settings.optional |= keyword == b"optional";
    settings.nochange |= keyword == b"nochange";
    FLAGS.contains(&keyword).then_some(())
}

fn set(settings: &mut Settings, keyword: &[u8], value: &[u8]) -> Option<()> {
    let name = || vis::decode(value).filter(|name| !name.is_empty());
    match keyword {
        b"uid" => settings.uid = Some(accounts::parse_number(value)?),
        b"gid" => settings.gid = Some(accounts::parse_number(value)?),
        b"uname" => settings.uname = Some(name()?),
        b"gname" => settings.gname = Some(name()?),
        b"mode" => settings.mode = Some(Mode::parse(str::from_utf8(value).ok()?).ok()?),
        b"type" => settings.kind = Some(parse_type(value)?),
        b"link" => settings.link = Some(name()?),
        _ => return is_ignored_value(keyword, value).then_some(()),
    }
    Some(())
}

const NUMBERS: [&[u8]; 4] = [b"cksum", b"inode", b"nlink", b"size"];
const DIGESTS: [&[u8]; 13] = [
    b"md5",
    b"md5digest",
    b"ripemd160digest",
    b"rmd160",
    b"rmd160digest",
    b"sha1",
    b"sha1digest",
    b"sha256",
    b"sha256digest",
    b"sha384",
    b"sha384digest",
    b"sha512",
    b"sha512digest",
];
/// Keywords whose values have many forms.
const TEXTS: [&[u8]; 5] = [b"contents", b"device", b"flags", b"resdevice", b"tags"];
const APPLIED: [&[u8]; 7] = [b"gid", b"gname", b"link", b"mode", b"type", b"uid", b"uname"];

/// Returns true for a valid value of a keyword that is irrelevant to owners and modes.
fn is_ignored_value(keyword: &[u8], value: &[u8]) -> bool {
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if NUMBERS.contains(&keyword) {
        digits(value)
    } else if DIGESTS.contains(&keyword) {
        !value.is_empty() && value.iter().all(u8::is_ascii_hexdigit)
    } else if keyword == b"time" {
        let value = value.strip_prefix(b"-").unwrap_or(value);
        let mut parts = value.splitn(2, |byte| *byte == b'.');
        parts.next().is_some_and(digits) && parts.next().is_none_or(digits)
    } else {
        TEXTS.contains(&keyword)
    }
}

fn is_keyword(keyword: &[u8]) -> bool {
    [&FLAGS[..], &NUMBERS, &DIGESTS, &TEXTS, &APPLIED, &[b"time"]]
        .iter()
        .any(|known| known.contains(&keyword))
}

fn unset(settings: &mut Settings, keyword: &[u8]) -> Result<(), String> {
    match keyword {
        b"all" => *settings = Settings::default(),
        b"uid" => settings.uid = None,
        b"gid" => settings.gid = None,
        b"uname" => settings.uname = None,
        b"gname" => settings.gname = None,
        b"mode" => settings.mode = None,
        b"type" => settings.kind = None,
        b"link" => settings.link = None,
        b"optional" => settings.optional = false,
        b"nochange" => settings.nochange = false,
        _ if is_keyword(keyword) => {}
        _ => return Err(format!("\"{}\" is not a keyword of mtree(5)", keyword.escape_ascii())),
    }
    Ok(())
}

impl Settings {
    /// Returns these settings, completed with `defaults`. A name here takes precedence over a
    /// number there.
    fn over(self, defaults: &Self) -> Self {
        let user = self.uid.is_some() || self.uname.is_some();
        let group = self.gid.is_some() || self.gname.is_some();
        Self {
            uid: if user { self.uid } else { defaults.uid },
            uname: if user { self.uname } else { defaults.uname.clone() },
            gid: if group { self.gid } else { defaults.gid },
            gname: if group { self.gname } else { defaults.gname.clone() },
            mode: self.mode.or_else(|| defaults.mode.clone()),
            kind: self.kind.or(defaults.kind),
            link: self.link.or_else(|| defaults.link.clone()),
            optional: self.optional || defaults.optional,
            nochange: self.nochange || defaults.nochange,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(manifest: &str) -> Result<Vec<String>, String> {
        let mut paths = Vec::new();
        parse(manifest.as_bytes(), |entry| {
            let settings = &entry.settings;
            let shown = [settings.uid, settings.gid].map(|id| id.map_or("-".to_owned(), |id| id.to_string()));
            paths.push(format!("/{} {}", String::from_utf8_lossy(entry.path), shown.join(":")));
            Ok(())
        })?;
        Ok(paths)
    }

    /// As in FreeBSD's `etc/mtree`: one directory a line, indented, and `..` to leave it.
    #[test]
    fn parses_a_freebsd_hierarchy() {
        let manifest = "\
# Please see the file src/etc/mtree/README before making changes to this file.
#

/set type=dir uname=root gname=wheel mode=0755 uid=0 gid=0
.
    bin
    ..
    var
        cron            mode=0750 gid=3
            tabs        mode=0700 \\
                        uid=8
            ..
        ..
        empty           mode=0555 flags=schg
        ..
    ..
..
";
        // The last line leaves the top itself, as in FreeBSD's files.
        let expected =
            ["/ 0:0", "/bin 0:0", "/var 0:0", "/var/cron 0:3", "/var/cron/tabs 8:0", "/var/empty 0:0"];
        let without_last = manifest.trim_end_matches("..\n");
        for text in [manifest, without_last] {
            assert_eq!(paths(text), Ok(expected.map(str::to_owned).to_vec()));
        }
    }

    #[test]
    fn resolves_full_and_relative_paths() {
        let manifest = "d type=dir uid=1\nf uid=2\n./top/./x uid=3\na/b uid=4\n..\ng\n";
        assert_eq!(
            paths(manifest),
            Ok(["/d 1:-", "/d/f 2:-", "/top/x 3:-", "/a/b 4:-", "/g -:-"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn applies_set_and_unset() {
        let manifest = "/set uid=1 gid=1\na\n/unset uid\nb\n/set uid=2\nc gid=3\n/unset all\nd\n";
        assert_eq!(paths(manifest), Ok(["/a 1:1", "/b -:1", "/c 2:3", "/d -:-"].map(str::to_owned).to_vec()));
    }

    #[test]
    fn refuses_invalid_lines() {
        for (manifest, expected) in [
            ("a\n\nb uid=x\n", "line 3: \"uid=x\" is not a valid value of that keyword"),
            ("a uid\n", "line 1: keyword uid has no value"),
            ("a colour=red\n", "line 1: \"colour\" is not a keyword of mtree(5)"),
            ("a red\n", "line 1: \"red\" is not a keyword of mtree(5)"),
            ("/sit uid=1\n", "line 1: \"/sit\" is neither /set nor /unset"),
            ("/unset colour\n", "line 1: \"colour\" is not a keyword of mtree(5)"),
            ("..\n", "line 1: \"..\" leads above the top"),
            (". type=dir\n..\n..\n", "line 3: \"..\" leads above the top"),
            ("a type=dir\n.\n", "line 2: \".\" is valid only at the top"),
            ("a/../b\n", "line 1: \"..\" is within a path"),
            ("a\\000b\n", "line 1: name \"a\\x00b\" contains '/' or NUL"),
            ("a\\057b\n", "line 1: name \"a/b\" contains '/' or NUL"),
            ("a\\q\n", "line 1: \"a\\\\q\" has an invalid backslash escape"),
            ("a mode=9\n", "line 1: \"mode=9\" is not a valid value of that keyword"),
            ("a type=door\n", "line 1: \"type=door\" is not a valid value of that keyword"),
            ("a size=big\n", "line 1: \"size=big\" is not a valid value of that keyword"),
            ("a sha256=xyz\n", "line 1: \"sha256=xyz\" is not a valid value of that keyword"),
            ("a time=1.\n", "line 1: \"time=1.\" is not a valid value of that keyword"),
            ("a uid=4294967296\n", "line 1: \"uid=4294967296\" is not a valid value of that keyword"),
            ("a \\\nuid=x\n", "line 1: \"uid=x\" is not a valid value of that keyword"),
        ] {
            assert_eq!(paths(manifest), Err(expected.to_owned()), "{manifest:?}");
        }
    }

    #[test]
    fn parses_the_output_of_bsdtar() {
        let manifest = "#mtree\n/set type=file uname=root uid=0 gname=root gid=0 mode=755\n\
            .               time=1795351519.573142567 inode=10256380 \\\n                resdevice=native,254,0 type=dir\n\
            ./a\\040b/x\\043y\\012\\134\\075\\303\\251 \\\n                mode=644 size=0 cksum=4294967295 \\\n\
            \x20               md5digest=d41d8cd98f00b204e9800998ecf8427e\n";
        assert_eq!(paths(manifest), Ok(vec!["/ 0:0".to_owned(), "/a b/x#y\n\\=é 0:0".to_owned()]));
    }
}
