//! Edits made by programs.

use std::ffi::OsStr;
use std::path::Path;

use super::action::{Action, Edit};
use super::fields::checked_path;
use super::parse::EDIT_FLAGS;
use crate::error::{Error, ErrorKind, Result};
use crate::shown;

impl Edit {
    /// Returns the edit that writes a file: `mode` is that of the permissions, and root owns it.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a path that is empty or has a NUL.
    pub fn write(path: impl AsRef<Path>, contents: impl Into<Vec<u8>>, mode: u16) -> Result<Self> {
        let path = path.as_ref();
        let action = Action::Write { path: in_tree(path)?, mode: Some(mode & 0o7777), text: contents.into() };
        Ok(Self { text: format!("--write {}", shown::path(path)), action })
    }

    /// Returns the edit that copies a file or directory of the host, a link to one included, to a
    /// path of the tree. Root owns the copies.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn add(source: impl AsRef<Path>, path: impl AsRef<Path>) -> Result<Self> {
        let (source, path) = (source.as_ref(), path.as_ref());
        let action = Action::Add { source: source.to_owned(), path: in_tree(path)? };
        Ok(Self { text: format!("--add {}:{}", shown::path(source), shown::path(path)), action })
    }

    /// Returns the edit of a flag of the command line, such as `chmod`, with its text, such as
    /// `/bin/*:0755`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for an unknown flag, or a text that is not one of its form.
    pub fn parse(flag: &str, text: impl AsRef<OsStr>) -> Result<Self> {
        let usage =
            |what: String| Error::new(ErrorKind::Usage, format!("--{}: {what}", shown::name(flag.as_ref())));
        let known = EDIT_FLAGS.iter().find(|known| known.name == flag);
        let known = known.ok_or_else(|| usage("is not an edit".to_owned()))?;
        known.parse(text.as_ref()).map_err(usage)
    }
}

fn in_tree(path: &Path) -> Result<Vec<u8>> {
    checked_path(path.as_os_str().as_encoded_bytes().to_vec())
        .map_err(|what| Error::new(ErrorKind::Usage, format!("an edit {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_of_programs_are_those_of_flags() {
        let write = Edit::write("/etc/motd", "hi", 0o100_640).expect("a path");
        assert_eq!(write.action, Edit::parse("write", "/etc/motd:0640:hi").expect("an edit").action);
        let add = Edit::add("a:b", "/c").expect("a path");
        assert_eq!(add.action, Edit::parse("add", r"a\:b:/c").expect("an edit").action);
        for (flag, text) in [("none", "/x"), ("chmod", "/x"), ("mkdir", "")] {
            let error = Edit::parse(flag, text).expect_err(flag);
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().starts_with(&format!("--{flag}: ")), "{error}");
        }
        for path in ["", "/a\0"] {
            assert_eq!(Edit::write(path, "", 0).expect_err("no path").kind(), ErrorKind::Usage);
        }
    }
}
