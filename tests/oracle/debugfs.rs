//! debugfs: every inode's fields, and every file's bytes by its `rdump`.
//!
//! Directories are listed by inode number, so that names need no escaping on a command line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::expected::{Content, Expected, File, Kind, Sees, Time, join, show};
use super::walk::{self, LinkCounts};
use super::{Verdict, Volume};
use crate::judges;
use crate::product::{self, Outcome, run};

/// Checks that debugfs finds the expected files.
pub(crate) fn check(volume: &Volume, expected: &Expected) -> Verdict {
    let Some((found, link_counts)) = read(volume)? else { return Ok(()) };
    expected.compare(&found, Sees::EVERYTHING)?;
    found.check_link_counts(&link_counts)
}

/// Returns the bytes of one file, or `None` after a visible skip.
pub(crate) fn cat(volume: &Volume, path: &str) -> Result<Option<Vec<u8>>, String> {
    Ok(ask(volume, &format!("cat {path}"))?.map(|outcome| outcome.stdout))
}

/// Returns the output of one request, or `None` after a visible skip.
pub(crate) fn request(volume: &Volume, request: &str) -> Result<Option<String>, String> {
    Ok(ask(volume, request)?.map(|outcome| outcome.text()))
}

fn ask(volume: &Volume, request: &str) -> Result<Option<Outcome>, String> {
    let Some(mut debugfs) = judges::command("debugfs") else { return Ok(None) };
    run(debugfs.args(["-R", request]).arg(volume.e2fs_name())).success().map(Some)
}

/// Changes the filesystem by commands, or returns `None` after a visible skip.
pub(crate) fn change(volume: &Volume, commands: &[String]) -> Result<Option<()>, String> {
    if !is_here() {
        return Ok(None);
    }
    let scratch = tempfile::tempdir_in(product::memory()).map_err(|error| error.to_string())?;
    batch_with(volume, scratch.path(), commands, &["-w"])?;
    Ok(Some(()))
}

/// Sets the times of files to 0, or returns `None` after a visible skip.
pub(crate) fn reset_times(volume: &Volume, paths: &[Vec<u8>]) -> Result<Option<()>, String> {
    if !is_here() {
        return Ok(None);
    }
    let scratch = tempfile::tempdir_in(product::memory()).map_err(|error| error.to_string())?;
    let inodes = list(volume, scratch.path())?;
    let mut commands = Vec::new();
    for path in paths {
        let Some(inode) = inodes.get(path) else { return Err(format!("{}: missing", show(path))) };
        for time in ["mtime", "atime", "ctime", "crtime"] {
            commands.push(format!("set_inode_field <{inode}> {time} @0"));
            commands.push(format!("set_inode_field <{inode}> {time}_extra 0"));
        }
    }
    change(volume, &commands)
}

/// Returns true if debugfs is installed, `false` after a visible skip.
fn is_here() -> bool {
    judges::command("debugfs").is_some()
}

/// The inode number of the root directory.
const ROOT: u64 = 2;

/// Reads everything in the filesystem with its link counts, or returns `None` after a visible skip.
fn read(volume: &Volume) -> Result<Option<(Expected, LinkCounts)>, String> {
    if !is_here() {
        return Ok(None);
    }
    let scratch = tempfile::tempdir_in(product::memory()).map_err(|error| error.to_string())?;
    let inodes = list(volume, scratch.path())?;
    let stats = stat(volume, scratch.path(), &inodes)?;
    let dumped = scratch.path().join("dumped");
    fs::create_dir(&dumped).map_err(|error| error.to_string())?;
    rdump(volume, scratch.path(), &dumped, &inodes)?;

    let mut found = Expected::default();
    let mut link_counts = LinkCounts::new();
    for (path, inode) in &inodes {
        let stat = &stats[inode];
        let kind = stat.kind(&walk::host_path(&dumped, path));
        let kind = kind.map_err(|why| format!("{}: {why}", show(path)))?;
        link_counts.insert(path.clone(), stat.links);
        found.files.insert(path.clone(), File { kind, ..stat.file.clone() });
    }
    found.link(&inodes);
    Ok(Some((found, link_counts)))
}

