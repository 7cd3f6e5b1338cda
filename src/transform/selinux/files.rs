//! The location of file_contexts: on the host, or in the tree itself.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use image_tree::{Content, Kind, Tree};

use super::labels::Labels;
use super::substitutions::Substitutions;
use crate::bounded;
use crate::error::{Error, ErrorKind, Result};
use image_tree::resolve::resolve_in_root;

/// The source of file_contexts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileContexts {
    /// The policy named by `/etc/selinux/config` of the tree.
    Auto,
    /// A file of the host, and those of `.homedirs`, `.local`, `.subs` and `.subs_dist` beside it
    /// that exist.
    File(PathBuf),
}

/// The maximum length of a file in bytes. No policy has nearly as much text.
const MAX_LEN: u64 = 64 << 20;

/// The magic number of compiled file_contexts, in the byte order of the machine that compiled them.
const COMPILED: [[u8; 4]; 2] = [[0x8a, 0xff, 0x7c, 0xf9], [0xf9, 0x7c, 0xff, 0x8a]];

/// The default of libselinux if the configuration does not name a policy.
const DEFAULT_TYPE: &str = "targeted";

/// Reads the files that `contexts` names.
pub(super) fn read<C: Content>(contexts: &FileContexts, tree: &Tree<C>) -> Result<Labels> {
    match contexts {
        FileContexts::File(path) => labels(|suffix| {
            let path = with_suffix(path, suffix);
            let text = read_host(&path)?;
            Ok((path, text))
        }),
        FileContexts::Auto => {
            let path = format!("/etc/selinux/{}/contexts/files/file_contexts", policy_type(tree)?);
            labels(|suffix| {
                let path = format!("{path}{suffix}");
                Ok((in_tree(&path), read_tree(tree, &path)?))
            })
        }
    }
}

/// Reads the related files, each by the suffix of its name.
fn labels(mut read: impl FnMut(&str) -> Result<(PathBuf, Option<Vec<u8>>)>) -> Result<Labels> {
    let mut labels = Labels::default();
    let (name, text) = read("")?;
    let Some(text) = text else {
        return Err(Error::at(ErrorKind::BadInput, name, "does not exist; --file-contexts reads it"));
    };
    let mut files = vec![(name, text)];
    for suffix in [".homedirs", ".local"] {
        let (name, text) = read(suffix)?;
        files.extend(text.map(|text| (name, text)));
    }
    for (name, text) in files {
        if COMPILED.iter().any(|magic| text.starts_with(magic)) {
            let what = "is compiled file_contexts; give the text it was compiled from";
            return Err(Error::at(ErrorKind::BadInput, name, what));
        }
        labels.specs.add(&name, &text)?;
    }
    let mut substitutions = |suffix| -> Result<Substitutions> {
        let (name, text) = read(suffix)?;
        Substitutions::parse(&text.unwrap_or_default())
            .map_err(|why| Error::at(ErrorKind::BadInput, name, why))
    };
    labels.local = substitutions(".subs")?;
    labels.distribution = substitutions(".subs_dist")?;
    Ok(labels)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn read_host(path: &Path) -> Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(path, error)),
    };
    bounded::read_file(file, path, MAX_LEN).map(Some)
}

/// Returns the name of a tree's file in messages.
fn in_tree(path: &str) -> PathBuf {
    format!("{path} in the tree").into()
}

fn read_tree<C: Content>(tree: &Tree<C>, path: &str) -> Result<Option<Vec<u8>>> {
    let Some(id) = resolve_in_root(tree, path.as_bytes()) else { return Ok(None) };
    let Kind::Regular(content) = &tree.get(id).kind else {
        return Err(Error::at(ErrorKind::BadInput, in_tree(path), "is not a regular file"));
    };
    bounded::read_content(content, MAX_LEN, format_args!("{path} in the tree")).map(Some)
}

/// Returns `SELINUXTYPE` of the tree's configuration, read as libselinux does.
fn policy_type<C: Content>(tree: &Tree<C>) -> Result<String> {
    const CONFIG: &str = "/etc/selinux/config";
    let Some(text) = read_tree(tree, CONFIG)? else {
        let what = "does not exist, so the tree has no SELinux policy; --file-contexts auto looks for one, \
                    --file-contexts FILE takes another";
        return Err(Error::at(ErrorKind::BadInput, in_tree(CONFIG), what));
    };
    let mut name = DEFAULT_TYPE.to_owned();
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii_start();
        let Some(value) = line.strip_prefix(b"SELINUXTYPE=") else { continue };
        let value = String::from_utf8_lossy(value);
        let value = value.trim_end_matches(|c: char| c.is_ascii_whitespace() || c.is_ascii_control());
        // A value with a path would leave the directory of policies.
        if value.is_empty() || value.contains('/') || value == ".." || !value.is_ascii() {
            let what = format!("line {number}: SELINUXTYPE={} names no policy", value.escape_debug());
            return Err(Error::at(ErrorKind::BadInput, in_tree(CONFIG), what));
        }
        name = value.to_owned();
    }
    Ok(name)
}
