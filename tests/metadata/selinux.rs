//! SELinux labels, judged by libselinux's own programs with a real policy.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::judges;
use crate::oracle::Volume;
use crate::oracle::kernel::{Access, Mount};
use crate::product::{Scratch, image, rootcast, rootcast_as_root, run};

const LABEL: &str = "security.selinux";

/// The digits of file types in a dump's mode, and their names for matchpathcon.
const TYPES: [(&str, &str); 7] = [
    ("010", "pipe"),
    ("020", "char"),
    ("040", "dir"),
    ("060", "block"),
    ("100", "file"),
    ("120", "link"),
    ("140", "socket"),
];

/// One name of a tree as printed by `rootcast tree`: its escaped path, the type in its mode, and
/// its label.
struct Row {
    path: Vec<u8>,
    file_type: String,
    label: Option<String>,
}

fn rows(dump: &str) -> Vec<Row> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(' ').collect();
        let mode = fields[2];
        let label = fields.iter().skip(11).find_map(|field| field.strip_prefix("security.selinux="));
        Row {
            path: unescape(fields[0]),
            file_type: format!("{:0>6}", mode.trim_start_matches('@'))[..3].to_owned(),
            label: label.map(|label| label.strip_suffix("\\x00").expect("a label ends with NUL").to_owned()),
        }
    };
    dump.lines().filter(|line| !line.split(' ').nth(2).unwrap().starts_with('@')).map(row).collect()
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (byte, used) = match behind[0] {
            b'x' => (u8::from_str_radix(std::str::from_utf8(&behind[1..3]).unwrap(), 16).unwrap(), 3),
            b'n' => (b'\n', 1),
            b't' => (b'\t', 1),
            b'r' => (b'\r', 1),
            other => (other, 1),
        };
        bytes.push(byte);
        rest = &behind[used..];
    }
    bytes
}

/// Returns the result of matchpathcon for each row, in order.
fn judge(file_contexts: &Path, rows: &[Row]) -> Option<Vec<String>> {
    let mut verdicts = BTreeMap::new();
    for (bits, name) in TYPES {
        let of_type: Vec<&Row> = rows.iter().filter(|row| row.file_type == bits).collect();
        for chunk in of_type.chunks(4000) {
            let mut command = judges::command("matchpathcon")?;
            command.arg("-n").arg("-m").arg(name).arg("-f").arg(file_contexts);
            command.args(chunk.iter().map(|row| std::ffi::OsStr::from_bytes(&row.path)));
            let outcome = run(&mut command);
            let text = outcome.text();
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), chunk.len(), "{outcome}");
            verdicts
                .extend(chunk.iter().map(|row| row.path.clone()).zip(lines.into_iter().map(str::to_owned)));
        }
    }
    Some(rows.iter().map(|row| verdicts[&row.path].clone()).collect())
}

/// The maximum number of labels to compare; of more, an even sample is taken: matchpathcon takes
/// half a millisecond each.
const MOST: usize = 30_000;

/// Returns the labels that a file_contexts and its file_contexts.homedirs give to paths without a
/// pattern.
fn literal_labels(file_contexts: &Path) -> BTreeMap<Vec<u8>, BTreeSet<String>> {
    let mut homedirs = file_contexts.as_os_str().to_owned();
    homedirs.push(".homedirs");
    let mut labels: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for file in [file_contexts, Path::new(&homedirs)] {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        for line in text.lines().filter(|line| line.starts_with('/')) {
            let mut words = line.split_whitespace();
            let (pattern, label) = (words.next().unwrap().replace("\\.", "\0"), words.next_back().unwrap());
            if !pattern.contains(['^', '$', '?', '*', '+', '|', '[', '(', '{', '.', '\\']) {
                labels.entry(pattern.replace('\0', ".").into_bytes()).or_default().insert(label.to_owned());
            }
        }
    }
    labels
}