/// Returns every path and its inode number.
fn list(volume: &Volume, scratch: &Path) -> Result<BTreeMap<Vec<u8>, u64>, String> {
    let mut inodes = BTreeMap::from([(b"/".to_vec(), ROOT)]);
    let mut level = vec![(b"/".to_vec(), ROOT)];
    while !level.is_empty() {
        let commands: Vec<String> = level.iter().map(|(_, inode)| format!("ls -p <{inode}>")).collect();
        let listings = batch(volume, scratch, &commands)?;
        let mut below = Vec::new();
        for ((directory, _), listing) in level.iter().zip(listings) {
            for (name, inode, mode) in entries(&listing)? {
                let path = join(directory, &name);
                if mode & 0o170_000 == 0o040_000 {
                    below.push((path.clone(), inode));
                }
                if inodes.insert(path.clone(), inode).is_some() {
                    return Err(format!("{}: the name is there twice", show(&path)));
                }
            }
        }
        level = below;
    }
    Ok(inodes)
}

/// Parses lines of `ls -p`: `/INODE/MODE/UID/GID/NAME/SIZE/`. A name may contain any byte but a
/// slash, even a newline.
fn entries(listing: &[u8]) -> Result<Vec<(Vec<u8>, u64, u32)>, String> {
    let malformed = || format!("not a listing: {}", show(listing));
    let mut fields = listing.split(|byte| *byte == b'/');
    let mut entries = Vec::new();
    while fields.next().is_some_and(|end_of_line| end_of_line == b"\n" || entries.is_empty()) {
        let Some(inode) = fields.next() else { break };
        let text = |field: Option<&[u8]>| field.and_then(|field| String::from_utf8(field.to_vec()).ok());
        let inode = text(Some(inode)).and_then(|field| field.parse().ok()).ok_or_else(malformed)?;
        let mode = text(fields.next()).and_then(|field| u32::from_str_radix(&field, 8).ok());
        let mode = mode.ok_or_else(malformed)?;
        let (_uid, _gid) = (fields.next(), fields.next());
        let name = fields.next().ok_or_else(malformed)?;
        let _size = fields.next();
        entries.push((name.to_vec(), inode, mode));
    }
    entries.retain(|(name, inode, _)| *inode != 0 && name != b"." && name != b"..");
    Ok(entries)
}

/// One inode as printed by `stat`. The kind of a regular file or a symlink still lacks its bytes.
#[derive(Debug)]
struct Stat {
    file: File,
    size: u64,
    links: u64,
}

impl Stat {
    /// Returns the kind with the bytes that `rdump` wrote.
    fn kind(&self, dumped: &Path) -> Result<Kind, String> {
        let read_error = |error: std::io::Error| format!("rdump left {}: {error}", dumped.display());
        match self.file.kind {
            Kind::Symlink(_) | Kind::Regular(_) => {
                let metadata = fs::symlink_metadata(dumped).map_err(read_error)?;
                if metadata.is_file() && metadata.permissions().mode() & 0o400 == 0 {
                    fs::set_permissions(dumped, fs::Permissions::from_mode(0o600)).map_err(read_error)?;
                }
                let kind = walk::kind(dumped, &metadata).map_err(read_error)?;
                let size = match &kind {
                    Kind::Regular(content) => content.len,
                    Kind::Symlink(target) => target.len() as u64,
                    _ => return Err(format!("rdump made it a {kind:?}")),
                };
                if size != self.size {
                    return Err(format!("its size is {}, rdump wrote {size} bytes", self.size));
                }
                Ok(kind)
            }
            ref other => Ok(other.clone()),
        }
    }
}

/// Returns every inode's fields by its number.
fn stat(
    volume: &Volume,
    scratch: &Path,
    inodes: &BTreeMap<Vec<u8>, u64>,
) -> Result<BTreeMap<u64, Stat>, String> {
    let mut numbers: Vec<u64> = inodes.values().copied().collect();
    numbers.sort_unstable();
    numbers.dedup();
    let commands: Vec<String> = numbers.iter().map(|inode| format!("stat <{inode}>")).collect();
    let printed = batch(volume, scratch, &commands)?;
    let mut stats = BTreeMap::new();
    let mut values = Vec::new();
    for (inode, printed) in numbers.iter().zip(&printed) {
        let text = String::from_utf8_lossy(printed);
        let stat = parse(&text).ok_or_else(|| format!("not what stat prints: {text}"))?;
        values.extend(xattr_names(&text).into_iter().map(|name| (*inode, name)));
        stats.insert(*inode, stat);
    }
    for ((inode, name), value) in values.iter().zip(read_xattrs(volume, scratch, &values)?) {
        let value = if name.starts_with("system.posix_acl_") { acl(&value)? } else { value };
        let stat = stats.get_mut(inode).expect("xattrs were found by stat");
        stat.file.xattrs.insert(name.clone().into_bytes(), value);
    }
    Ok(stats)
}

