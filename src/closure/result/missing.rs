//! The files that are needed and missing.

use std::fmt;

use image_tree::resolve::ResolveError;

use super::reason::Kind;

/// A needed file that the tree does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The name used by the file that needs it.
    pub name: Vec<u8>,
    /// The kind of the dependency.
    pub kind: Kind,
    /// The file that needs it, the file that caused that one to be loaded, and so on up to the
    /// program, by paths without symbolic links. Empty if it was requested.
    pub chain: Vec<Vec<u8>>,
    /// The cause of the failure.
    pub cause: Cause,
}

/// The cause of a missing file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A path does not resolve.
    Path(ResolveError),
    /// No directory has a file of the name.
    NotFound {
        /// The first directories that the dynamic linker would search, in its order.
        searched: Vec<Vec<u8>>,
        /// True if it would search more.
        searched_more: bool,
        /// Files of the name for another machine.
        foreign: Vec<Vec<u8>>,
    },
    /// A file of the name exists, but makes the dynamic linker fail.
    Unusable {
        /// Its path.
        path: Vec<u8>,
        /// The reason.
        why: String,
    },
    /// The tree has no dynamic linker for such a file.
    NoDynamicLinker,
    /// The program has a dynamic linker whose rules are not implemented.
    UnknownDynamicLinker,
    /// No file name matches the pattern.
    NoMatch,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name.escape_ascii())?;
        for by in &self.chain {
            write!(f, ", needed by {}", by.escape_ascii())?;
        }
        match &self.cause {
            Cause::Path(why) => write!(f, ": {why}"),
            Cause::NotFound { searched, searched_more, foreign } => {
                match (&searched[..], searched_more) {
                    ([], true) => write!(f, ": the dynamic linker does not find it")?,
                    ([], false) => write!(f, ": no directory is searched for it")?,
                    (_, more) => {
                        write!(f, ": it is not in any of ")?;
                        list(f, searched)?;
                        write!(f, "{}", if *more { " and more" } else { "" })?;
                    }
                }
                if !foreign.is_empty() {
                    write!(f, "; built for another machine: ")?;
                    list(f, foreign)?;
                }
                Ok(())
            }
            Cause::Unusable { path, why } if *path == self.name => write!(f, ": {why}"),
            Cause::Unusable { path, why } => write!(f, ": {}: {why}", path.escape_ascii()),
            Cause::NoDynamicLinker => write!(f, ": the tree has no dynamic linker for this machine"),
            Cause::UnknownDynamicLinker => {
                write!(
                    f,
                    ": the search rules of this dynamic linker are not known; name its libraries with --keep"
                )
            }
            Cause::NoMatch => write!(f, ": no file of the tree matches"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, paths: &[Vec<u8>]) -> fmt::Result {
    for (index, path) in paths.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        write!(f, "{comma}{}", path.escape_ascii())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_requesters_and_the_searched_directories() {
        let mut missing = Missing {
            name: b"libx.so.1".to_vec(),
            kind: Kind::Needed,
            chain: vec![b"/lib/liba.so".to_vec(), b"/bin/exe".to_vec()],
            cause: Cause::NotFound {
                searched: vec![b"/lib".to_vec()],
                searched_more: false,
                foreign: vec![b"/lib/libx.so.1".to_vec()],
            },
        };
        assert_eq!(
            missing.to_string(),
            "libx.so.1, needed by /lib/liba.so, needed by /bin/exe: it is not in any of /lib; built for another \
             machine: /lib/libx.so.1"
        );
        let searched = vec![b"/d".to_vec(), b"/e".to_vec()];
        missing.cause = Cause::NotFound { searched, searched_more: true, foreign: Vec::new() };
        assert!(missing.to_string().ends_with("it is not in any of /d, /e and more"));
        missing.cause = Cause::NotFound { searched: Vec::new(), searched_more: false, foreign: Vec::new() };
        assert!(missing.to_string().ends_with("/bin/exe: no directory is searched for it"));
    }
}
