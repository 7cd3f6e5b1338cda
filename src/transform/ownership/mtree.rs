//! Owners and modes from a manifest, mtree(5).

mod parse;
mod vis;

use image_tree::{Content, InodeId, Kind, Tree};

use crate::accounts::Accounts;
use crate::error::{Error, ErrorKind, Result};

pub use parse::{Entry, Settings, parse, type_word};

/// Sets the owner and the mode of every file that the manifest names.
///
/// The keywords `uid`, `gid`, `uname`, `gname` and `mode` are applied; `type` and `link` must match
/// the tree. A name is that of the tree's own `/etc/passwd` or `/etc/group`, and is looked up only
/// if its line or `/set` does not contain a number. The last line for any name of a file takes
/// precedence. A path that is not in the tree is an error unless it is `optional`; files with
/// `nochange` and files that the manifest does not name are unchanged.
///
/// # Errors
/// The first line that is invalid or does not fit the tree.
pub fn apply<C: Content>(manifest: &[u8], tree: &mut Tree<C>) -> Result<()> {
    let accounts = Accounts::of(tree)?;
    parse(manifest, |entry| {
        apply_entry(entry, tree, &accounts).map_err(|why| format!("/{}: {why}", entry.path.escape_ascii()))
    })
    .map_err(|message| Error::new(ErrorKind::BadInput, message))
}

fn apply_entry<C>(entry: &Entry<'_>, tree: &mut Tree<C>, accounts: &Accounts) -> Result<(), String> {
    let settings = &entry.settings;
    let Some(id) = tree.resolve_no_symlinks(entry.path) else {
        return if settings.optional { Ok(()) } else { Err("is not in the tree".to_owned()) };
    };
    check_kind(tree, id, settings)?;
    if settings.nochange {
        return Ok(());
    }
    let uid = match (&settings.uid, &settings.uname) {
        (Some(uid), _) => Some(*uid),
        (None, Some(name)) => Some(accounts.uid(name)?),
        (None, None) => None,
    };
    let gid = match (&settings.gid, &settings.gname) {
        (Some(gid), _) => Some(*gid),
        (None, Some(name)) => Some(accounts.gid(name)?),
        (None, None) => None,
    };
    let is_directory = tree.entries(id).is_some();
    let is_link = matches!(tree.get(id).kind, Kind::Symlink(_));
    let metadata = tree.metadata_mut(id);
    metadata.uid = uid.unwrap_or(metadata.uid);
    metadata.gid = gid.unwrap_or(metadata.gid);
    // Linux does not support modes of symbolic links.
    if let Some(mode) = settings.mode.as_ref().filter(|_| !is_link) {
        metadata.chmod(mode.apply(metadata.mode, is_directory));
    }
    Ok(())
}

fn check_kind<C>(tree: &Tree<C>, id: InodeId, settings: &Settings) -> Result<(), String> {
    let kind = &tree.get(id).kind;
    if let Some(stated) = settings.kind {
        let actual = kind.file_type();
        if actual != stated {
            return Err(format!(
                "type={} is stated, and in the tree it is {}",
                type_word(stated),
                type_word(actual)
            ));
        }
    }
    match (&settings.link, kind) {
        (Some(stated), Kind::Symlink(target)) if target.as_bytes() != &stated[..] => {
            Err(format!("link={} is stated, and in the tree it leads to {target}", stated.escape_ascii()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use image_tree::dump;

    use super::*;

    const TREE: &str = "\
/ 0 40755 4 1000 1000 0 0.0 - - -
/dir 0 40755 2 1000 1000 0 0.0 - - -
/dir/file 0 100644 1 1000 1000 0 0.0 - - -
/etc 0 40755 2 1000 1000 0 0.0 - - -
/etc/group 13 100644 1 1000 1000 0 0.0 - staff:x:50:a\\n -
/etc/passwd 15 100644 1 1000 1000 0 0.0 - www:x:33:34:::\\n -
/link 8 120777 1 1000 1000 0 0.0 dir/file - -
/other 0 100644 1 1000 1000 0 0.0 - - -
/sp\\x20ace 0 100644 1 1000 1000 0 0.0 - - -
";

    /// Returns PATH MODE UID GID of changed files.
    fn changes(manifest: &str) -> std::result::Result<Vec<String>, String> {
        let body = |file: &dump::RegularFile<'_>| match &file.body {
            dump::Body::Inline(bytes) => Ok::<_, std::io::Error>(bytes.to_vec()),
            _ => Ok(Vec::new()),
        };
        let mut tree = dump::parse(TREE.as_bytes(), |file| body(&file)).expect("a dump");
        apply(manifest.as_bytes(), &mut tree).map_err(|error| error.to_string())?;
        let mut text = Vec::new();
        dump::write(&tree, &mut text, |_, bytes| Ok(dump::Body::Inline(bytes.into()))).expect("memory");
        let text = String::from_utf8(text).expect("ASCII");
        let changed = text.lines().zip(TREE.lines()).filter(|(now, before)| now != before);
        let columns = |line: &str| {
            let fields: Vec<_> = line.split(' ').collect();
            [fields[0], fields[2], fields[4], fields[5]].join(" ")
        };
        Ok(changed.map(|(now, _)| columns(now)).collect())
    }

    #[test]
    fn applies_owners_and_modes_of_named_files_only() {
        let manifest = "#mtree\n/set type=file uid=0 gid=0 mode=0644\n. type=dir mode=0755\n    dir type=dir mode=0750 uname=www\n\
                        file gname=staff mode=u+s\n    ..\n    sp\\040ace uid=7\n..\n";
        let expected = ["/ 40755 0 0", "/dir 40750 33 0", "/dir/file 104644 0 50", "/sp\\x20ace 100644 7 0"];
        assert_eq!(changes(manifest).expect("it fits"), expected);
    }

    #[test]
    fn numbers_take_precedence_over_names() {
        assert_eq!(changes("./other uname=nobody-here uid=5\n"), Ok(vec!["/other 100644 5 1000".to_owned()]));
        // The name on the line takes precedence over the number of /set.
        let manifest = "/set uid=0\n./other uname=www\n";
        assert_eq!(changes(manifest), Ok(vec!["/other 100644 33 1000".to_owned()]));
    }

    #[test]
    fn symlinks_get_owners_but_no_modes() {
        let manifest = "./link type=link link=dir/file uid=3 mode=755\n";
        assert_eq!(changes(manifest), Ok(vec!["/link 120777 3 1000".to_owned()]));
    }

    #[test]
    fn honors_optional_and_nochange() {
        assert_eq!(changes("./none optional uid=0\n./other nochange uid=0\n"), Ok(Vec::new()));
    }

    #[test]
    fn refuses_lines_that_contradict_the_tree() {
        for (manifest, expected) in [
            ("./none uid=0\n", "line 1: /none: is not in the tree"),
            ("\n./dir type=file\n", "line 2: /dir: type=file is stated, and in the tree it is dir"),
            (
                "./link type=link link=else\n",
                "line 1: /link: link=else is stated, and in the tree it leads to dir/file",
            ),
            (
                "./other uname=who\n",
                "line 1: /other: the tree's /etc/passwd has no user \"who\"; give its number instead",
            ),
            // Links are not followed.
            ("./link/x uid=0\n", "line 1: /link/x: is not in the tree"),
        ] {
            assert_eq!(changes(manifest), Err(expected.to_owned()));
        }
    }
}