fn parse(text: &str) -> Option<Stat> {
    let after = |label: &str| text.split_once(label).map(|(_, rest)| rest.trim_start());
    let word = |label: &str| after(label)?.split_whitespace().next();
    let kind = match word("Type: ")? {
        "regular" => Kind::Regular(Content::of(b"")),
        "directory" => Kind::Directory,
        "symlink" => Kind::Symlink(Vec::new()),
        "FIFO" => Kind::Fifo,
        "socket" => Kind::Socket,
        special @ ("character" | "block") => {
            let (major, minor) = word("Device major/minor number:")?.split_once(':')?;
            let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
            if special == "block" {
                Kind::BlockDevice { major, minor }
            } else {
                Kind::CharacterDevice { major, minor }
            }
        }
        _ => return None,
    };
    let mode = u32::from_str_radix(word("Mode: ")?, 8).ok()?;
    let file = File {
        uid: owner(word("User: ")?)?,
        gid: owner(word("Group: ")?)?,
        mtime: Some(time(word("mtime: ")?)?),
        ..File::new(kind, mode)
    };
    // The other `Size:` are of the fragment and, without spaces, of the extra fields.
    let size = word("Size: ")?.parse().ok()?;
    Some(Stat { file, size, links: word("Links: ")?.parse().ok()? })
}

/// Parses an owner, which debugfs prints as a signed number.
fn owner(text: &str) -> Option<u32> {
    let number: i64 = text.parse().ok()?;
    u32::try_from(number).or_else(|_| i32::try_from(number).map(i32::cast_unsigned)).ok()
}

/// `0x6b02d5b1:00000000`: the low 32 bits of the seconds, signed; then nanoseconds above two more
/// bits of seconds.
fn time(text: &str) -> Option<Time> {
    let (seconds, extra) = text.strip_prefix("0x")?.split_once(':').unwrap_or((text.get(2..)?, "0"));
    let seconds = u32::from_str_radix(seconds, 16).ok()?.cast_signed();
    let extra = u32::from_str_radix(extra, 16).ok()?;
    Some(Time { seconds: i64::from(seconds) + (i64::from(extra & 3) << 32), nanoseconds: extra >> 2 })
}

