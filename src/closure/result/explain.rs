//! Explanations why a name is kept, as chains from a file to the request.

use std::collections::{BTreeMap, VecDeque};

use image_tree::Directories;
use image_tree::path::{join, split_last};
use image_tree::resolve::trace_in_root;

use super::kept::Closure;
use super::reason::Reason;
use crate::closure::error::{Error, Result};

/// A chain of reasons to keep a name: its own reason, the reason for the file named in that one,
/// and so on. The last was requested.
pub type Chain = Vec<Reason>;

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
/// Returns [`Error::NotKept`] if neither is kept; `is_there` is true if the tree had the path before
/// it was reduced.
pub fn kept_name<T: Directories>(
    tree: &T,
    closure: &Closure,
    path: &[u8],
    is_there: bool,
) -> Result<Vec<u8>> {
    let (directory, name) = split_last(path);
    let directory = if directory.is_empty() { b"/" } else { directory };
    let real = |path: &[u8]| Some(trace_in_root(tree, path, &mut 0).ok()?.path);
    let itself = real(directory).map(|directory| join(&directory, name));
    let is_kept = |path: &Vec<u8>| closure.kept.contains_key(path);
    let kept = itself.filter(is_kept).or_else(|| real(path).filter(is_kept));
    kept.ok_or_else(|| Error::NotKept { path: path.to_vec(), is_there })
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
    let (mut file, requested) = last?;
    let mut chain = vec![requested.clone()];
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
    use crate::closure::Kind;

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
        let found: Vec<Vec<String>> = chains(&closure, b"/b")
            .into_iter()
            .map(|chain| chain.iter().map(ToString::to_string).collect())
            .collect();
        assert_eq!(
            found,
            [
                ["needed library b of /a", "needed library a of /exe", "requested by /exe"],
                ["needed library b of /c", "needed library c of /exe", "requested by /exe"],
            ]
        );
        // The shorter chain comes first, although its reason sorts later.
        let lengths: Vec<usize> = chains(&closure, b"/c").iter().map(Vec::len).collect();
        assert_eq!(lengths, [2, 4]);
        assert!(chains(&closure, b"/d").is_empty());
    }
}