/// Labels the files of `source` and compares the labels with libselinux's. Returns the number of
/// labels compared.
fn compare(source: &Path, file_contexts: &Path) -> Option<usize> {
    let outcome = run(rootcast_as_root().arg("tree").arg(source).arg("--file-contexts").arg(file_contexts));
    let rows = rows(&outcome.success().unwrap_or_else(|why| panic!("{why}")).text());
    let step = rows.len().div_ceil(MOST);
    let rows: Vec<Row> = rows.into_iter().step_by(step.max(1)).collect();
    let verdicts = judge(file_contexts, &rows)?;
    let literal = literal_labels(file_contexts);
    // If two specify the same path, the result depends on libselinux: 3.4 takes the last, as
    // rootcast does, and 3.8 the first.
    let is_open = |row: &Row, verdict: &str| {
        let of_path = literal.get(&row.path);
        of_path.is_some_and(|labels| {
            labels.contains(verdict) && row.label.as_ref().is_some_and(|label| labels.contains(label))
        })
    };
    let wrong: Vec<String> = rows
        .iter()
        .zip(&verdicts)
        .filter(|(row, verdict)| !is_open(row, verdict))
        .filter(|(row, verdict)| row.label.as_deref().unwrap_or("<<none>>") != verdict.as_str())
        .map(|(row, verdict)| {
            format!("{} {}: {:?}, not {verdict}", row.path.escape_ascii(), row.file_type, row.label)
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} labels:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    Some(rows.len())
}

/// Writes the paths of a directory of the host, which need not be readable to be labelled, as lines
/// of a dump.
fn paths_of(directory: &Path, lines: &mut String) {
    use std::fmt::Write as _;
    let Ok(entries) = fs::read_dir(directory) else { return };
    let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        let text = path.as_os_str().as_bytes();
        if !text.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'=')) {
            continue;
        }
        let text = path.display();
        if kind.is_dir() {
            writeln!(lines, "{text} 0 40755 2 0 0 0 0.0 - - -").unwrap();
            paths_of(&path, lines);
        } else if kind.is_symlink() {
            writeln!(lines, "{text} 1 120777 1 0 0 0 0.0 x - -").unwrap();
        } else {
            writeln!(lines, "{text} 0 100644 1 0 0 0 0.0 - - -").unwrap();
        }
    }
}

#[test]
fn every_path_of_a_system_is_labelled_as_by_libselinux() {
    let Some(policy) = judges::selinux_policy() else { return };
    let scratch = Scratch::new();
    let mut dump = String::from("/ 0 40755 2 0 0 0 0.0 - - -\n");
    for directory in ["/bin", "/boot", "/etc", "/lib", "/lib64", "/root", "/sbin", "/usr", "/var"] {
        let Ok(metadata) = fs::symlink_metadata(directory) else { continue };
        if metadata.is_dir() {
            dump += &format!("{directory} 0 40755 2 0 0 0 0.0 - - -\n");
            paths_of(Path::new(directory), &mut dump);
        } else {
            dump += &format!("{directory} 1 120777 1 0 0 0 0.0 x - -\n");
        }
    }
    let source = scratch.file("system.dump", dump);
    let Some(count) = compare(&source, &policy) else { return };
    assert!(count > 1000, "only {count} labels were compared");
}

/// Tests paths for the policy's own patterns, of every type: more than any one machine has.
#[test]
fn every_pattern_of_a_policy_labels_as_matchpathcon() {
    let Some(policy) = judges::selinux_policy() else { return };
    let mut files = vec![policy.clone()];
    files.push(PathBuf::from(format!("{}.homedirs", policy.display())));
    let text: String = files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
    let mut paths: Vec<String> =
        text.lines().filter_map(|line| example(line.split_whitespace().next()?)).collect();
    let own: Vec<String> = paths.iter().map(|path| format!("{path}x")).collect();
    paths.extend(own);
    paths.sort();
    paths.dedup();
    let mut checked = 0;
    for (bits, _) in TYPES {
        let scratch = Scratch::new();
        let source = scratch.file("policy.dump", dump_of(&paths, bits));
        let Some(count) = compare(&source, &policy) else { return };
        checked += count;
    }
    assert!(checked > 20_000, "only {checked} labels were compared");
}

/// Returns a path that a pattern is likely to match: the first branch of every alternative.
fn example(pattern: &str) -> Option<String> {
    let replaced = pattern
        .replace("(/.*)?", "/some/file")
        .replace("[^/]+", "name")
        .replace("[^/]*", "name")
        .replace(".*", "any")
        .replace(".+", "any")
        .replace("\\.", ".")
        .replace("\\+", "+");
    let plain: String = replaced.chars().filter(|c| !"?*\\()[]^$".contains(*c)).collect();
    let path = plain.split('|').next().unwrap_or_default().trim_end_matches('/').to_owned();
    let ok = path.starts_with('/')
        && !path.contains("//")
        && path.split('/').skip(1).all(|name| !name.is_empty() && name != "." && name != "..")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=');
    ok.then_some(path)
}