/// Lines like `  user.name (3) = "abc"` between `Extended attributes:` and `Inode checksum:`.
fn xattr_names(text: &str) -> Vec<String> {
    text.lines()
        .skip_while(|line| *line != "Extended attributes:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| Some(line.trim_start().rsplit_once(" (")?.0.to_owned()))
        .map(|name| name.split(" (").next().unwrap_or_default().to_owned())
        .collect()
}

fn read_xattrs(volume: &Volume, scratch: &Path, xattrs: &[(u64, String)]) -> Result<Vec<Vec<u8>>, String> {
    let file = |index: usize| scratch.join(format!("xattr-{index}"));
    let commands: Vec<String> = (0..)
        .zip(xattrs)
        .map(|(index, (inode, name))| format!("ea_get -r -f {} <{inode}> {name}", file(index).display()))
        .collect();
    batch(volume, scratch, &commands)?;
    let read = |index| fs::read(file(index)).map_err(|error| format!("{:?}: {error}", xattrs[index]));
    (0..xattrs.len()).map(read).collect()
}

/// Returns an access control list as from `getxattr(2)`, from the form that ext4 stores: version 1
/// with short entries.
fn acl(stored: &[u8]) -> Result<Vec<u8>, String> {
    const USER: u16 = 2;
    const GROUP: u16 = 8;
    const NO_ID: u32 = u32::MAX;
    let malformed = || format!("not an access control list of ext4: {stored:?}");
    let mut entries = stored.strip_prefix(&1u32.to_le_bytes()).ok_or_else(malformed)?;
    let mut acl = 2u32.to_le_bytes().to_vec();
    while let Some((entry, rest)) = entries.split_first_chunk::<4>() {
        let tag = u16::from_le_bytes([entry[0], entry[1]]);
        let (id, rest) = if matches!(tag, USER | GROUP) {
            rest.split_first_chunk::<4>().ok_or_else(malformed)?
        } else {
            (&NO_ID.to_le_bytes(), rest)
        };
        acl.extend(entry);
        acl.extend(id);
        entries = rest;
    }
    if entries.is_empty() { Ok(acl) } else { Err(malformed()) }
}

/// Copies everything to a directory of the host.
fn rdump(volume: &Volume, scratch: &Path, dumped: &Path, inodes: &BTreeMap<Vec<u8>, u64>) -> Verdict {
    let command = format!("rdump / {}", dumped.display());
    let Some(mut outcome) = run_script(volume, scratch, &[command], &[])? else { return Ok(()) };
    let known: BTreeSet<String> = inodes
        .keys()
        .map(|path| String::from_utf8_lossy(path.strip_suffix(b"/").unwrap_or(path)).into())
        .collect();
    outcome.stderr = without_ownership(&outcome.stderr, dumped, &known);
    check_silent(&outcome)
}

/// Returns the messages of rdump except those on changing ownership, which an ordinary user may not
/// do and which are not a fault of the image. Names contain newlines, so a message is recognised by
/// the path it ends with.
fn without_ownership(said: &str, dumped: &Path, known: &BTreeSet<String>) -> String {
    let start = format!(" Operation not permitted while changing ownership of {}/", dumped.display());
    let mut kept = String::new();
    let mut rest = said;
    while !rest.is_empty() {
        let path =
            ["dump_file:", "rdump:"].iter().find_map(|who| rest.strip_prefix(who)?.strip_prefix(&start));
        let end = path.and_then(|path| {
            let mut ends = path.match_indices('\n').map(|(end, _)| end);
            ends.find(|end| known.contains(&path[..*end])).map(|end| &path[end + 1..])
        });
        rest = end.unwrap_or_else(|| {
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            kept.push_str(line);
            kept.push('\n');
            after
        });
    }
    kept
}

/// Runs commands in one process, and returns the output of each.
fn batch(volume: &Volume, scratch: &Path, commands: &[String]) -> Result<Vec<Vec<u8>>, String> {
    batch_with(volume, scratch, commands, &[])
}

fn batch_with(
    volume: &Volume,
    scratch: &Path,
    commands: &[String],
    arguments: &[&str],
) -> Result<Vec<Vec<u8>>, String> {
    let Some(outcome) = run_script(volume, scratch, commands, arguments)? else { return Ok(Vec::new()) };
    check_silent(&outcome)?;
    split_by_command(&outcome.stdout, commands)
}

/// Runs commands in one process, or returns `None` after a visible skip.
fn run_script(
    volume: &Volume,
    scratch: &Path,
    commands: &[String],
    arguments: &[&str],
) -> Result<Option<Outcome>, String> {
    let Some(mut debugfs) = judges::command("debugfs") else { return Ok(None) };
    let script = scratch.join("script");
    let text: String = commands.iter().flat_map(|command| [command.as_str(), "\n"]).collect();
    fs::write(&script, text).map_err(|error| error.to_string())?;
    run(debugfs.args(arguments).arg("-f").arg(&script).arg(volume.e2fs_name())).success().map(Some)
}

/// debugfs always exits with 0, and reports errors of its commands on standard error.
fn check_silent(outcome: &Outcome) -> Verdict {
    let mut lines = outcome.stderr.lines().filter(|line| !line.is_empty());
    match lines.find(|line| !line.starts_with("debugfs 1.")) {
        None => Ok(()),
        Some(line) => Err(format!("{line}\n{}", outcome.stderr)),
    }
}

/// debugfs prints each command of a script after its prompt.
fn split_by_command(printed: &[u8], commands: &[String]) -> Result<Vec<Vec<u8>>, String> {
    let find = |text: &[u8], what: &[u8]| text.windows(what.len()).position(|window| window == what);
    let mut rest = printed;
    let mut outputs = Vec::new();
    for (index, command) in commands.iter().enumerate() {
        let echo = format!("debugfs: {command}\n");
        rest =
            rest.strip_prefix(echo.as_bytes()).ok_or_else(|| format!("debugfs did not run “{command}”"))?;
        let end = match commands.get(index + 1) {
            Some(next) => {
                let next = format!("debugfs: {next}\n");
                find(rest, next.as_bytes()).ok_or_else(|| format!("debugfs stopped after “{command}”"))?
            }
            None => rest.len(),
        };
        outputs.push(rest[..end].to_vec());
        rest = &rest[end..];
    }
    Ok(outputs)
}

#[test]
fn only_messages_about_ownership_are_ignored() {
    let message = " Operation not permitted while changing ownership of /dumped/";
    let known = ["", "/a", "/line\nend"].map(str::to_owned).into();
    let said =
        format!("debugfs 1.47.0\nrdump:{message}/line\nend\ndump_file:{message}/a\nbad\nrdump:{message}\n");
    assert_eq!(without_ownership(&said, Path::new("/dumped"), &known), "debugfs 1.47.0\nbad\n");
    let unknown = format!("rdump:{message}/b\n");
    assert_eq!(without_ownership(&unknown, Path::new("/dumped"), &known), unknown);
}
