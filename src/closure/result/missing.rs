//! The files that are needed and missing.

use std::fmt;

use image_tree::glob::{Glob, NameGlob};
use image_tree::path::base_name;

use super::reason::Kind;
use crate::closure::unresolved::{DeadLink, Unresolved};

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
    /// True if nothing needs it that was requested by itself, or that such a file needs: only parts
    /// of kept directories or packages do.
    pub is_harmless: bool,
}

impl Missing {
    /// Creates a missing file that is not harmless.
    #[must_use]
    pub fn new(name: Vec<u8>, kind: Kind, chain: Vec<Vec<u8>>, cause: Cause) -> Self {
        Self { name, kind, chain, cause, is_harmless: false }
    }
}

/// A pattern of missing files, or of files that need some.
#[derive(Clone, Debug)]
pub struct MissingPattern(Pattern);

#[derive(Clone, Debug)]
enum Pattern {
    Path(Glob),
    Name(NameGlob),
}

impl MissingPattern {
    /// Parses a pattern of paths, which begins with `/`, or of names without a directory.
    ///
    /// # Errors
    /// Returns an error if the pattern is malformed.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        if text.starts_with(b"/") {
            return Glob::parse(text).map(|glob| Self(Pattern::Path(glob)));
        }
        NameGlob::parse(text).map(|glob| Self(Pattern::Name(glob)))
    }

    /// Returns true if the missing file matches, or one of the chain of files that need it.
    #[must_use]
    pub fn matches(&self, missing: &Missing) -> bool {
        let matches = |path: &[u8]| match &self.0 {
            Pattern::Path(glob) => path.starts_with(b"/") && glob.matches(path),
            Pattern::Name(glob) => glob.matches(base_name(path)),
        };
        matches(&missing.name) || missing.chain.iter().any(|path| matches(path))
    }
}

/// The cause of a missing file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A path does not resolve.
    Path(Unresolved),
    /// None of several paths resolves.
    Nowhere {
        /// The directories of a name that was searched, or the paths if their last names differ.
        tried: Vec<Vec<u8>>,
        /// A link among them that leads nowhere.
        link: Option<DeadLink>,
    },
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
            Cause::Nowhere { tried, link } => {
                // The paths include the name itself if they are not directories.
                let are_paths = tried.contains(&self.name);
                write!(f, ": {}", if are_paths { "there is none of " } else { "it is not in any of " })?;
                list(f, tried)?;
                if let Some(DeadLink { path, target }) = link {
                    let (path, target) = (path.escape_ascii(), target.escape_ascii());
                    write!(f, "; the link {path} points to {target}, which does not exist")?;
                }
                Ok(())
            }
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

    fn needed(cause: Cause) -> Missing {
        let chain = vec![b"/lib/liba.so".to_vec(), b"/bin/exe".to_vec()];
        Missing::new(b"libx.so.1".to_vec(), Kind::Needed, chain, cause)
    }

    #[test]
    fn patterns_match_the_missing_file_or_one_that_needs_it() {
        let missing = needed(Cause::NoMatch);
        let matches =
            |text: &str| MissingPattern::parse(text.as_bytes()).expect("a pattern").matches(&missing);
        for text in ["libx.so.*", "libx.so.1", "liba.so", "/lib/*", "/bin/exe", "exe", "/**"] {
            assert!(matches(text), "{text}");
        }
        for text in ["libx", "lib", "/lib", "/libx.so.1", "bin"] {
            assert!(!matches(text), "{text}");
        }
        assert!(MissingPattern::parse(b"a/b").is_err() && MissingPattern::parse(b"").is_err());
    }

    #[test]
    fn a_message_names_every_place_that_was_searched() {
        let tried = vec![b"/usr/bin".to_vec(), b"/bin".to_vec()];
        let link = Some(DeadLink { path: b"/bin/sh".to_vec(), target: b"dash".to_vec() });
        let missing =
            Missing::new(b"sh".to_vec(), Kind::Script, vec![b"/x".to_vec()], Cause::Nowhere { tried, link });
        assert_eq!(
            missing.to_string(),
            "sh, needed by /x: it is not in any of /usr/bin, /bin; the link /bin/sh points to dash, which does not exist"
        );
        let tried = vec![b"/a".to_vec(), b"/b".to_vec()];
        let cause = Cause::Nowhere { tried, link: None };
        let missing = Missing::new(b"/a".to_vec(), Kind::Requested, Vec::new(), cause);
        assert_eq!(missing.to_string(), "/a: there is none of /a, /b");
    }

    #[test]
    fn a_message_names_the_requesters_and_the_searched_directories() {
        let mut missing = needed(Cause::NotFound {
            searched: vec![b"/lib".to_vec()],
            searched_more: false,
            foreign: vec![b"/lib/libx.so.1".to_vec()],
        });
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
