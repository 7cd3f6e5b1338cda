//! Explanations why a name is kept or missing, as chains from a file to the request.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use image_tree::Directories;
use image_tree::path::{join, split_last};
use image_tree::resolve::{ResolveError, trace_in_root};

use super::error::{Error, Result};
use super::{Closure, Kind, Reason};

/// A chain of reasons to keep a name: its own reason, the reason for the file named in that one,
/// and so on. The last was requested.
pub type Chain = Vec<Reason>;

/// A needed file that the tree does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The name used by the file that needs it.
    pub name: Vec<u8>,
    /// The kind of the need.
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
    NoLoader,
    /// The program has a dynamic linker whose rules are not implemented.
    UnknownLoader,
    /// No file name matches the pattern.
    NoMatch,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name.escape_ascii())?;
        let mut chain = self.chain.iter();
        if let Some(by) = chain.next() {
            write!(f, ", needed by {}", by.escape_ascii())?;
        }
        for by in chain {
            write!(f, ", needed by {}", by.escape_ascii())?;
        }
        match &self.cause {
            Cause::Path(why) => write!(f, ": {why}"),
            Cause::NotFound { searched, searched_more, foreign } => {
                write!(f, ": it is in none of ")?;
                list(f, searched)?;
                if *searched_more {
                    write!(f, " and more")?;
                }
                if !foreign.is_empty() {
                    write!(f, "; for another machine are ")?;
                    list(f, foreign)?;
                }
                Ok(())
            }
            Cause::Unusable { path, why } if *path == self.name => write!(f, ": {why}"),
            Cause::Unusable { path, why } => write!(f, ": {}: {why}", path.escape_ascii()),
            Cause::NoLoader => write!(f, ": the tree has no loader for this machine"),
            Cause::UnknownLoader => {
                write!(f, ": how this loader searches is not known; name its libraries with --keep")
            }
            Cause::NoMatch => write!(f, ": no file of the tree matches"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, paths: &[Vec<u8>]) -> fmt::Result {
    if paths.is_empty() {
        return write!(f, "no directory, for none is searched");
    }
    for (index, path) in paths.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        write!(f, "{comma}{}", path.escape_ascii())?;
    }
    Ok(())
}

/// Returns the shortest chain to a request for each reason to keep a name, shortest first. Empty if
/// the name, a path without symbolic links, is not kept.
#[must_use]
pub fn chains(closure: &Closure, path: &[u8]) -> Vec<Chain> {
    let Some(reasons) = closure.kept.get(path) else { return Vec::new() };
    let mut chains: Vec<Chain> = Vec::new();
    for reason in reasons {
        let rest = match &reason.by {
            None => Some(Vec::new()),
            Some(by) => shortest(closure, by, path),
        };
        if let Some(rest) = rest {
            chains.push([vec![reason.clone()], rest].concat());
        }
    }
    chains.sort_by_key(Vec::len);
    chains
}

/// Returns the name under which a path is kept: its own, since a link may have other reasons than
/// its target, or else that of its target.
///
/// # Errors
/// Returns [`Error::NotKept`] if neither is kept.
pub fn kept_name<T: Directories>(tree: &T, closure: &Closure, path: &[u8]) -> Result<Vec<u8>> {
    let (directory, name) = split_last(path);
    let directory = if directory.is_empty() { b"/" } else { directory };
    let real = |path: &[u8]| Some(trace_in_root(tree, path, &mut 0).ok()?.path);
    let itself = real(directory).map(|directory| join(&directory, name));
    let is_kept = |path: &Vec<u8>| closure.kept.contains_key(path);
    let kept = itself.filter(is_kept).or_else(|| real(path).filter(is_kept));
    kept.ok_or_else(|| Error::NotKept(path.to_vec()))
}

/// Returns the shortest chain of a file that does not include another.
fn shortest(closure: &Closure, path: &[u8], without: &[u8]) -> Option<Chain> {
    // For each visited file, the file from which it was reached and the reason.
    let mut above: BTreeMap<&[u8], (&[u8], &Reason)> = BTreeMap::new();
    let mut queue = VecDeque::from([path]);
    let mut last = None;
    while let Some(file) = queue.pop_front() {
        for reason in closure.kept.get(file).into_iter().flatten() {
            match reason.by.as_deref() {
                None => {
                    last = Some((file, reason));
                    break;
                }
                Some(by) if by != path && by != without && !above.contains_key(by) => {
                    above.insert(by, (file, reason));
                    queue.push_back(by);
                }
                Some(_) => {}
            }
        }
        if last.is_some() {
            break;
        }
    }
    let (mut file, asked) = last?;
    let mut chain = vec![asked.clone()];
    while let Some((below, reason)) = above.get(file) {
        chain.push((*reason).clone());
        file = below;
    }
    chain.reverse();
    Some(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(kind: Kind, by: &str, name: &str) -> Reason {
        let by = (!by.is_empty()).then(|| by.as_bytes().to_vec());
        Reason { kind, by, name: name.as_bytes().to_vec() }
    }

    fn closure(names: &[(&str, &[Reason])]) -> Closure {
        let kept = names.iter();
        let kept = kept.map(|(path, reasons)| (path.as_bytes().to_vec(), reasons.iter().cloned().collect()));
        Closure { kept: kept.collect(), ..Closure::default() }
    }

    #[test]
    fn each_reason_has_its_shortest_chain() {
        let closure = closure(&[
            ("/exe", &[reason(Kind::Requested, "", "/exe")]),
            ("/a", &[reason(Kind::Needed, "/exe", "a")]),
            // Two libraries that need each other.
            ("/b", &[reason(Kind::Needed, "/a", "b"), reason(Kind::Needed, "/c", "b")]),
            ("/c", &[reason(Kind::Needed, "/b", "c"), reason(Kind::Needed, "/exe", "c")]),
        ]);
        let told: Vec<Vec<String>> = chains(&closure, b"/b")
            .into_iter()
            .map(|chain| chain.iter().map(ToString::to_string).collect())
            .collect();
        assert_eq!(
            told,
            [
                ["needed library b of /a", "needed library a of /exe", "asked for by /exe"],
                ["needed library b of /c", "needed library c of /exe", "asked for by /exe"],
            ]
        );
        // The shorter chain comes first, although its reason sorts later.
        let lengths: Vec<usize> = chains(&closure, b"/c").iter().map(Vec::len).collect();
        assert_eq!(lengths, [2, 4]);
        assert!(chains(&closure, b"/d").is_empty());
    }

    #[test]
    fn messages_name_what_needs_it_and_where_it_is_not() {
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
            "libx.so.1, needed by /lib/liba.so, needed by /bin/exe: it is in none of /lib; for another machine are \
             /lib/libx.so.1"
        );
        let searched = vec![b"/d".to_vec(), b"/e".to_vec()];
        missing.cause = Cause::NotFound { searched, searched_more: true, foreign: Vec::new() };
        assert!(missing.to_string().ends_with("it is in none of /d, /e and more"));
    }
}