/// Returns a dump of these paths as files of one type, without those that are directories of
/// others.
fn dump_of(paths: &[String], bits: &str) -> String {
    use std::collections::BTreeSet;
    let mut directories = BTreeSet::new();
    for path in paths {
        let mut end = 0;
        while let Some(next) = path[end + 1..].find('/') {
            end += 1 + next;
            directories.insert(path[..end].to_owned());
        }
    }
    let all: BTreeSet<String> = directories.iter().cloned().chain(paths.iter().cloned()).collect();
    let mut dump = String::from("/ 0 40755 2 0 0 0 0.0 - - -\n");
    for path in all {
        dump += &match (directories.contains(&path), bits) {
            (true, _) | (_, "040") => format!("{path} 0 40755 2 0 0 0 0.0 - - -\n"),
            (_, "120") => format!("{path} 1 120777 1 0 0 0 0.0 x - -\n"),
            (_, bits) => format!("{path} 0 {}644 1 0 0 0 0.0 - - -\n", bits.trim_start_matches('0')),
        };
    }
    dump
}

/// setfiles labels a directory as root; rootcast casts the same directory as an ordinary user, and
/// the kernel reads it.
#[test]
fn a_mounted_image_has_the_labels_that_setfiles_gives() {
    let Some(policy) = judges::selinux_policy() else { return };
    if !judges::may_mount() {
        return;
    }
    let Some(mut setfiles) = judges::command("setfiles") else { return };
    let scratch = Scratch::new();
    let source = scratch.join("root");
    for directory in ["etc", "usr/bin", "var/log", "tmp", "home/user", "lost+found", "lib64"] {
        fs::create_dir_all(source.join(directory)).unwrap();
    }
    for file in [
        "etc/shadow",
        "etc/hostname",
        "usr/bin/passwd",
        "usr/bin/other",
        "var/log/wtmp",
        "tmp/x",
        "lib64/a.so",
    ] {
        fs::write(source.join(file), file).unwrap();
    }
    std::os::unix::fs::symlink("passwd", source.join("usr/bin/link")).unwrap();
    fs::hard_link(source.join("usr/bin/other"), source.join("usr/bin/another")).unwrap();
    let disk = scratch.join("root.ext4");
    let arguments = ["--layout", "bare", "--file-contexts"].map(PathBuf::from);
    image(&source, &disk, &[arguments.as_slice(), std::slice::from_ref(&policy)].concat());

    run(setfiles.arg("-r").arg(&source).arg(&policy).arg(&source))
        .success()
        .unwrap_or_else(|why| panic!("{why}"));
    let expected = labels_below(&source);
    let mount = Mount::new(&Volume::new(&disk, None), Access::ReadOnly).unwrap_or_else(|why| panic!("{why}"));
    let Some(mount) = mount else { return };
    assert_eq!(labels_below(mount.path()), expected);
    let label =
        |path: &str| expected.get(Path::new(path)).map(|label| String::from_utf8_lossy(label).into_owned());
    assert_eq!(label("usr/bin/passwd").as_deref(), Some("system_u:object_r:passwd_exec_t:s0\0"));
    assert_eq!(label("tmp/x"), None);
}

/// Returns the label of every file that has one.
fn labels_below(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut labels = BTreeMap::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(path) = pending.pop() {
        let here = root.join(&path);
        let mut value = vec![0; 256];
        if let Ok(len) = rustix::fs::lgetxattr(&here, LABEL, &mut value[..]) {
            value.truncate(len);
            labels.insert(path.clone(), value);
        }
        if fs::symlink_metadata(&here).unwrap().is_dir() {
            pending.extend(fs::read_dir(&here).unwrap().map(|entry| path.join(entry.unwrap().file_name())));
        }
    }
    labels
}

#[test]
fn the_policy_in_the_tree_labels_it() {
    let scratch = Scratch::new();
    let source = scratch.join("root");
    let files = source.join("etc/selinux/mini/contexts/files");
    fs::create_dir_all(&files).unwrap();
    fs::write(source.join("etc/selinux/config"), "SELINUX=enforcing\nSELINUXTYPE=mini\n").unwrap();
    fs::write(files.join("file_contexts"), "/.* u:r:any:s0\n/etc(/.*)? -d u:r:etc:s0\n").unwrap();
    fs::write(files.join("file_contexts.local"), "/etc/selinux/config u:r:config:s0\n").unwrap();
    let outcome = run(rootcast().arg("tree").arg(&source).args(["--file-contexts", "auto"]));
    let rows = rows(&outcome.success().unwrap_or_else(|why| panic!("{why}")).text());
    let label = |path: &str| {
        rows.iter()
            .find(|row| row.path == path.as_bytes())
            .and_then(|row| row.label.clone())
            .unwrap_or_default()
    };
    assert_eq!(label("/"), "u:r:any:s0");
    assert_eq!(label("/etc/selinux"), "u:r:etc:s0");
    assert_eq!(label("/etc/selinux/config"), "u:r:config:s0");
    assert_eq!(label("/etc/selinux/mini/contexts/files/file_contexts"), "u:r:any:s0");
}
